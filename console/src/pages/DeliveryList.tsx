// Deliveries, newest first, and between them when a connector got into trouble and out of it.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Alert, ConnectorHealth, Delivery } from "../api/generated";
import { alertNameQuery, alertsQuery, connectorsQuery, deliveriesQuery, healthQuery, type DeliveryFilters } from "../api/queries";
import { PlainBadge, SeverityBadge } from "../parts/Badge";
import { Button } from "../parts/Button";
import { DeliveryRow } from "../parts/DeliveryRow";
import { Empty, ErrorNotice, Loading } from "../parts/Notice";
import { Time } from "../parts/Time";
import { titleWords } from "../words";
import styles from "./page.module.css";
import { timeline, troubleFilters, type Pause } from "./timeline";

/** `namesConnectors` where the list is of several. */
type Props = { slug: string; filters: DeliveryFilters; mayEdit: boolean; namesConnectors?: boolean };

export function DeliveryList({ slug, filters, mayEdit, namesConnectors = false }: Props) {
  const deliveries = useInfiniteQuery(deliveriesQuery(slug, filters));
  const isNarrowed = filters.state !== undefined || filters.kind !== undefined;
  const trouble = useInfiniteQuery({ ...alertsQuery(slug, troubleFilters(filters)), enabled: !isNarrowed });
  const health = useQuery(healthQuery(slug)).data;
  const items = deliveries.data?.pages.flatMap((page) => page.items);
  const alerts = isNarrowed ? [] : (trouble.data?.pages.flatMap((page) => page.items) ?? []);
  const entries = timeline(items ?? [], alerts, isNarrowed ? [] : pausesOf(health, filters), deliveries.hasNextPage);
  const names = new Map(useQuery(connectorsQuery(slug)).data?.map(({ id, name }) => [id, name]));
  return (
    <>
      {deliveries.isError && <ErrorNotice error={deliveries.error} retry={() => void deliveries.refetch()} />}
      {deliveries.isPending && <Loading />}
      {items && entries.length === 0 && <Empty title={isNarrowed || filters.since !== undefined ? "No delivery matches these filters" : "Nothing was sent here yet"} />}
      <ul className={styles.rows}>
        {entries.map((entry) =>
          entry.kind === "delivery" ? (
            <DeliveryRow
              key={entry.delivery.id}
              slug={slug}
              delivery={entry.delivery}
              mayEdit={mayEdit}
              health={health?.get(entry.delivery.connector_id)}
              title={<Title slug={slug} delivery={entry.delivery} namesConnector={namesConnectors} />}
            />
          ) : entry.kind === "paused" ? (
            <PausedRow key={`paused ${entry.connectorId}`} name={names.get(entry.connectorId) ?? "A connector"} at={entry.at} />
          ) : (
            <TroubleRow key={`${entry.kind} ${entry.alert.id}`} slug={slug} alert={entry.alert} isOver={entry.kind === "repaired"} at={entry.at} />
          ),
        )}
      </ul>
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

/** The connectors of the list that are switched off. */
function pausesOf(health: Map<string, ConnectorHealth> | undefined, { connector_id, since, until }: DeliveryFilters): Pause[] {
  const isMeant = ([id, one]: [string, ConnectorHealth]) =>
    one.state === "paused" &&
    (connector_id?.includes(id) ?? true) &&
    (since === undefined || one.since >= since) &&
    (until === undefined || one.since < until);
  return [...(health ?? [])].filter(isMeant).map(([id, one]) => ({ id, since: one.since }));
}

function PausedRow({ name, at }: { name: string; at: string }) {
  return (
    <li className={styles.event}>
      <PlainBadge>Paused</PlainBadge>
      <span className={styles.break}>{name} was switched off</span>
      <span className={`${styles.subtle} ${styles.small}`}>
        <Time at={at} />
      </span>
    </li>
  );
}

/** What it is about and, where that is not known already, whom it is for. */
function Title({ slug, delivery, namesConnector }: { slug: string; delivery: Delivery; namesConnector: boolean }) {
  const alert = useQuery(alertNameQuery(slug, delivery.alert_id)).data;
  return (
    <span className={styles.line}>
      {alert && <SeverityBadge severity={alert.severity} />}
      <Link className={styles.break} to="/spaces/$slug/alerts/$id" params={{ slug, id: delivery.alert_id }}>
        {alert ? titleWords(alert.title) : "Show alert"}
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

/** The connector that an alert of ours is about: its title says how it is now, not how it was. */
const nameOf = (alert: Alert): string => String(alert.fields.find(({ name }) => name === "Connector")?.value ?? "A connector");

/** A connector that was blocked, or works again. */
function TroubleRow({ slug, alert, isOver, at }: { slug: string; alert: Alert; isOver: boolean; at: string }) {
  return (
    <li className={styles.event}>
      <PlainBadge tone={isOver ? "good" : "warn"}>{isOver ? "Repaired" : "Trouble"}</PlainBadge>
      <Link className={styles.break} to="/spaces/$slug/alerts/$id" params={{ slug, id: alert.id }}>
        {nameOf(alert)} {isOver ? "works again" : "is in trouble"}
      </Link>
      <span className={`${styles.subtle} ${styles.small}`}>
        <Time at={at} />
      </span>
    </li>
  );
}
