// Starts the console: one client of the API's queries, one router.
import { CSPProvider } from "@base-ui/react/csp-provider";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { isWorthRepeating } from "./api/problem";
import { makeRouter } from "./router";
import "./styles/tokens.css";
import "./styles/page.css";

const queries = new QueryClient({
  defaultOptions: {
    queries: { staleTime: 1_000, retry: (count, error) => count < 2 && isWorthRepeating(error) },
  },
});
const router = makeRouter(queries);

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <CSPProvider disableStyleElements>
        <QueryClientProvider client={queries}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </CSPProvider>
    </StrictMode>,
  );
}
