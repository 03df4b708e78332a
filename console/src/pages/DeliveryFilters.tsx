// The filters of a list of deliveries, which stand in the address.
import { useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";

import type { DeliveryKind, DeliveryState } from "../api/generated";
import type { DeliveryFilters as Filters } from "../api/queries";
import { Check, Group, Select } from "../parts/Field";
import { kindWord, stateWord } from "../words";
import styles from "./page.module.css";

const STATES = Object.entries(stateWord) as [DeliveryState, string][];
const KINDS = Object.entries(kindWord) as [DeliveryKind, string][];

export function DeliveryFilters({ filters, children }: { filters: Filters; children?: ReactNode }) {
  const navigate = useNavigate();
  const set = (change: Partial<Filters>) =>
    void navigate({ to: ".", search: (before: object) => ({ ...before, ...change }), replace: true });
  return (
    <div className={styles.filters}>
      <Group legend="States">
        {STATES.map(([state, word]) => (
          <Check
            key={state}
            label={word}
            checked={filters.state?.includes(state) ?? false}
            onChange={(on) => set({ state: toggled(filters.state, state, on) })}
          />
        ))}
      </Group>
      <Group legend="Kinds">
        {KINDS.map(([kind, word]) => (
          <Check
            key={kind}
            label={word}
            checked={filters.kind?.includes(kind) ?? false}
            onChange={(on) => set({ kind: toggled(filters.kind, kind, on) })}
          />
        ))}
      </Group>
      <Since since={filters.since} onChange={(since) => set({ since })} />
      {children}
    </div>
  );
}

const SPANS = [
  ["", "any time"],
  ["1", "the last hour"],
  ["24", "the last day"],
  ["168", "the last seven days"],
] as const;

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** A span is kept as the time when it began, so that a link shows the same to everybody. */
function Since({ since, onChange }: { since: string | undefined; onChange: (since: string | undefined) => void }) {
  const kept = since === undefined ? [] : ([[since, `since ${readable(since)}`]] as const);
  return (
    <Select
      label="Made in"
      value={since ?? ""}
      options={[...SPANS, ...kept]}
      onChange={(value) =>
        onChange(value === "" ? undefined : Number.isNaN(Number(value)) ? value : new Date(Date.now() - Number(value) * 3_600_000).toISOString())
      }
    />
  );
}

function readable(time: string): string {
  const moment = new Date(time);
  return Number.isNaN(moment.getTime()) ? time : exact.format(moment);
}

function toggled<T>(values: T[] | undefined, value: T, on: boolean): T[] | undefined {
  const rest = (values ?? []).filter((one) => one !== value);
  const now = on ? [...rest, value] : rest;
  return now.length > 0 ? now : undefined;
}
