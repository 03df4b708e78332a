// What a space uses of what it may have, in words.
import type { Usage } from "./api/generated";

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/** A size in the largest unit of which it has one, with at most one decimal. */
export function size(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < UNITS.length - 1) {
    [value, unit] = [value / 1024, unit + 1];
  }
  const shown = value.toLocaleString("en", { maximumFractionDigits: unit === 0 ? 0 : 1 });
  return `${shown} ${bytes === 1 ? "byte" : UNITS[unit]}`;
}

/** One phrase for each limit that the space has. */
export function usageWords({ alerts_today, connectors, stored_bytes, quota }: Usage): string[] {
  const number = (count: number) => count.toLocaleString("en");
  const words = [];
  if (quota.alerts_per_day !== null) {
    words.push(`${number(alerts_today)} of ${number(quota.alerts_per_day)} alerts today`);
  }
  if (quota.connectors !== null) {
    words.push(`${number(connectors)} of ${number(quota.connectors)} connectors`);
  }
  if (quota.stored_bytes !== null) {
    words.push(`${size(stored_bytes)} of ${size(quota.stored_bytes)} stored`);
  }
  if (quota.alerts_per_second !== null) {
    words.push(`at most ${number(quota.alerts_per_second)} alerts a second`);
  }
  if (quota.key_alerts_per_second !== null) {
    words.push(`at most ${number(quota.key_alerts_per_second)} alerts a second for each API key`);
  }
  return words;
}
