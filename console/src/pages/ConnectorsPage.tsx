// The connectors of a space and how they fare.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { memo, useDeferredValue, useMemo, useState } from "react";

import { deleteConnector, testConnector, updateConnector, type Connector, type ConnectorHealth, type HealthState } from "../api/generated";
import { answer } from "../api/problem";
import { connectorsQuery, healthQuery } from "../api/queries";
import { HealthBadge } from "../parts/Badge";
import { Button, ButtonLink } from "../parts/Button";
import { Confirm, Named } from "../parts/Confirm";
import { Select, TextField } from "../parts/Field";
import { Empty, ErrorNotice, Loading } from "../parts/Notice";
import { Switch } from "../parts/Switch";
import { TestOutcome } from "../parts/TestOutcome";
import { focusContent } from "../parts/focus";
import { Lasting, Time } from "../parts/Time";
import { platformName } from "../preview/Preview";
import { count, filterWords, healthAdvice, healthWord } from "../words";
import { useSpace } from "./Layout";
import { SpaceUsage } from "./SpaceUsage";
import styles from "./page.module.css";

/** With more connectors than this, one may look for some of them. */
const MANY = 10;

/** Which connectors are shown. It stands in the address, so that the way back leads to the same ones. */
export type ConnectorFilters = { name?: string | undefined; state?: string | undefined };

const STATES = [["", "any state"], ...Object.entries(healthWord)] as [HealthState | "", string][];

export function ConnectorsPage() {
  const { slug, mayEdit } = useSpace();
  const connectors = useQuery(connectorsQuery(slug));
  const health = useQuery(healthQuery(slug));
  const { name: text = "", state: asked } = useSearch({ from: "/signed-in/spaces/$slug/connectors" });
  const state = STATES.find(([one]) => one === asked)?.[0] ?? "";
  const navigate = useNavigate();
  const set = (change: ConnectorFilters) =>
    void navigate({ to: ".", search: (before: object) => ({ ...before, ...change }), replace: true });
  // Hundreds of rows are drawn after the letter that was typed.
  const wanted = useDeferredValue(text.trim().toLowerCase());
  const shown = useMemo(() => {
    const isShown = ({ id, name }: Connector) =>
      name.toLowerCase().includes(wanted) && (state === "" || health.data?.get(id)?.state === state);
    return connectors.data?.filter(isShown);
  }, [connectors.data, health.data, wanted, state]);
  return (
    <div className={styles.page}>
      <div className={styles.head}>
        <h1>Connectors</h1>
        {mayEdit && (
          <ButtonLink look="primary" to="/spaces/$slug/connectors/new" params={{ slug }}>
            New connector
          </ButtonLink>
        )}
      </div>
      <SpaceUsage slug={slug} />
      {connectors.isError && <ErrorNotice error={connectors.error} retry={() => void connectors.refetch()} />}
      {connectors.isPending && <Loading />}
      {connectors.data?.length === 0 && (
        <Empty title="No connector yet">
          <p>A connector sends the alerts of this space to a channel of Slack or Teams.</p>
          {mayEdit ? (
            <p>Create one with the URL of an incoming webhook.</p>
          ) : (
            <p>Ask an editor or admin of this space to create one.</p>
          )}
        </Empty>
      )}
      {(connectors.data?.length ?? 0) > MANY && (
        <div className={styles.filters}>
          <TextField label="Find by name" value={text} onChange={(event) => set({ name: event.target.value })} />
          <Select label="State" value={state} options={STATES} onChange={(state) => set({ state })} />
          <p className={styles.subtle} role="status">
            {shown?.length} of {count(connectors.data?.length ?? 0, "connector")}
          </p>
        </div>
      )}
      {shown?.length === 0 && (connectors.data?.length ?? 0) > 0 && (
        <Empty title="No connector matches">
          <Button onClick={() => set({ name: undefined, state: undefined })}>Show all connectors</Button>
        </Empty>
      )}
      <Rows slug={slug} connectors={shown} health={health.data} mayEdit={mayEdit} />
    </div>
  );
}

type RowsProps = { slug: string; connectors: Connector[] | undefined; health: Map<string, ConnectorHealth> | undefined; mayEdit: boolean };

const Rows = memo(function Rows({ slug, connectors, health, mayEdit }: RowsProps) {
  return (
    <ul className={styles.rows}>
      {connectors?.map((connector) => (
        <Row key={connector.id} slug={slug} connector={connector} health={health?.get(connector.id)} mayEdit={mayEdit} />
      ))}
    </ul>
  );
});

type RowProps = { slug: string; connector: Connector; health: ConnectorHealth | undefined; mayEdit: boolean };

function Row({ slug, connector, health, mayEdit }: RowProps) {
  const { id } = connector;
  const queries = useQueryClient();
  const again = () => queries.invalidateQueries({ predicate: ({ queryKey }) => ["connectors", "health"].includes(String(queryKey[0])) });
  const change = useMutation({
    mutationFn: (is_active: boolean) => answer(updateConnector({ path: { slug, id }, body: { is_active } })),
    onSettled: again,
  });
  const test = useMutation({ mutationFn: () => answer(testConnector({ path: { slug, id } })), onSettled: again });
  const remove = useMutation({
    mutationFn: () => answer(deleteConnector({ path: { slug, id } })),
    onSuccess: focusContent,
    onSettled: again,
  });
  const [asked, setAsked] = useState<"delete" | "pause">();
  const pending = health?.queue_depth ?? 0;
  // Switching a connector off cancels its pending messages, so the user is asked where there are any.
  const switchTo = (on: boolean) => (!on && pending > 0 ? setAsked("pause") : change.mutate(on));
  const isActive = change.isPending ? change.variables : connector.is_active;
  return (
    <li className={styles.row} aria-label={connector.name}>
      <div className={styles.line}>
        <div className={styles.grow}>
          <Link className={styles.name} to="/spaces/$slug/connectors/$id/deliveries" params={{ slug, id }}>
            {connector.name}
          </Link>
          <div className={`${styles.subtle} ${styles.small}`}>
            {platformName[connector.connector_type]} · {filterWords(connector)}
          </div>
        </div>
        {health && <HealthBadge state={health.state} />}
        <Switch name="Active" checked={isActive} disabled={!mayEdit} onChange={switchTo} />
        {mayEdit && (
          <div className={styles.actions}>
            <Button isBusy={test.isPending} onClick={() => test.mutate()}>
              {test.isPending ? "Testing…" : "Test"}
            </Button>
            <ButtonLink to="/spaces/$slug/connectors/$id" params={{ slug, id }}>
              Edit
            </ButtonLink>
            <Button look="quiet" onClick={() => setAsked("delete")}>
              Delete
            </Button>
          </div>
        )}
      </div>
      {health && <HealthLine health={health} />}
      {test.data && <TestOutcome result={test.data} onDismiss={test.reset} />}
      {[change, test, remove].map(({ error }, at) => error && <ErrorNotice key={at} error={error} />)}
      <Confirm
        title={<Named before="Delete" name={connector.name} />}
        action="Delete connector"
        isOpen={asked === "delete"}
        onClose={() => setAsked(undefined)}
        onConfirm={() => remove.mutate()}
      >
        {pending > 0 && `${count(pending, "pending message")} ${pending === 1 ? "is" : "are"} cancelled. `}Its history stays. This can’t be undone.
      </Confirm>
      <Confirm
        title={<Named before="Switch off" name={connector.name} />}
        action="Switch off"
        isOpen={asked === "pause"}
        onClose={() => setAsked(undefined)}
        onConfirm={() => change.mutate(false)}
      >
        {count(pending, "pending message")} {pending === 1 ? "is" : "are"} cancelled. Once it is on again, a replay sends {pending === 1 ? "it" : "them"}.
      </Confirm>
    </li>
  );
}

function HealthLine({ health }: { health: ConnectorHealth }) {
  const isTroubled = health.state === "retrying" || health.state === "blocked";
  return (
    <div className={`${styles.small} ${styles.lines}`}>
      <p className={styles.subtle}>
        {healthWord[health.state]} for <Lasting since={health.since} />
        {health.queue_depth > 0 && ` · ${count(health.queue_depth, "message")} pending`}
        {health.last_success_at && (
          <>
            {" "}
            · last delivered <Time at={health.last_success_at} />
          </>
        )}
        {health.next_attempt_at && (
          <>
            {" "}
            · next attempt <Time at={health.next_attempt_at} />
          </>
        )}
      </p>
      {isTroubled && health.last_error && <p className={styles.quote}>The channel said: {health.last_error}</p>}
      {health.state !== "healthy" && <p className={styles.subtle}>{healthAdvice(health)}</p>}
    </div>
  );
}
