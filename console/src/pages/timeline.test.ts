// Where the troubles of connectors stand among deliveries.
import { expect, test } from "vitest";

import type { Alert, Delivery, Pause } from "../api/generated";
import { timeline, troubleFilters } from "./timeline";

const delivery = (created_at: string) => ({ created_at }) as Delivery;
const alert = (received_at: string, resolved_at?: string) => ({ received_at, resolved_at }) as Alert;
const order = (deliveries: Delivery[], alerts: Alert[], hasOlder: boolean, pauses: Pause[] = []) =>
  timeline(deliveries, alerts, pauses, hasOlder).map(({ kind, at }) => `${kind} ${at}`);

test("troubles and repairs stand between the deliveries of their time", () => {
  const deliveries = ["5", "3", "1"].map(delivery);
  expect(order(deliveries, [alert("2", "4")], false)).toEqual([
    "delivery 5",
    "repaired 4",
    "delivery 3",
    "blocked 2",
    "delivery 1",
  ]);
  expect(order([], [alert("2")], false)).toEqual(["blocked 2"]);
  expect(order(deliveries, [alert("0")], false).at(-1)).toBe("blocked 0");
});

test("a connector stands where it was switched off, and where it was switched on again", () => {
  const pause = (began_at: string, ended_at: string | null) => ({ began_at, ended_at }) as Pause;
  const deliveries = [delivery("5"), delivery("1")];
  expect(order(deliveries, [], false, [pause("3", null)])).toEqual(["delivery 5", "paused 3", "delivery 1"]);
  expect(order(deliveries, [], false, [pause("3", "6")])).toEqual(["resumed 6", "delivery 5", "paused 3", "delivery 1"]);
});

test("what lies outside the span that is looked at is left out", () => {
  const [early, since, late] = ["2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z"];
  const pause = { began_at: early, ended_at: late } as Pause;
  const kinds = (span: { since?: string; until?: string }) => timeline([], [], [pause], false, span).map(({ kind }) => kind);
  expect(kinds({})).toEqual(["resumed", "paused"]);
  expect(kinds({ since })).toEqual(["resumed"]);
  expect(kinds({ until: late })).toEqual(["paused"]);
});

test("what is older than the deliveries that are read comes with them", () => {
  expect(order([delivery("5")], [alert("2", "6")], true)).toEqual(["repaired 6", "delivery 5"]);
});

test("the troubles are those of the connectors that are looked at", () => {
  expect(troubleFilters({})).toEqual({ alert_type: ["connector_blocked"], dedup_key: undefined });
  expect(troubleFilters({ connector_id: ["a"] }).dedup_key).toEqual(["connector_blocked:a"]);
});
