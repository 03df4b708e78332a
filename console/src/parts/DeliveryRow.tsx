// A delivery with its attempts on a time line, and the way to retry it.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";

import { retryDelivery, type Attempt, type ConnectorHealth, type Delivery } from "../api/generated";
import { answer } from "../api/problem";
import { deliveryQuery } from "../api/queries";
import styles from "../pages/page.module.css";
import { count, kindWord, outcomeWord } from "../words";
import { StateBadge } from "./Badge";
import { Button } from "./Button";
import { ErrorNotice } from "./Notice";
import { Time } from "./Time";

const RETRIED = ["failed", "expired", "cancelled"];

const reasons: Record<string, string> = {
  connector_inactive: "the connector was switched off",
  connector_deleted: "the connector was deleted",
  message_refused: "the channel refused the message, also as plain text; the others are not held up, and Retry sends it again",
  time_up: "it could not be delivered in time",
  opening_not_delivered: "the message it follows was not delivered",
};

/** `health` is that of the connector, which says why something is still pending. It is null once the connector was deleted. */
type Props = {
  slug: string;
  delivery: Delivery;
  mayEdit: boolean;
  health?: ConnectorHealth | null | undefined;
  title: ReactNode;
  children?: ReactNode;
};

export function DeliveryRow({ slug, delivery, mayEdit, health, title, children }: Props) {
  const queries = useQueryClient();
  const retry = useMutation({
    mutationFn: () => answer(retryDelivery({ path: { slug, id: delivery.id } })),
    onSettled: () => queries.invalidateQueries({ predicate: ({ queryKey }) => ["alert", "deliveries"].includes(String(queryKey[0])) }),
  });
  const isReceiving = health !== null && health?.state !== "paused";
  const isRetried = mayEdit && RETRIED.includes(delivery.state);
  return (
    <li className={styles.row}>
      <div className={styles.line}>
        <div className={`${styles.name} ${styles.grow}`}>{title}</div>
        <span className={`${styles.subtle} ${styles.small}`}>{kindWord[delivery.kind]}</span>
        <StateBadge state={delivery.state} />
        {isRetried && isReceiving && (
          <Button isBusy={retry.isPending} onClick={() => retry.mutate()}>
            Retry
          </Button>
        )}
      </div>
      <p className={`${styles.subtle} ${styles.small}`}>
        Queued <Time at={delivery.created_at} />
        {delivery.ended_at !== null && (
          <>
            {" "}
            · ended <Time at={delivery.ended_at} />
          </>
        )}
        {delivery.next_attempt_at !== null && (
          <>
            {" "}
            · next attempt {Date.parse(delivery.next_attempt_at) > Date.now() ? <Time at={delivery.next_attempt_at} /> : "at once"}
          </>
        )}
        {delivery.state === "pending" && health?.state === "blocked" && " · held until its webhook is repaired"}
        {delivery.reason !== null && ` · ${reasons[delivery.reason] ?? delivery.reason}`}
        {isRetried && health?.state === "paused" && " · may be retried once its connector is switched on"}
        {isRetried && health === null && delivery.reason !== "connector_deleted" && " · its connector was deleted meanwhile"}
      </p>
      {delivery.state === "pending" && health?.last_error && ["blocked", "retrying"].includes(health.state) && (
        <p className={`${styles.small} ${styles.break}`}>The channel said last: {health.last_error}</p>
      )}
      {delivery.attempts ? <Attempts attempts={delivery.attempts} /> : <AskedAttempts slug={slug} id={delivery.id} />}
      {retry.isError && <ErrorNotice error={retry.error} />}
      {children}
    </li>
  );
}

function Attempts({ attempts }: { attempts: Attempt[] }) {
  return (
    attempts.length > 0 && (
      <ol className={styles.timeline} aria-label="Attempts">
        {attempts.map((attempt) => (
          <AttemptLine key={attempt.id} attempt={attempt} />
        ))}
      </ol>
    )
  );
}

/** A list leaves the attempts out: they are read when they are asked for. */
function AskedAttempts({ slug, id }: { slug: string; id: string }) {
  const [isOpen, setOpen] = useState(false);
  const delivery = useQuery({ ...deliveryQuery(slug, id), enabled: isOpen });
  return (
    <details className={styles.small} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Show attempts</summary>
      {delivery.isError && <ErrorNotice error={delivery.error} />}
      {delivery.data?.attempts?.length === 0 && <p className={styles.subtle}>Nothing was sent yet.</p>}
      {delivery.data?.attempts && <Attempts attempts={delivery.data.attempts} />}
    </details>
  );
}

function AttemptLine({ attempt }: { attempt: Attempt }) {
  return (
    <li className={styles.small}>
      {outcomeWord[attempt.outcome]} <Time at={attempt.started_at} /> ({attempt.duration_ms.toLocaleString("en")} ms
      {attempt.status_code !== null && `, status ${attempt.status_code}`}
      {attempt.digest_size > 1 && `, in a digest of ${count(attempt.digest_size, "message")}`})
      {attempt.error !== null && <div className={styles.break}>{attempt.error}</div>}
    </li>
  );
}
