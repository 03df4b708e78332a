// A new connector, or one that is edited: its webhook, its filters, a preview and a test before it is saved.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";

import { createConnector, testConnector, testWebhook, updateConnector } from "../api/generated";
import type { Connector, ConnectorType } from "../api/generated";
import { answer, ApiProblem } from "../api/problem";
import { connectorQuery, COUNTED_MAX, countQuery, healthQuery, summaryQuery } from "../api/queries";
import { Button, ButtonLink } from "../parts/Button";
import { Checks, Select, TextField } from "../parts/Field";
import { ErrorNotice, Loading, Warn } from "../parts/Notice";
import { Switch } from "../parts/Switch";
import { hoursAgo } from "../parts/ago";
import { TestOutcome } from "../parts/TestOutcome";
import { useUnsaved } from "../parts/Unsaved";
import { useKept } from "../parts/useKept";
import { count, filterSentence, isEvery, matchedSentence, SEVERITY_OPTIONS } from "../words";
import { recognise } from "../webhook";
import { FormPreview } from "./FormPreview";
import { useSpace } from "./Layout";
import styles from "./page.module.css";
import { TypeFilter, withTyped } from "./TypeFilter";

const FIELDS = ["name", "connector_type", "webhook_url", "severity_filter", "alert_type_filter"];

export function ConnectorFormPage() {
  const { slug, mayEdit } = useSpace();
  const { id } = useParams({ strict: false });
  const connector = useQuery({ ...connectorQuery(slug, id ?? ""), enabled: id !== undefined });
  if (connector.isError) {
    const wayOn = (
      <Link to="/spaces/$slug/connectors" params={{ slug }}>
        Show the connectors of this space
      </Link>
    );
    return (
      <div className={styles.page}>
        <h1>Connector</h1>
        <ErrorNotice error={connector.error} retry={() => void connector.refetch()} wayOn={wayOn} />
      </div>
    );
  }
  if (id !== undefined && !connector.data) {
    return <Loading />;
  }
  if (id === undefined && !mayEdit) {
    return (
      <div className={styles.page}>
        <h1>New connector</h1>
        <Warn>Creating a connector needs the role editor in this space. Ask one of its admins.</Warn>
      </div>
    );
  }
  return <Form key={id} slug={slug} connector={connector.data} mayEdit={mayEdit} />;
}

type Draft = Pick<Connector, "name" | "connector_type" | "webhook_url" | "severity_filter" | "alert_type_filter" | "is_active">;

const NEW: Draft = {
  name: "",
  connector_type: "slack",
  webhook_url: "",
  severity_filter: ["critical", "high"],
  alert_type_filter: null,
  is_active: true,
};

function Form({ slug, connector, mayEdit }: { slug: string; connector: Connector | undefined; mayEdit: boolean }) {
  const form = `${slug}/connectors/${connector?.id ?? "new"}`;
  const [entered, setDraft] = useKept<Draft>(form, connector ?? NEW);
  const [typed, setTyped] = useKept(`${form}/type`, "");
  const draft = { ...entered, alert_type_filter: withTyped(entered.alert_type_filter, typed) };
  const [isSure, setSure] = useState(false);
  // What the form began with: it may be read again while somebody edits.
  const [stored] = useState(connector);
  const unsaved = useUnsaved(mayEdit && (typed !== "" || Object.keys(changed(stored ?? NEW, draft)).length > 0));
  const { save, test } = useCalls(slug, stored, draft, unsaved.letLeave);
  const set = (change: Partial<Draft>) => {
    setDraft((draft) => ({ ...draft, ...change }));
    setSure(false);
    // What was said of the previous values is no longer true.
    save.reset();
    test.reset();
  };
  const summary = useQuery(summaryQuery(slug));
  const problem = save.error instanceof ApiProblem ? save.error : undefined;
  const testProblem = test.error instanceof ApiProblem ? test.error : undefined;
  const fault = (field: string) => problem?.of(field) ?? testProblem?.of(field);
  // A viewer's URL is masked, so it doesn't show its kind.
  const seen = mayEdit ? recognise(draft.webhook_url) : undefined;
  const doubt = doubtOf(draft);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (doubt !== undefined && !isSure) {
      setSure(true);
    } else {
      save.mutate();
    }
  };
  return (
    <div className={styles.page}>
      <div className={styles.head}>
        <h1>{connector ? (mayEdit ? `Edit ${connector.name}` : connector.name) : "New connector"}</h1>
        {connector && (
          <ButtonLink to="/spaces/$slug/connectors/$id/deliveries" params={{ slug, id: connector.id }}>
            Deliveries
          </ButtonLink>
        )}
      </div>
      <div className={styles.columns}>
        <form className={`${styles.panel} ${styles.form}`} onSubmit={submit} noValidate>
          {!mayEdit && <Warn>You may look at this connector. Changing it needs the role editor in this space.</Warn>}
          <fieldset className={`${styles.fields} ${styles.form}`} disabled={!mayEdit}>
          <TextField
            label="Webhook URL"
            placeholder="https://hooks.slack.com/services/…"
            autoComplete="off"
            spellCheck={false}
            value={draft.webhook_url}
            fault={fault("webhook_url")}
            hint={
              seen ? (
                <>
                  {seen.kind}
                  {seen.advice && <>. {seen.advice}</>}
                </>
              ) : (
                mayEdit && "Paste the URL of an incoming webhook of a Slack app, or of a Teams workflow."
              )
            }
            onChange={(event) => {
              const webhook_url = event.target.value.trim();
              const platform = recognise(webhook_url)?.platform;
              set(platform ? { webhook_url, connector_type: platform } : { webhook_url });
            }}
          />
          <Select<ConnectorType>
            label="Platform"
            value={draft.connector_type}
            options={[
              ["slack", "Slack"],
              ["teams", "Microsoft Teams"],
            ]}
            onChange={(connector_type) => set({ connector_type })}
          />
          <TextField
            label="Name"
            placeholder="#data-quality-alerts"
            value={draft.name}
            fault={fault("name")}
            onChange={(event) => set({ name: event.target.value })}
          />
          <Checks
            legend="Severities"
            hint={draft.severity_filter.length === 0 ? "None is chosen, which means every severity." : undefined}
            options={SEVERITY_OPTIONS}
            chosen={draft.severity_filter}
            onChange={(severity_filter) => set({ severity_filter: severity_filter ?? [] })}
          />
          <TypeFilter known={[...new Set(summary.data?.items.map(({ alert_type }) => alert_type))]} types={entered.alert_type_filter} typed={typed} onType={setTyped} fault={fault("alert_type_filter")} onChange={(alert_type_filter) => set({ alert_type_filter })} />
          </fieldset>
          <p role="status" className={styles.break}>
            {filterSentence(draft)} {summary.data && matchedSentence(draft, summary.data)}
            {connector && <WereSent slug={slug} id={connector.id} />}
          </p>
          {connector && (
            <div className={styles.line}>
              <Switch name="Active" checked={draft.is_active} disabled={!mayEdit} onChange={(is_active) => set({ is_active })} />
              <span>{draft.is_active ? "Active" : "Paused: nothing is sent"}</span>
              {stored?.is_active && !draft.is_active && <Cancels slug={slug} id={connector.id} />}
            </div>
          )}
          {doubt !== undefined && isSure && (
            <div role="alert">
              <Warn>
                <p>{doubt} Save again if that is what you want.</p>
              </Warn>
            </div>
          )}
          {problem && !problem.isAllOf(FIELDS) && <ErrorNotice error={problem} />}
          {testProblem && !testProblem.isAllOf(FIELDS) && <ErrorNotice error={testProblem} />}
          {test.data && <TestOutcome result={test.data} onDismiss={test.reset} />}
          {mayEdit && (
            <div className={styles.actions}>
              <Button type="submit" look="primary" isBusy={save.isPending}>
                Save
              </Button>
              <Button isBusy={test.isPending} disabled={draft.webhook_url === ""} onClick={() => test.mutate()}>
                {test.isPending ? "Testing…" : "Test"}
              </Button>
              <ButtonLink look="quiet" to="/spaces/$slug/connectors" params={{ slug }}>
                Cancel
              </ButtonLink>
            </div>
          )}
        </form>
        <FormPreview slug={slug} platform={draft.connector_type} />
      </div>
      {unsaved.question}
    </div>
  );
}

/** What is lost where a connector is switched off. */
function Cancels({ slug, id }: { slug: string; id: string }) {
  const pending = useQuery(healthQuery(slug)).data?.get(id)?.queue_depth ?? 0;
  if (pending === 0) {
    return null;
  }
  return (
    <span role="status">
      Saving cancels {count(pending, "pending message")}. Once it is on again, a replay sends {pending === 1 ? "it" : "them"}.
    </span>
  );
}

/** The alerts that the filters let through as they were, beside those that the chosen ones would have let through. */
function WereSent({ slug, id }: { slug: string; id: string }) {
  const [since] = useState(() => hoursAgo(7 * 24));
  const sent = useQuery(countQuery(slug, id, { since }, ["delivered", "accepted"], ["opening"])).data;
  if (sent === undefined) {
    return null;
  }
  const number = sent > COUNTED_MAX ? `more than ${count(COUNTED_MAX, "alert")}` : count(sent, "alert");
  return ` In that time it was notified of ${number}.`;
}

/** Why somebody may not want these filters. */
function doubtOf({ alert_type_filter, severity_filter }: Draft): string | undefined {
  if (alert_type_filter?.length === 0) {
    return "This connector receives nothing: no alert type is chosen.";
  }
  const isUnfiltered = alert_type_filter === null && isEvery(severity_filter);
  return isUnfiltered ? "This connector has no filter, so every alert of the space will be posted." : undefined;
}

/** The fields that differ from what is stored. The others stay as they are, even if somebody changed them meanwhile. */
function changed(connector: Draft, draft: Draft): Partial<Draft> {
  const names = Object.keys(NEW) as (keyof Draft)[];
  const differs = (name: keyof Draft) => JSON.stringify(connector[name]) !== JSON.stringify(draft[name]);
  return Object.fromEntries(names.filter(differs).map((name) => [name, draft[name]]));
}

/** Saving and testing. A stored connector whose webhook was not touched is tested as it is stored. */
function useCalls(slug: string, stored: Connector | undefined, draft: Draft, letLeave: () => void) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const hasOwnWebhook = stored?.webhook_url === draft.webhook_url && stored.connector_type === draft.connector_type;
  const save = useMutation({
    mutationFn: () => {
      if (!stored) {
        const { is_active: _always, ...body } = draft;
        return answer(createConnector({ path: { slug }, body }));
      }
      return answer(updateConnector({ path: { slug, id: stored.id }, body: changed(stored, draft) }));
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["connectors", slug] });
      letLeave();
      await navigate({ to: "/spaces/$slug/connectors", params: { slug } });
    },
  });
  const test = useMutation({
    mutationFn: () => {
      const { connector_type, webhook_url } = draft;
      return stored && hasOwnWebhook
        ? answer(testConnector({ path: { slug, id: stored.id } }))
        : answer(testWebhook({ path: { slug }, body: { connector_type, webhook_url } }));
    },
  });
  return { save, test };
}
