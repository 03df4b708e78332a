// The history of one connector: what was sent, what failed, what it missed; retry and replay.
import { useQuery } from "@tanstack/react-query";
import { useParams, useSearch } from "@tanstack/react-router";

import type { ConnectorHealth } from "../api/generated";
import { ApiProblem } from "../api/problem";
import { connectorQuery, healthQuery } from "../api/queries";
import { HealthBadge } from "../parts/Badge";
import { ButtonLink } from "../parts/Button";
import { ErrorNotice } from "../parts/Notice";
import { healthAdvice } from "../words";
import { DeliveryFilters } from "./DeliveryFilters";
import { DeliveryList } from "./DeliveryList";
import { useSpace } from "./Layout";
import styles from "./page.module.css";
import { ReplayForm } from "./ReplayForm";

export function ConnectorDeliveriesPage() {
  const { slug, mayEdit } = useSpace();
  const { id = "" } = useParams({ strict: false });
  const filters = useSearch({ from: "/signed-in/spaces/$slug/connectors/$id/deliveries" });
  const found = useQuery(connectorQuery(slug, id));
  const connector = found.data;
  const health = useQuery(healthQuery(slug)).data?.get(id);
  // The history of a connector that was deleted stays.
  const isGone = found.error instanceof ApiProblem && found.error.status === 404;
  if (found.isError && !isGone) {
    return <ErrorNotice error={found.error} retry={() => void found.refetch()} />;
  }
  return (
    <div className={styles.page}>
      <div className={styles.head}>
        <h1>{connector?.name ?? (isGone ? "A deleted connector" : "Deliveries")}</h1>
        {!isGone && (
          <ButtonLink to="/spaces/$slug/connectors/$id" params={{ slug, id }}>
            {mayEdit ? "Edit" : "Show connector"}
          </ButtonLink>
        )}
      </div>
      {health && <Health health={health} />}
      <DeliveryFilters filters={filters} />
      {mayEdit && !isGone && health?.state !== "paused" && <ReplayForm slug={slug} id={id} name={connector?.name ?? "this connector"} />}
      <DeliveryList slug={slug} filters={{ ...filters, connector_id: [id] }} mayEdit={mayEdit} />
    </div>
  );
}

function Health({ health }: { health: ConnectorHealth }) {
  const isTroubled = health.state === "blocked" || health.state === "retrying";
  return (
    <div className={styles.line}>
      <HealthBadge state={health.state} />
      <span className={`${styles.subtle} ${styles.break}`}>
        {isTroubled && health.last_error !== null && `The channel said: ${health.last_error}. `}
        {healthAdvice(health)}
      </span>
    </div>
  );
}
