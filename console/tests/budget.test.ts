// What a browser loads before it shows the console, held to its budget.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

const DIST = join(import.meta.dirname, "../dist");
const FIRST_LOAD_MAX = 250 * 1_024;

test.each([
  ["index.html", "/console/", "."],
  ["inbox/inbox.html", "/_inbox/", "inbox"],
])("the first load of %s stays within its budget, and the renderers come later", (page, base, folder) => {
  const html = readFileSync(join(DIST, page), "utf8");
  const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url = ""]) => url);
  expect(files.every((file) => file.startsWith(base))).toBe(true);
  const sizes = files.map((file) => statSync(join(DIST, folder, `${file.slice(base.length)}.gz`)).size);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(FIRST_LOAD_MAX);
  expect(files.join(" ")).not.toMatch(/SlackPreview|TeamsPreview/);
});
