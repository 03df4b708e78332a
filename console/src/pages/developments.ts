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
  const at = new Map<string, Development>();
  for (const { kind, created_at } of deliveries) {
    if (kind === "renotified") {
      at.set(created_at, { what: "Channels were reminded of it", at: created_at, note: "" });
    } else if (kind === "raised") {
      // An alert that an older version stored does not say from what it rose.
      at.set(created_at, { what: "Its severity rose", at: created_at, note: "" });
    }
  }
  for (const raise of raises) {
    const hasNotified = deliveries.some(({ created_at }) => created_at === raise.at);
    at.set(raise.at, {
      what: `Its severity rose from ${raise.from} to ${raise.to}`,
      at: raise.at,
      note: hasNotified ? "" : ", and no channel was notified",
    });
  }
  return [...at.values()].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
}
