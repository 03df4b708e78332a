// Builds the page of the inbox into `dist/inbox`, after the console: it has an address of its own, on a server of its own.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

import { packed } from "./packed.ts";

export default defineConfig({
  base: "/_inbox/",
  plugins: [react(), packed("dist/inbox")],
  publicDir: false,
  build: {
    outDir: "dist/inbox",
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: "inbox.html" },
  },
});
