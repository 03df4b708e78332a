// What an alert will look like in the channel of a connector: a sample, or one of the latest.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { Alert, ConnectorType } from "../api/generated";
import { alertsQuery, previewQuery } from "../api/queries";
import { Select } from "../parts/Field";
import { ErrorNotice } from "../parts/Notice";
import { Preview } from "../preview/Preview";
import { asPosted, sampleAlert } from "../sample";
import styles from "./page.module.css";

export function FormPreview({ slug, platform }: { slug: string; platform: ConnectorType }) {
  const [chosen, setChosen] = useState<Alert>();
  const latest = useInfiniteQuery(alertsQuery(slug, {})).data?.pages[0]?.items.slice(0, 10) ?? [];
  // The chosen one stays, however many come after it.
  const recent = chosen && !latest.some(({ id }) => id === chosen.id) ? [...latest, chosen] : latest;
  const preview = useQuery(previewQuery(slug, chosen ? asPosted(chosen) : sampleAlert));
  const options = [["sample", "A sample"] as const, ...recent.map((one) => [one.id, one.title] as const)];
  return (
    <div className={styles.form}>
      <Select
        label="Alert to preview"
        value={chosen?.id ?? "sample"}
        options={options}
        onChange={(id) => setChosen(recent.find((one) => one.id === id))}
      />
      {preview.isError ? (
        <ErrorNotice error={preview.error} retry={() => void preview.refetch()} />
      ) : (
        <Preview platform={platform} payload={preview.data?.messages[platform].payload} />
      )}
    </div>
  );
}
