// Deliveries, newest first, and between them when a connector got into trouble or was switched off, and what it missed.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import type { Alert, Delivery, Pause } from "../api/generated";
import { isRefused } from "../api/problem";
import { alertsQuery, deliveriesQuery, deliveryTitleQuery, healthIn, healthQuery, pausesQuery, type AlertFilters, type DeliveryFilters } from "../api/queries";
import { PlainBadge, SeverityBadge } from "../parts/Badge";
import { Button } from "../parts/Button";
import { DeliveryRow } from "../parts/DeliveryRow";
import { Empty, ErrorNotice, Loading } from "../parts/Notice";
import { Time } from "../parts/Time";
import { count, titleWords } from "../words";
import styles from "./page.module.css";
import { timeline, troubleFilters, type Entry } from "./timeline";

/** `namesConnectors` where the list is of several. */
type Props = { slug: string; filters: DeliveryFilters; mayEdit: boolean; namesConnectors?: boolean };

export function DeliveryList({ slug, filters, mayEdit, namesConnectors = false }: Props) {
  const deliveries = useInfiniteQuery(deliveriesQuery(slug, filters));
  const isNarrowed = filters.state !== undefined || filters.kind !== undefined;
  const trouble = useInfiniteQuery({ ...alertsQuery(slug, troubleFilters(filters)), enabled: !isNarrowed });
  const pauses = useQuery({ ...pausesQuery(slug, filters), enabled: !isNarrowed });
  const health = useQuery(healthQuery(slug)).data;
  // All three are drawn at once: what comes later would push down what somebody reads.
  const isReady = isNarrowed || (!trouble.isPending && !pauses.isPending);
  const items = isReady ? deliveries.data?.pages.flatMap((page) => page.items) : undefined;
  const alerts = isNarrowed ? [] : (trouble.data?.pages.flatMap((page) => page.items) ?? []);
  const entries = items === undefined ? [] : timeline(items, alerts, isNarrowed ? [] : (pauses.data ?? []), deliveries.hasNextPage, filters);
  const row = (entry: Entry) => {
    switch (entry.kind) {
      case "delivery":
        return (
          <DeliveryRow
            key={entry.delivery.id}
            slug={slug}
            delivery={entry.delivery}
            mayEdit={mayEdit}
            health={healthIn(health, entry.delivery.connector_id)}
            title={<Title slug={slug} delivery={entry.delivery} namesConnector={namesConnectors} />}
          />
        );
      case "paused":
        return <PausedRow key={`paused ${entry.pause.connector_id} ${entry.at}`} slug={slug} pause={entry.pause} />;
      case "resumed":
        return <ResumedRow key={`resumed ${entry.pause.connector_id} ${entry.at}`} pause={entry.pause} at={entry.at} />;
      default:
        return <TroubleRow key={`${entry.kind} ${entry.alert.id}`} slug={slug} alert={entry.alert} isOver={entry.kind === "repaired"} at={entry.at} />;
    }
  };
  return (
    <>
      {deliveries.isError && <ErrorNotice error={deliveries.error} retry={() => void deliveries.refetch()} wayOn={isRefused(deliveries.error) && <AllDeliveries />} />}
      {!deliveries.isError && items === undefined && <Loading />}
      {items && entries.length === 0 && <Empty title={isNarrowed || filters.since !== undefined ? "No delivery matches these filters" : "Nothing was sent here yet"} />}
      <ul className={styles.rows}>{entries.map(row)}</ul>
      {deliveries.hasNextPage && (
        <div className={styles.more}>
          <Button isBusy={deliveries.isFetchingNextPage} onClick={() => void deliveries.fetchNextPage()}>
            Show older deliveries
          </Button>
        </div>
      )}
    </>
  );
}

/** The way out of filters that the address got wrong. */
function AllDeliveries() {
  return (
    <Link to="." search={{}}>
      Show deliveries without filters
    </Link>
  );
}

/** What it is about and, where that is not known already, whom it is for. */
function Title({ slug, delivery, namesConnector }: { slug: string; delivery: Delivery; namesConnector: boolean }) {
  const said = useQuery(deliveryTitleQuery(slug, delivery)).data;
  return (
    <span className={styles.line}>
      {said?.severity && <SeverityBadge severity={said.severity} />}
      <Link className={styles.clamp} to="/spaces/$slug/alerts/$id" params={{ slug, id: delivery.alert_id }}>
        {said ? titleWords(said.title) : "Show alert"}
      </Link>
      {namesConnector && (
        <span className={`${styles.subtle} ${styles.small}`}>
          to{" "}
          <Link to="/spaces/$slug/connectors/$id/deliveries" params={{ slug, id: delivery.connector_id }}>
            {delivery.connector_name}
          </Link>
        </span>
      )}
    </span>
  );
}

/** A connector that was switched off. What came meanwhile was queued for nobody; the alerts themselves are all there. */
function PausedRow({ slug, pause }: { slug: string; pause: Pause }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <li className={styles.row}>
      <div className={styles.line}>
        <PlainBadge>Paused</PlainBadge>
        <span className={`${styles.break} ${styles.grow}`}>{pause.connector_name} was switched off</span>
        <span className={`${styles.subtle} ${styles.small}`}>
          <Time at={pause.began_at} />
        </span>
      </div>
      <details className={styles.small} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>Show what it missed</summary>
        {isOpen && <Missed slug={slug} pause={pause} />}
      </details>
    </li>
  );
}

/** The alerts that the filters of a paused connector would have let through. */
function Missed({ slug, pause }: { slug: string; pause: Pause }) {
  const { severity_filter, alert_type_filter, began_at, ended_at } = pause;
  const filters: AlertFilters = {
    severity: severity_filter.length > 0 ? severity_filter : undefined,
    alert_type: alert_type_filter ?? undefined,
    since: began_at,
    until: ended_at ?? undefined,
  };
  // A filter that names no type lets nothing through, and the list of alerts knows no such filter.
  const isOfNone = alert_type_filter?.length === 0;
  const alerts = useInfiniteQuery({ ...alertsQuery(slug, filters), enabled: !isOfNone });
  if (alerts.isError) {
    return <ErrorNotice error={alerts.error} retry={() => void alerts.refetch()} />;
  }
  const page = alerts.data?.pages[0];
  if (!isOfNone && !page) {
    return <Loading />;
  }
  if (isOfNone || page?.items.length === 0) {
    return <p className={styles.subtle}>Nothing: no alert that came meanwhile matches its filters.</p>;
  }
  const number = page?.items.length ?? 0;
  return (
    <div className={styles.lines}>
      <ul className={styles.timeline}>
        {page?.items.map((alert) => (
          <li key={alert.id}>
            <SeverityBadge severity={alert.severity} />{" "}
            <Link className={styles.break} to="/spaces/$slug/alerts/$id" params={{ slug, id: alert.id }}>
              {titleWords(alert.title)}
            </Link>{" "}
            <Time at={alert.received_at} />
          </li>
        ))}
      </ul>
      <p>
        <Link to="/spaces/$slug/alerts" params={{ slug }} search={filters}>
          {page?.next_cursor ? "Show these and older ones among the alerts" : `Show ${count(number, "alert")} among the alerts`}
        </Link>
      </p>
    </div>
  );
}

function ResumedRow({ pause, at }: { pause: Pause; at: string }) {
  const isDeleted = pause.ended_by === "deleted";
  return (
    <li className={styles.event}>
      <PlainBadge tone={isDeleted ? undefined : "good"}>{isDeleted ? "Deleted" : "Switched on"}</PlainBadge>
      <span className={styles.break}>
        {pause.connector_name} {isDeleted ? "was deleted while it was switched off" : "receives alerts again"}
      </span>
      <span className={`${styles.subtle} ${styles.small}`}>
        <Time at={at} />
      </span>
    </li>
  );
}

/** The connector that an alert of ours is about: its title says how it is now, not how it was. */
const nameOf = (alert: Alert): string => String(alert.fields.find(({ name }) => name === "Connector")?.value ?? "A connector");

/** A trouble is over when its webhook works again, and when the connector leaves it: by another URL, switched off or deleted. */
function troubleWords(alert: Alert, isOver: boolean): { badge: string; tone?: "good" | "warn"; words: string } {
  if (!isOver) {
    const said = alert.fields.find(({ name }) => name === "It says")?.value;
    return said === undefined
      ? { badge: "Not answering", tone: "warn", words: "does not answer" }
      : { badge: "Blocked", tone: "warn", words: `is blocked: ${String(said)}` };
  }
  return alert.title.endsWith("no longer uses that webhook")
    ? { badge: "Over", words: "no longer uses the webhook that was blocked" }
    : { badge: "Repaired", tone: "good", words: "works again" };
}

/** A connector that was blocked, or no longer is. */
function TroubleRow({ slug, alert, isOver, at }: { slug: string; alert: Alert; isOver: boolean; at: string }) {
  const { badge, tone, words } = troubleWords(alert, isOver);
  return (
    <li className={styles.event}>
      <PlainBadge tone={tone}>{badge}</PlainBadge>
      <Link className={styles.break} to="/spaces/$slug/alerts/$id" params={{ slug, id: alert.id }}>
        {nameOf(alert)} {words}
      </Link>
      <span className={`${styles.subtle} ${styles.small}`}>
        <Time at={at} />
      </span>
    </li>
  );
}
