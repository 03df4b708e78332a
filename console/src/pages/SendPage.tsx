// Sends an alert by hand, with both platforms' messages and who would hear of it while one writes.
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useDeferredValue, useMemo, useState, type FormEvent } from "react";

import { postAlert, type NewAlert, type Preview as PreviewData, type Severity } from "../api/generated";
import { answer, ApiProblem } from "../api/problem";
import { previewQuery } from "../api/queries";
import { PlainBadge } from "../parts/Badge";
import { Button } from "../parts/Button";
import { Select, TextArea, TextField } from "../parts/Field";
import { ErrorNotice, Warn } from "../parts/Notice";
import { useDebounced } from "../parts/useDebounced";
import { useUnsaved } from "../parts/Unsaved";
import { useKept } from "../parts/useKept";
import { platformName, Preview } from "../preview/Preview";
import { trimWords, warningWords } from "../plain";
import { count, ruleSentence, SEVERITY_OPTIONS } from "../words";
import { useSpace } from "./Layout";
import styles from "./page.module.css";

const FIELDS = ["title", "severity", "alert_type", "description", "fields"];

type Draft = { title: string; severity: Severity; alert_type: string; description: string; fields: string };

/** What is typed, as an alert. Each line of fields is a name, a colon and a value. */
function alertOf(draft: Draft): NewAlert {
  const fields = draft.fields
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [name = "", ...value] = line.split(":");
      return { name: name.trim(), value: value.join(":").trim() };
    });
  return {
    title: draft.title,
    severity: draft.severity,
    alert_type: draft.alert_type,
    description: draft.description === "" ? null : draft.description,
    description_format: "markdown",
    fields,
  };
}

const NEW: Draft = { title: "", severity: "high", alert_type: "manual", description: "", fields: "" };

export function SendPage() {
  const { slug, mayEdit } = useSpace();
  const navigate = useNavigate();
  const [draft, setDraft] = useKept<Draft>(`${slug}/send`, NEW);
  const [isUntitled, setUntitled] = useState(false);
  const { question, letLeave } = useUnsaved(mayEdit && [draft.title, draft.description, draft.fields].some((text) => text.trim() !== ""));
  const shown = useDeferredValue(useDebounced(draft, 250));
  const preview = useQuery({ ...previewQuery(slug, alertOf(shown)), enabled: shown.title.trim() !== "" });
  // One for each draft: what is sent again, since its answer was lost or somebody clicked twice, is stored once.
  const key = useMemo(() => JSON.stringify(draft) && crypto.randomUUID(), [draft]);
  const send = useMutation({
    mutationFn: () =>
      answer(postAlert({ path: { slug }, body: alertOf(draft), headers: { "Idempotency-Key": key } })),
    onSuccess: ({ id }) => {
      letLeave();
      return navigate({ to: "/spaces/$slug/alerts/$id", params: { slug, id } });
    },
  });
  const problem = [send.error, preview.error].find((error) => error instanceof ApiProblem);
  const fault = (field: string) => problem?.of(field);
  const set = (change: Partial<Draft>) => {
    setDraft((draft) => ({ ...draft, ...change }));
    setUntitled(false);
    send.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (draft.title.trim() === "") {
      setUntitled(true);
    } else {
      send.mutate();
    }
  };
  return (
    <div className={styles.page}>
      <h1>Send</h1>
      {!mayEdit && <Warn>You may look at this page. Sending needs the role editor in this space.</Warn>}
      <form className={`${styles.panel} ${styles.form}`} onSubmit={submit} noValidate>
        <div className={styles.columns}>
          <TextField label="Title" value={draft.title} fault={isUntitled ? "Enter a title: it is the first line of the message." : fault("title")} onChange={(event) => set({ title: event.target.value })} />
          <div className={styles.columns}>
            <Select
              label="Severity"
              value={draft.severity}
              options={SEVERITY_OPTIONS}
              onChange={(severity) => set({ severity })}
            />
            <TextField
              label="Alert type"
              value={draft.alert_type}
              fault={fault("alert_type")}
              onChange={(event) => set({ alert_type: event.target.value })}
            />
          </div>
        </div>
        <div className={styles.columns}>
          <TextArea
            label="Description"
            hint="Markdown: lists, tables, code, links."
            value={draft.description}
            fault={fault("description")}
            onChange={(event) => set({ description: event.target.value })}
          />
          <TextArea
            label="Fields"
            hint="One in a line, such as: Failing rows: 37"
            value={draft.fields}
            fault={fault("fields")}
            onChange={(event) => set({ fields: event.target.value })}
          />
        </div>
        {problem && !problem.isAllOf(FIELDS) && <ErrorNotice error={problem} />}
        {mayEdit && (
          <div className={styles.actions}>
            <Button type="submit" look="primary" isBusy={send.isPending}>
              Send alert
            </Button>
          </div>
        )}
      </form>
      {preview.data && <Receivers preview={preview.data} />}
      {shown.title.trim() === "" && <p className={styles.subtle}>Both messages appear here once there is a title, and who would hear of them.</p>}
      <div className={styles.columns}>
        <Preview platform="slack" payload={preview.data?.messages.slack.payload} />
        <Preview platform="teams" payload={preview.data?.messages.teams.payload} />
      </div>
      {question}
    </div>
  );
}

/** A list of names is cut here. */
const NAMED_MAX = 30;

/** Who would hear of it, and what would be shortened. */
function Receivers({ preview }: { preview: PreviewData }) {
  const matched = preview.connectors.filter((connector) => connector.matched);
  const others = preview.connectors.filter((connector) => !connector.matched);
  return (
    <section className={styles.form} aria-label="Connectors">
      <h2>{matched.length === 0 ? "No connector would hear of it" : "Who would hear of it"}</h2>
      <ul className={styles.chips}>
        {matched.slice(0, NAMED_MAX).map(({ connector_id, connector_name }) => (
          <li key={connector_id} className={styles.break}>
            <PlainBadge tone="good">{connector_name}</PlainBadge>
          </li>
        ))}
        {matched.length > NAMED_MAX && <li>and {matched.length - NAMED_MAX} more</li>}
      </ul>
      {others.length > 0 && (
        <details>
          <summary>{count(others.length, "connector")} would not</summary>
          <ul className={styles.small}>
            {others.map(({ connector_id, connector_name, rule }) => (
              <li key={connector_id} className={styles.break}>
                {connector_name}: {ruleSentence[rule]}
              </li>
            ))}
          </ul>
        </details>
      )}
      {preview.warnings.map((warning) => (
        <p key={`${warning.loc.join(".")} ${warning.msg}`} className={styles.small}>
          {warningWords(warning)}
        </p>
      ))}
      {(["slack", "teams"] as const).flatMap((platform) =>
        preview.messages[platform].trimmed.map((trim) => (
          <p key={`${platform} ${trim.field}`} className={styles.small}>
            {platformName[platform]} {trimWords(trim)}.
          </p>
        )),
      )}
    </section>
  );
}
