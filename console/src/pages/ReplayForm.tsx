// Queues again what did not arrive at a connector within a span, once one has seen how many deliveries these are.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { replayDeliveries } from "../api/generated";
import { answer } from "../api/problem";
import { COUNTED_MAX, countQuery } from "../api/queries";
import { hoursAgo } from "../parts/ago";
import { Button } from "../parts/Button";
import { Confirm } from "../parts/Confirm";
import { Select } from "../parts/Field";
import { ErrorNotice, Good } from "../parts/Notice";
import { count, SPANS } from "../words";
import styles from "./page.module.css";

export function ReplayForm({ slug, id, name }: { slug: string; id: string; name: string }) {
  const queries = useQueryClient();
  const [hours, setHours] = useState<(typeof SPANS)[number][0]>("24");
  // What is asked about and what is done begin at the same time; nothing while nobody asks.
  const [since, setSince] = useState<string>();
  const replay = useMutation({
    mutationFn: (since: string) => answer(replayDeliveries({ path: { slug, id }, body: { since } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["deliveries", slug] }),
  });
  const span = SPANS.find(([value]) => value === hours)?.[1] ?? "";
  return (
    <div className={styles.panel}>
      <div className={styles.filters}>
        <Select label="Send again what did not arrive in" value={hours} options={SPANS} onChange={setHours} />
        <Button isBusy={replay.isPending} onClick={() => setSince(hoursAgo(hours))}>
          Replay
        </Button>
      </div>
      {replay.data && <Good>{count(replay.data.count, "delivery", "deliveries")} queued again.</Good>}
      {replay.isError && <ErrorNotice error={replay.error} />}
      <Confirm
        title={`Replay ${span} to “${name}”?`}
        action="Replay"
        isOpen={since !== undefined}
        onClose={() => setSince(undefined)}
        onConfirm={() => since !== undefined && replay.mutate(since)}
      >
        {since !== undefined && <Counted slug={slug} id={id} since={since} span={span} />} Each delivery that failed, expired or was cancelled
        is sent again, oldest first, at most 10,000 of them.
      </Confirm>
    </div>
  );
}

function Counted({ slug, id, since, span }: { slug: string; id: string; since: string; span: string }) {
  const undelivered = useQuery(countQuery(slug, id, since, ["failed", "expired", "cancelled"]));
  if (undelivered.isError) {
    return <>How many deliveries these are can’t be told.</>;
  }
  if (undelivered.data === undefined) {
    return <>Counting…</>;
  }
  const number = undelivered.data > COUNTED_MAX ? `More than ${count(COUNTED_MAX, "delivery", "deliveries")}` : count(undelivered.data, "delivery", "deliveries");
  return (
    <>
      {number} of {span} did not arrive.
    </>
  );
}
