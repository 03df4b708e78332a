import { expect, test } from "vitest";

import { size, usageWords } from "./usage";

test("sizes are said in the largest unit", () => {
  expect([0, 1, 1023, 1024, 1536, 2 ** 31, 1.5 * 2 ** 50].map(size)).toEqual([
    "0 bytes", "1 byte", "1,023 bytes", "1 KiB", "1.5 KiB", "2 GiB", "1,536 TiB",
  ]);
});

test("only limits that are there are said", () => {
  const none = { alerts_per_second: null, key_alerts_per_second: null, alerts_per_day: null, connectors: null, stored_bytes: null };
  const usage = { alerts_today: 1200, day_ends_at: "2026-01-01T00:00:00.000Z", connectors: 3, stored_bytes: 2048, is_full: false };
  expect(usageWords({ ...usage, quota: none })).toEqual([]);
  const quota = { alerts_per_second: 20, key_alerts_per_second: 5, alerts_per_day: 1000000, connectors: 50, stored_bytes: 2 ** 30 };
  expect(usageWords({ ...usage, quota })).toEqual([
    "1,200 of 1,000,000 alerts today",
    "3 of 50 connectors",
    "2 KiB of 1 GiB stored",
    "at most 20 alerts a second",
    "at most 5 alerts a second for each API key",
  ]);
});
