// Starts the page of the inbox.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { InboxPage } from "./InboxPage";
import "../styles/tokens.css";
import "../styles/page.css";

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <InboxPage />
    </StrictMode>,
  );
}
