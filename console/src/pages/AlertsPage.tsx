// The alerts of a space, with filters that stand in the address.
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import type { Alert, Status } from "../api/generated";
import { isRefused } from "../api/problem";
import { alertsQuery, type AlertFilters } from "../api/queries";
import { PlainBadge, SeverityBadge } from "../parts/Badge";
import { Button, ButtonLink } from "../parts/Button";
import { Checks, TextField } from "../parts/Field";
import { Empty, ErrorNotice, Loading } from "../parts/Notice";
import { Time } from "../parts/Time";
import { count, SEVERITY_OPTIONS, stateWord, titleWords } from "../words";
import { useSpace } from "./Layout";
import { FullSpace } from "./SpaceUsage";
import styles from "./page.module.css";

export function AlertsPage() {
  const { slug, mayEdit } = useSpace();
  const filters = useSearch({ from: "/signed-in/spaces/$slug/alerts" });
  const alerts = useInfiniteQuery(alertsQuery(slug, filters));
  const items = alerts.data?.pages.flatMap((page) => page.items);
  const isFiltered = Object.values(filters).some((value) => value !== undefined);
  return (
    <div className={styles.page}>
      <div className={styles.head}>
        <h1>Alerts</h1>
        {mayEdit && (
          <ButtonLink to="/spaces/$slug/send" params={{ slug }}>
            Send an alert
          </ButtonLink>
        )}
      </div>
      <FullSpace slug={slug} />
      <Filters filters={filters} />
      {alerts.isError && (
        <ErrorNotice
          error={alerts.error}
          retry={() => void alerts.refetch()}
          wayOn={
            isRefused(alerts.error) && (
              <Link to="." search={{}}>
                Show alerts without filters
              </Link>
            )
          }
        />
      )}
      {alerts.isPending && <Loading />}
      {items?.length === 0 && (
        <Empty title={isFiltered ? "No alert matches these filters" : "No alert yet"}>
          {!isFiltered && <p>Post one to this space, or send one from the page Send.</p>}
        </Empty>
      )}
      <ul className={styles.rows}>
        {items?.map((alert) => <Row key={alert.id} slug={slug} alert={alert} />)}
      </ul>
      {alerts.hasNextPage && (
        <div className={styles.more}>
          <Button isBusy={alerts.isFetchingNextPage} onClick={() => void alerts.fetchNextPage()}>
            Show older alerts
          </Button>
        </div>
      )}
    </div>
  );
}

const STATUSES: readonly (readonly [Status, string])[] = [
  ["active", "Active"],
  ["resolved", "Resolved"],
];

function Filters({ filters }: { filters: AlertFilters }) {
  const navigate = useNavigate();
  const isHidden = [filters.since, filters.until, filters.dedup_key].some((value) => value !== undefined);
  const set = (change: Partial<AlertFilters>) =>
    void navigate({ to: ".", search: (before: object) => ({ ...before, ...change }), replace: true });
  return (
    <div className={styles.filters}>
      <Checks legend="Severities" options={SEVERITY_OPTIONS} chosen={filters.severity} onChange={(severity) => set({ severity })} />
      <Checks legend="Status" options={STATUSES} chosen={filters.status} onChange={(status) => set({ status })} />
      <TypesField types={filters.alert_type} onChange={(alert_type) => set({ alert_type })} />
      {isHidden && (
        <Button look="quiet" onClick={() => set({ since: undefined, until: undefined, dedup_key: undefined })}>
          Show alerts of any time and key
        </Button>
      )}
    </div>
  );
}

/** Keeps the text as the user typed it while it means the types in the address, so that a trailing space stays. */
function TypesField({ types, onChange }: { types: string[] | undefined; onChange: (types: string[] | undefined) => void }) {
  const [text, setText] = useState(types?.join(" ") ?? "");
  const isOther = JSON.stringify(words(text)) !== JSON.stringify(types);
  return (
    <TextField
      label="Alert type"
      value={isOther ? (types?.join(" ") ?? "") : text}
      onChange={(event) => {
        setText(event.target.value);
        onChange(words(event.target.value));
      }}
    />
  );
}

function words(text: string): string[] | undefined {
  const all = text.split(/\s+/).filter((word) => word !== "");
  return all.length > 0 ? all : undefined;
}

function Row({ slug, alert }: { slug: string; alert: Alert }) {
  return (
    <li className={styles.row}>
      <div className={styles.line}>
        <SeverityBadge severity={alert.severity} />
        <Link className={`${styles.name} ${styles.grow} ${styles.clamp}`} to="/spaces/$slug/alerts/$id" params={{ slug, id: alert.id }}>
          {titleWords(alert.title)}
        </Link>
        {alert.dedup_key !== null && <PlainBadge tone={alert.status === "active" ? "warn" : "good"}>{alert.status === "active" ? "Active" : "Resolved"}</PlainBadge>}
      </div>
      <div className={`${styles.line} ${styles.subtle} ${styles.small}`}>
        <span className={styles.break}>{alert.alert_type}</span>
        <span>
          <Time at={alert.received_at} />
        </span>
        {alert.occurrences > 1 && <span>{count(alert.occurrences, "time")}</span>}
        <span>{summary(alert)}</span>
      </div>
    </li>
  );
}

/** How its deliveries fare, such as "2 delivered, 1 pending". */
function summary(alert: Alert): string {
  const total = alert.deliveries.length + (alert.deliveries_left_out ?? 0);
  if (total === 0) {
    return "no connector matched";
  }
  const counts = new Map<string, number>();
  for (const { state } of alert.deliveries) {
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const parts = [...counts].map(([state, number]) => `${number} ${stateWord[state as keyof typeof stateWord].toLowerCase()}`);
  const more = alert.deliveries_left_out ? [`${alert.deliveries_left_out} more`] : [];
  return [...parts, ...more].join(", ");
}
