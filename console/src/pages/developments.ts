// What became of a problem between its opening and its end: each rise of its severity, and each reminder of it.
import type { AlertDetails } from "../api/generated";

export interface Development {
  what: string;
  at: string;
  /** What a reader would otherwise look for among the deliveries. */
  note: string;
}

/** In the order of time. A rise that notified nobody is one, too. */
export function developments({ deliveries, raises = [] }: Pick<AlertDetails, "deliveries" | "raises">): Development[] {
  const risenAt = new Set(raises.map(({ at }) => at));
  const told = new Map<string, Development>();
  for (const { kind, created_at } of deliveries) {
    if (kind === "renotified") {
      told.set(created_at, { what: "Channels were reminded of it", at: created_at, note: "" });
    } else if (kind === "raised" && !risenAt.has(created_at)) {
      // An alert that an older version stored does not say from what it rose.
      told.set(created_at, { what: "Its severity rose", at: created_at, note: "" });
    }
  }
  const rises = raises.map(({ at, from, to }) => ({
    what: `Its severity rose from ${from} to ${to}`,
    at,
    note: deliveries.some(({ created_at }) => created_at === at) ? "" : ", and no channel was notified",
  }));
  return [...told.values(), ...rises].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
}
