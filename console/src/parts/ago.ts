// Moments relative to now: in words, and as the start of a span.

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
];
const relative = new Intl.RelativeTimeFormat("en");

/** "just now", "3 minutes ago", "in 2 hours". */
export function ago(at: number, now: number): string {
  const difference = at - now;
  const found = UNITS.find(([, length]) => Math.abs(difference) >= length);
  return found ? relative.format(Math.trunc(difference / found[1]), found[0]) : "just now";
}

/** How long something has been so: "3 minutes". */
export function lasting(since: number, now: number): string {
  const length = Math.max(now - since, 1_000);
  const [unit, one] = UNITS.find(([, one]) => length >= one) ?? ["second", 1_000];
  const number = Math.trunc(length / one);
  return `${number.toLocaleString("en")} ${unit}${number === 1 ? "" : "s"}`;
}

/** The time so many days from now, as the API takes it. */
export const inDays = (days: string): string => new Date(Date.now() + Number(days) * 86_400_000).toISOString();

/** The time so many hours before now, as the API takes it. */
export const hoursAgo = (hours: number | string): string => new Date(Date.now() - Number(hours) * 3_600_000).toISOString();
