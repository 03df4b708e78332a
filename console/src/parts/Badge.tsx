// A word with a colour that repeats what it says.
import type { DeliveryState, HealthState, Severity } from "../api/generated";
import { healthWord, severityWord, stateWord } from "../words";
import styles from "./badge.module.css";

const healthTone: Record<HealthState, string> = {
  healthy: "good",
  idle: "quiet",
  retrying: "warn",
  blocked: "danger",
  paused: "quiet",
};
const stateTone: Record<DeliveryState, string> = {
  pending: "warn",
  delivered: "good",
  accepted: "good",
  failed: "danger",
  expired: "danger",
  cancelled: "quiet",
};

export const HealthBadge = ({ state }: { state: HealthState }) => (
  <span className={`${styles.badge} ${styles[healthTone[state]]}`}>{healthWord[state]}</span>
);

export const StateBadge = ({ state }: { state: DeliveryState }) => (
  <span className={`${styles.badge} ${styles[stateTone[state]]}`}>{stateWord[state]}</span>
);

export const SeverityBadge = ({ severity }: { severity: Severity }) => (
  <span className={`${styles.severity} ${styles[severity]}`}>{severityWord[severity]}</span>
);

export const PlainBadge = ({ children, tone = "quiet" }: { children: string; tone?: "quiet" | "good" | "warn" }) => (
  <span className={`${styles.badge} ${styles[tone]}`}>{children}</span>
);
