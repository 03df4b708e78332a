import { expect, test } from "vitest";

import { shownAtFirst } from "./shownAtFirst";

test("as many fields are shown as leave the deliveries in sight", () => {
  expect(shownAtFirst([])).toBe(0);
  expect(shownAtFirst(Array(12).fill(10))).toBe(12);
  expect(shownAtFirst(Array(40).fill(10))).toBe(12);
  expect(shownAtFirst([4_000, 1])).toBe(1);
  expect(shownAtFirst([1_000, 1_000, 1])).toBe(2);
});
