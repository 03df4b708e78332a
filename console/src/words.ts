// How things are called on every page, and sentences made of them.
import type { AlertCount, AlertSummary, AuditAction, Connector, ConnectorHealth, DeliveryKind, DeliveryState, HealthState, MatchRule, Outcome, Severity } from "./api/generated";

export const SEVERITIES: readonly Severity[] = ["critical", "high", "medium", "low"];

export const severityWord: Record<Severity, string> = {
  critical: "Critical",
  high: "High",
  medium: "Medium",
  low: "Low",
};

export const SEVERITY_OPTIONS = SEVERITIES.map((severity) => [severity, severityWord[severity]] as const);

export const healthWord: Record<HealthState, string> = {
  healthy: "Healthy",
  idle: "Idle",
  retrying: "Retrying",
  blocked: "Blocked",
  paused: "Paused",
};

/** What a connector's state means and what to do about it. */
export function healthAdvice({ state, queue_depth }: Pick<ConnectorHealth, "state" | "queue_depth">): string {
  return state === "retrying" && queue_depth === 0
    ? "The last message did not arrive, and nothing is pending. Its delivery says why; what failed can be retried there."
    : stateAdvice[state];
}

const stateAdvice: Record<HealthState, string> = {
  healthy: "Messages arrive.",
  idle: "Nothing was sent yet. Send a test message to see whether it works.",
  retrying: "The last attempt failed and is repeated, so there is nothing to do unless this goes on: then test it, and look at the channel.",
  blocked: "Everything is held. Enter a working webhook URL, or test this one once it is repaired; then what is held is sent.",
  paused: "Switched off. Alerts are stored and not sent here.",
};

export const stateWord: Record<DeliveryState, string> = {
  pending: "Pending",
  delivered: "Delivered",
  accepted: "Accepted",
  failed: "Failed",
  expired: "Expired",
  cancelled: "Cancelled",
};

export const outcomeWord: Record<Outcome, string> = {
  delivered: "Delivered",
  accepted: "Accepted by the workflow",
  retry: "Failed, will be retried",
  unanswered: "Not answered",
  message_refused: "Message refused",
  destination_refused: "Webhook refused",
};

export const kindWord: Record<DeliveryKind, string> = {
  opening: "Alert",
  raised: "Severity raised",
  renotified: "Still active",
  resolved: "Resolved",
};

export const ruleSentence: Record<MatchRule, string> = {
  matched: "Its filters match.",
  inactive: "It is switched off.",
  severity_filter: "Its severity filter leaves this severity out.",
  alert_type_filter: "Its type filter leaves this type out.",
};

/** What was done, for the audit trail. */
export const auditWord: Record<AuditAction, string> = {
  connector_created: "Connector created",
  connector_updated: "Connector changed",
  connector_deleted: "Connector deleted",
  member_set: "Role given",
  member_removed: "Member removed",
  api_key_created: "API key created",
  api_key_revoked: "API key revoked",
  user_created: "User created",
  user_disabled: "User disabled",
  user_enabled: "User enabled",
  password_changed: "Password changed",
  space_created: "Space created",
  space_renamed: "Space renamed",
  space_removed: "Space removed",
  mapping_set: "Mapping set",
  secret_set: "Secret set",
  signed_in: "Signed in",
  sign_in_failed: "Sign-in refused",
  signed_out: "Signed out",
  delivery_retried: "Delivery retried",
  deliveries_replayed: "Deliveries replayed",
  alert_resolved: "Alert resolved",
  user_removed: "User removed",
  user_invited: "User invited again",
  alerts_erased: "Alerts erased",
};

/** A title that people can see and press. */
export const titleWords = (title: string): string => (title.trim() === "" ? "(untitled)" : title);

/** "a", "a and b", "a, b and c". */
export function list(words: readonly string[], conjunction: "and" | "or" = "and"): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} ${conjunction} ${last}`;
}

/** A sentence names at most this many alert types. */
const TYPES_NAMED = 5;

/** The types by name; where they are many, the first of them and how many more. */
const named = (types: readonly string[]): string[] =>
  types.length > TYPES_NAMED
    ? [...types.slice(0, TYPES_NAMED - 1), `${(types.length - TYPES_NAMED + 1).toLocaleString("en")} more`]
    : [...types];

export const isEvery = (severities: readonly Severity[]): boolean =>
  severities.length === 0 || severities.length === SEVERITIES.length;

/** The filters of a connector in words, such as "critical and high · all types". */
export function filterWords(filters: Pick<Connector, "severity_filter" | "alert_type_filter">): string {
  const { severity_filter: severities, alert_type_filter: types } = filters;
  const which = isEvery(severities)
    ? "all severities"
    : list(SEVERITIES.filter((severity) => severities.includes(severity)));
  const what = types === null ? "all types" : types.length === 0 ? "no type" : list(named(types));
  return `${which} · ${what}`;
}

/** What a connector with these filters receives, as a sentence. */
export function filterSentence(filters: Pick<Connector, "severity_filter" | "alert_type_filter">): string {
  const { severity_filter: severities, alert_type_filter: types } = filters;
  if (types?.length === 0) {
    return "This connector receives nothing: no alert type is chosen.";
  }
  const which = isEvery(severities)
    ? "every alert"
    : `every ${list(SEVERITIES.filter((one) => severities.includes(one)), "or")} alert`;
  const what = types === null ? "" : ` of type ${list(named(types), "or")}`;
  return `This connector receives ${which}${what}.`;
}

/** How many of the alerts of a summary these filters let through, as a sentence about what would have been. */
export function matchedSentence(
  filters: Pick<Connector, "severity_filter" | "alert_type_filter">,
  summary: AlertSummary,
): string {
  const { severity_filter: severities, alert_type_filter: types } = filters;
  const matches = ({ severity, alert_type }: AlertCount) =>
    (isEvery(severities) || severities.includes(severity)) && (types === null || types.includes(alert_type));
  const sum = (counts: AlertCount[]) => counts.reduce((total, one) => total + one.count, 0);
  const all = sum(summary.items) + summary.other;
  if (all === 0) {
    return "No alert came in the last seven days.";
  }
  const matched = sum(summary.items.filter(matches));
  const least = summary.other > 0 ? "At least " : "";
  return `${least}${matched.toLocaleString("en")} of ${count(all, "alert")} of the last seven days would have matched.`;
}

/** "1 alert", "3 alerts". */
export const count = (number: number, one: string, many = `${one}s`): string =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** The spans that a list or a replay can cover: hours, and their words. */
export const SPANS = [
  ["1", "the last hour"],
  ["24", "the last day"],
  ["168", "the last seven days"],
] as const;
