// The filters of a list of deliveries, which stand in the address.
import { useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";

import type { DeliveryKind, DeliveryState } from "../api/generated";
import type { DeliveryFilters as Filters } from "../api/queries";
import { hoursAgo } from "../parts/ago";
import { Checks, Select } from "../parts/Field";
import { kindWord, SPANS, stateWord } from "../words";
import styles from "./page.module.css";

const STATES = Object.entries(stateWord) as [DeliveryState, string][];
const KINDS = Object.entries(kindWord) as [DeliveryKind, string][];

export function DeliveryFilters({ filters, children }: { filters: Filters; children?: ReactNode }) {
  const navigate = useNavigate();
  const set = (change: Partial<Filters>) =>
    void navigate({ to: ".", search: (before: object) => ({ ...before, ...change }), replace: true });
  return (
    <div className={styles.filters}>
      <Checks legend="States" options={STATES} chosen={filters.state} onChange={(state) => set({ state })} />
      <Checks legend="Kinds" options={KINDS} chosen={filters.kind} onChange={(kind) => set({ kind })} />
      <Since since={filters.since} onChange={(since) => set({ since })} />
      {children}
    </div>
  );
}

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** A span is kept as the time when it began, so that a link shows the same to everybody. */
function Since({ since, onChange }: { since: string | undefined; onChange: (since: string | undefined) => void }) {
  const kept = since === undefined ? [] : ([[since, `since ${readable(since)}`]] as const);
  return (
    <Select
      label="Made in"
      value={since ?? ""}
      options={[["", "any time"], ...SPANS, ...kept]}
      onChange={(value) =>
        onChange(value === "" ? undefined : value === since ? value : hoursAgo(value))
      }
    />
  );
}

function readable(time: string): string {
  const moment = new Date(time);
  return Number.isNaN(moment.getTime()) ? time : exact.format(moment);
}
