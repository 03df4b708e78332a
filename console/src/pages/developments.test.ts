import { expect, test } from "vitest";

import type { Delivery } from "../api/generated";
import { developments } from "./developments";

const delivery = (kind: Delivery["kind"], created_at: string) => ({ kind, created_at }) as Delivery;
const told = (alert: Parameters<typeof developments>[0]) => developments(alert).map(({ what, note }) => what + note);

test("a rise that notified nobody is told beside those that did and the reminders", () => {
  const alert = {
    deliveries: [
      delivery("renotified", "2026-01-01T03:00:00.000Z"),
      delivery("raised", "2026-01-01T02:00:00.000Z"),
      delivery("raised", "2026-01-01T02:00:00.000Z"),
      delivery("opening", "2026-01-01T00:00:00.000Z"),
    ],
    raises: [
      { at: "2026-01-01T01:00:00.000Z", from: "low" as const, to: "medium" as const },
      { at: "2026-01-01T02:00:00.000Z", from: "medium" as const, to: "critical" as const },
    ],
  };
  expect(told(alert)).toEqual([
    "Its severity rose from low to medium, and no channel was notified",
    "Its severity rose from medium to critical",
    "Channels were reminded of it",
  ]);
});

test("each rise of one request is told, although they have one time", () => {
  const at = "2026-01-01T01:00:00.000Z";
  const raises = [
    { at, from: "low" as const, to: "medium" as const },
    { at, from: "medium" as const, to: "high" as const },
  ];
  expect(told({ deliveries: [delivery("raised", at)], raises })).toEqual([
    "Its severity rose from low to medium",
    "Its severity rose from medium to high",
  ]);
});

test("what an older version stored says only that it rose", () => {
  expect(told({ deliveries: [delivery("raised", "2026-01-01T02:00:00.000Z")] })).toEqual(["Its severity rose"]);
});
