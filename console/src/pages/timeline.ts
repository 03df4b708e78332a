// Deliveries and the troubles of their connectors in one order, newest first.
import type { Alert, Delivery } from "../api/generated";
import type { AlertFilters, DeliveryFilters } from "../api/queries";

/** The type of the alerts by which the service says that a connector is blocked; their key names the connector. */
const BLOCKED = "connector_blocked";

export type Entry =
  | { kind: "delivery"; at: string; delivery: Delivery }
  | { kind: "blocked" | "repaired"; at: string; alert: Alert };

/** The alerts about the connectors that a list of deliveries is of. */
export function troubleFilters({ connector_id }: DeliveryFilters): AlertFilters {
  return {
    alert_type: [BLOCKED],
    dedup_key: connector_id?.map((id) => `${BLOCKED}:${id}`),
  };
}

/** Merges both. Where older deliveries are not read yet, older troubles are left out too. */
export function timeline(deliveries: Delivery[], alerts: Alert[], hasOlder: boolean): Entry[] {
  const rows = deliveries.map((delivery): Entry => ({ kind: "delivery", at: delivery.created_at, delivery }));
  const troubles = alerts.flatMap((alert): Entry[] => [
    { kind: "blocked", at: alert.received_at, alert },
    ...(alert.resolved_at === undefined ? [] : [{ kind: "repaired" as const, at: alert.resolved_at, alert }]),
  ]);
  const oldest = rows.at(-1)?.at ?? "";
  const shown = hasOlder ? troubles.filter(({ at }) => at >= oldest) : troubles;
  // The order of acceptance stays among deliveries whose clocks differ.
  const entries = [...rows];
  for (const trouble of shown) {
    const at = entries.findIndex((entry) => entry.at < trouble.at);
    entries.splice(at === -1 ? entries.length : at, 0, trouble);
  }
  return entries;
}
