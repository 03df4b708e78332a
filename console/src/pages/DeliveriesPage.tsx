// The history of one connector: what was sent, what failed, what it missed; retry and replay.
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { replayDeliveries, type DeliveryState } from "../api/generated";
import { answer } from "../api/problem";
import { connectorQuery, deliveriesQuery, healthQuery } from "../api/queries";
import { HealthBadge } from "../parts/Badge";
import { Button, ButtonLink } from "../parts/Button";
import { Confirm } from "../parts/Confirm";
import { DeliveryRow } from "../parts/DeliveryRow";
import { Check, Group, Select } from "../parts/Field";
import { Empty, ErrorNotice, Good, Loading } from "../parts/Notice";
import { count, healthAdvice, stateWord } from "../words";
import { useSpace } from "./Layout";
import styles from "./page.module.css";

export function DeliveriesPage() {
  const { slug, mayEdit } = useSpace();
  const { id = "" } = useParams({ strict: false });
  const { state } = useSearch({ from: "/signed-in/spaces/$slug/connectors/$id/deliveries" });
  const connector = useQuery(connectorQuery(slug, id));
  const health = useQuery(healthQuery(slug)).data?.get(id);
  const deliveries = useInfiniteQuery(deliveriesQuery(slug, id, state));
  const items = deliveries.data?.pages.flatMap((page) => page.items);
  return (
    <div className={styles.page}>
      <div className={styles.head}>
        <h1>{connector.data?.name ?? "Deliveries"}</h1>
        <ButtonLink to="/spaces/$slug/connectors/$id" params={{ slug, id }}>
          {mayEdit ? "Edit" : "Show connector"}
        </ButtonLink>
      </div>
      {health && (
        <div className={styles.line}>
          <HealthBadge state={health.state} />
          <span className={`${styles.subtle} ${styles.break}`}>
            {health.state === "blocked" || health.state === "retrying" ? (health.last_error ?? healthAdvice[health.state]) : healthAdvice[health.state]}
          </span>
        </div>
      )}
      <States chosen={state} />
      {mayEdit && <ReplayForm slug={slug} id={id} name={connector.data?.name ?? "this connector"} />}
      {deliveries.isError && <ErrorNotice error={deliveries.error} retry={() => void deliveries.refetch()} />}
      {deliveries.isPending && <Loading />}
      {items?.length === 0 && <Empty title={state ? "No delivery is in this state" : "Nothing was sent here yet"} />}
      <ul className={styles.rows}>
        {items?.map((delivery) => (
          <DeliveryRow
            key={delivery.id}
            slug={slug}
            delivery={delivery}
            mayEdit={mayEdit}
            title={
              <Link to="/spaces/$slug/alerts/$id" params={{ slug, id: delivery.alert_id }}>
                Show alert
              </Link>
            }
          />
        ))}
      </ul>
      {deliveries.hasNextPage && (
        <div className={styles.more}>
          <Button disabled={deliveries.isFetchingNextPage} onClick={() => void deliveries.fetchNextPage()}>
            Show older deliveries
          </Button>
        </div>
      )}
    </div>
  );
}

const STATES = Object.entries(stateWord) as [DeliveryState, string][];

function States({ chosen }: { chosen: DeliveryState[] | undefined }) {
  const navigate = useNavigate();
  const set = (state: DeliveryState, on: boolean) => {
    const rest = (chosen ?? []).filter((one) => one !== state);
    const now = on ? [...rest, state] : rest;
    void navigate({ to: ".", search: { state: now.length > 0 ? now : undefined }, replace: true });
  };
  return (
    <Group legend="States">
      {STATES.map(([state, word]) => (
        <Check key={state} label={word} checked={chosen?.includes(state) ?? false} onChange={(on) => set(state, on)} />
      ))}
    </Group>
  );
}

const SPANS = [
  ["1", "the last hour"],
  ["24", "the last day"],
  ["168", "the last seven days"],
] as const;

/** Queues again what did not arrive within a span. */
function ReplayForm({ slug, id, name }: { slug: string; id: string; name: string }) {
  const queries = useQueryClient();
  const [hours, setHours] = useState<(typeof SPANS)[number][0]>("24");
  const [isAsking, setAsking] = useState(false);
  const replay = useMutation({
    mutationFn: () => {
      const since = new Date(Date.now() - Number(hours) * 3_600_000).toISOString();
      return answer(replayDeliveries({ path: { slug, id }, body: { since } }));
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["deliveries", slug, id] }),
  });
  const span = SPANS.find(([value]) => value === hours)?.[1] ?? "";
  return (
    <div className={styles.panel}>
      <div className={styles.filters}>
        <Select label="Send again what did not arrive in" value={hours} options={SPANS} onChange={setHours} />
        <Button disabled={replay.isPending} onClick={() => setAsking(true)}>
          Replay
        </Button>
      </div>
      {replay.data && <Good>{count(replay.data.count, "delivery", "deliveries")} queued again.</Good>}
      {replay.isError && <ErrorNotice error={replay.error} />}
      <Confirm
        title={`Replay ${span} to “${name}”?`}
        action="Replay"
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        onConfirm={() => replay.mutate()}
      >
        Every delivery of {span} that failed, expired or was cancelled is sent again, oldest first, at most 10,000 of them.
      </Confirm>
    </div>
  );
}
