// Builds the console into `dist`, from where the program takes it in. Each file gets one beside it in gzip.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

function packed(): Plugin {
  const pack = (folder: string) => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) {
        pack(path);
      } else if (!path.endsWith(".gz")) {
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
      }
    }
  };
  return { name: "packed", apply: "build", closeBundle: () => pack("dist") };
}

export default defineConfig({
  base: "/console/",
  plugins: [react(), packed()],
  build: { target: "es2022", sourcemap: false, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy: { "^/(auth|spaces|api-keys)": "http://127.0.0.1:8080" } },
});
