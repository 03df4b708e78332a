// Builds the console into `dist`, from where the program takes it in. Each file gets one beside it in gzip.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

import { packed } from "./packed.ts";

export default defineConfig({
  base: "/console/",
  plugins: [react(), packed("dist")],
  build: { target: "es2022", sourcemap: false, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy: { "^/(auth|spaces|api-keys)": "http://127.0.0.1:8080" } },
});
