// Deliveries and what happened to their connectors in one order, newest first.
import type { Alert, Delivery, Pause } from "../api/generated";
import type { AlertFilters, DeliveryFilters } from "../api/queries";

/** The type of the alerts by which the service says that a connector is blocked; their key names the connector. */
const BLOCKED = "connector_blocked";

export type Entry =
  | { kind: "delivery"; at: string; delivery: Delivery }
  | { kind: "blocked" | "repaired"; at: string; alert: Alert }
  | { kind: "paused" | "resumed"; at: string; pause: Pause };

/** The alerts about the connectors that a list of deliveries is of. */
export function troubleFilters({ connector_id }: DeliveryFilters): AlertFilters {
  return {
    alert_type: [BLOCKED],
    dedup_key: connector_id?.map((id) => `${BLOCKED}:${id}`),
  };
}

/** When a connector was switched off and, where that is over, on again. */
function switches(pause: Pause): Entry[] {
  const off: Entry = { kind: "paused", at: pause.began_at, pause };
  return pause.ended_at === null ? [off] : [off, { kind: "resumed", at: pause.ended_at, pause }];
}

/** The time that is looked at, from its beginning and up to its end. */
type Span = Pick<DeliveryFilters, "since" | "until">;

const isWithin = (at: string, { since, until }: Span): boolean =>
  (since === undefined || Date.parse(at) >= Date.parse(since)) && (until === undefined || Date.parse(at) < Date.parse(until));

/** Merges them. Where older deliveries are not read yet, older troubles are left out too, and so is what lies outside the span. */
export function timeline(deliveries: Delivery[], alerts: Alert[], pauses: Pause[], hasOlder: boolean, span: Span = {}): Entry[] {
  const rows = deliveries.map((delivery): Entry => ({ kind: "delivery", at: delivery.created_at, delivery }));
  const troubles = alerts.flatMap((alert): Entry[] => [
    { kind: "blocked", at: alert.received_at, alert },
    ...(alert.resolved_at === undefined ? [] : [{ kind: "repaired" as const, at: alert.resolved_at, alert }]),
  ]);
  const changes = [...troubles, ...pauses.flatMap(switches)].filter(({ at }) => isWithin(at, span));
  const oldest = rows.at(-1)?.at ?? "";
  const shown = hasOlder ? changes.filter(({ at }) => at >= oldest) : changes;
  // The order of acceptance stays among deliveries whose clocks differ.
  const entries = [...rows];
  for (const change of shown) {
    const at = entries.findIndex((entry) => entry.at < change.at);
    entries.splice(at === -1 ? entries.length : at, 0, change);
  }
  return entries;
}
