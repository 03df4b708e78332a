// Queues again what did not arrive at a connector within a span, once one has seen how many deliveries these are.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { replayDeliveries } from "../api/generated";
import { answer } from "../api/problem";
import { COUNTED_MAX, countQuery, type Span } from "../api/queries";
import { hoursAgo } from "../parts/ago";
import { Button } from "../parts/Button";
import { Confirm } from "../parts/Confirm";
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
  const replay = useMutation({
    mutationFn: (span: Span) => answer(replayDeliveries({ path: { slug, id }, body: span })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["deliveries", slug] }),
  });
  const ask = () => {
    const span = choice === "other" ? spanOf(typed) : { since: hoursAgo(choice) };
    setFault(span ? undefined : "Enter when the span begins.");
    setAsked(span);
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
        <Button isBusy={replay.isPending} onClick={ask}>
          Replay
        </Button>
      </div>
      {replay.data && (
        <Good>
          {replay.data.count === 0 ? "Nothing of that span failed, so nothing is sent again." : `${count(replay.data.count, "delivery", "deliveries")} queued again.`}
        </Good>
      )}
      {replay.isError && <ErrorNotice error={replay.error} />}
      <Confirm
        title={`Replay ${words} to “${name}”?`}
        action="Replay"
        isOpen={asked !== undefined}
        onClose={() => setAsked(undefined)}
        onConfirm={() => asked !== undefined && replay.mutate(asked)}
      >
        {asked !== undefined && <Counted slug={slug} id={id} span={asked} words={words} />} Each delivery that failed, expired or was cancelled is
        sent again, oldest first, at most 10,000 of them.
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

function Counted({ slug, id, span, words }: { slug: string; id: string; span: Span; words: string }) {
  const undelivered = useQuery(countQuery(slug, id, span, ["failed", "expired", "cancelled"]));
  if (undelivered.isError) {
    return <>How many deliveries these are can’t be told.</>;
  }
  if (undelivered.data === undefined) {
    return <>Counting…</>;
  }
  const number = undelivered.data > COUNTED_MAX ? `More than ${count(COUNTED_MAX, "delivery", "deliveries")}` : count(undelivered.data, "delivery", "deliveries");
  return (
    <>
      {number} of {words} did not arrive.
    </>
  );
}
