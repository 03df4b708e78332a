// Queues again what did not arrive at a connector within a span, once one has seen how many deliveries these are.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { replayDeliveries } from "../api/generated";
import { answer } from "../api/problem";
import { COUNTED_MAX, countQuery, type Span } from "../api/queries";
import { hoursAgo } from "../parts/ago";
import { Button } from "../parts/Button";
import { Confirm, Named } from "../parts/Confirm";
import { Select, TextField } from "../parts/Field";
import { ErrorNotice, Good } from "../parts/Notice";
import { count, SPANS } from "../words";
import styles from "./page.module.css";

const OPTIONS = [...SPANS, ["other", "another span"]] as const;

export function ReplayForm({ slug, id, name }: { slug: string; id: string; name: string }) {
  const queries = useQueryClient();
  const [choice, setChoice] = useState<(typeof OPTIONS)[number][0]>("24");
  const [typed, setTyped] = useState({ since: "", until: "" });
  const [fault, setFault] = useState<string>();
  // What is asked about and what is done are the same span; nothing while nobody asks.
  const [asked, setAsked] = useState<Span>();
  const counting = useMutation({
    mutationFn: (span: Span) => queries.fetchQuery({ ...countQuery(slug, id, span, ["failed", "expired", "cancelled"]), staleTime: 0 }),
    onSuccess: (number, span) => setAsked(number > 0 ? span : undefined),
  });
  const replay = useMutation({
    mutationFn: (span: Span) => answer(replayDeliveries({ path: { slug, id }, body: span })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["deliveries", slug] }),
  });
  const ask = () => {
    const span = choice === "other" ? spanOf(typed) : { since: hoursAgo(choice) };
    setFault(span ? undefined : "Enter when the span begins.");
    replay.reset();
    if (span) {
      counting.mutate(span);
    }
  };
  const words = choice === "other" ? "that span" : (SPANS.find(([value]) => value === choice)?.[1] ?? "");
  const typing = (change: Partial<typeof typed>) => {
    setTyped({ ...typed, ...change });
    setFault(undefined);
  };
  return (
    <div className={styles.panel}>
      <div className={styles.filters}>
        <Select label="Send again what did not arrive in" value={choice} options={OPTIONS} onChange={setChoice} />
        {choice === "other" && (
          <>
            <TextField label="From" type="datetime-local" value={typed.since} fault={fault} onChange={(event) => typing({ since: event.target.value })} />
            <TextField label="Until" type="datetime-local" hint="Now if left out." value={typed.until} onChange={(event) => typing({ until: event.target.value })} />
          </>
        )}
        <Button isBusy={counting.isPending || replay.isPending} onClick={ask}>
          Replay
        </Button>
      </div>
      {(counting.data === 0 || replay.data?.count === 0) && <Good>Nothing of that span failed, so there is nothing to send again.</Good>}
      {replay.data && replay.data.count > 0 && <Good>{count(replay.data.count, "delivery", "deliveries")} queued again.</Good>}
      {[counting, replay].map(({ error }, at) => error && <ErrorNotice key={at} error={error} />)}
      <Confirm
        title={<Named before={`Replay ${words} to`} name={name} />}
        action="Replay"
        look="primary"
        isOpen={asked !== undefined}
        onClose={() => setAsked(undefined)}
        onConfirm={() => asked !== undefined && replay.mutate(asked)}
      >
        {countWords(counting.data ?? 0)} of {words} did not arrive. Each that failed, expired or was cancelled is sent again, oldest first, at
        most 10,000 of them.
      </Confirm>
    </div>
  );
}

/** What is typed as local times, as the API takes it; nothing without a beginning. */
function spanOf({ since, until }: { since: string; until: string }): Span | undefined {
  const time = (typed: string) => (typed === "" ? undefined : new Date(typed).toISOString());
  const [begin, end] = [time(since), time(until)];
  return begin === undefined ? undefined : end === undefined ? { since: begin } : { since: begin, until: end };
}

const countWords = (number: number): string =>
  number > COUNTED_MAX ? `More than ${count(COUNTED_MAX, "delivery", "deliveries")}` : count(number, "delivery", "deliveries");
