// One's own account: who one is, and one's API keys.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";

import { changePassword, createApiKey, revokeApiKey, type ApiKey, type KeyScope } from "../api/generated";
import { answer, ApiProblem } from "../api/problem";
import { keysQuery, meQuery } from "../api/queries";
import { PlainBadge } from "../parts/Badge";
import { Button } from "../parts/Button";
import { Confirm, Named } from "../parts/Confirm";
import { Copied } from "../parts/Copied";
import { Select, TextField } from "../parts/Field";
import { Empty, ErrorNotice, Loading } from "../parts/Notice";
import { inDays } from "../parts/ago";
import { focusContent } from "../parts/focus";
import { Time } from "../parts/Time";
import styles from "./page.module.css";

export function AccountPage() {
  const me = useQuery(meQuery);
  const keys = useQuery(keysQuery);
  return (
    <div className={styles.page}>
      <h1>Account</h1>
      {me.data && (
        <p className={styles.subtle}>
          {me.data.user.full_name} · {me.data.user.email}
        </p>
      )}
      <h2>API keys</h2>
      {keys.isError && <ErrorNotice error={keys.error} retry={() => void keys.refetch()} />}
      {keys.isPending && <Loading />}
      {keys.data?.items.length === 0 && (
        <Empty title="No API key yet">
          <p>Programs that post alerts use a key. One that may only send is enough for them.</p>
        </Empty>
      )}
      <ul className={styles.rows}>
        {keys.data?.items.map((key) => <Row key={key.id} apiKey={key} />)}
      </ul>
      <NewKey />
      <ChangePassword />
    </div>
  );
}

function Row({ apiKey }: { apiKey: ApiKey }) {
  const queries = useQueryClient();
  const [isAsking, setAsking] = useState(false);
  const revoke = useMutation({
    mutationFn: () => answer(revokeApiKey({ path: { id: apiKey.id } })),
    onSuccess: focusContent,
    onSettled: () => queries.invalidateQueries({ queryKey: keysQuery.queryKey }),
  });
  return (
    <li className={styles.row}>
      <div className={styles.line}>
        <span className={`${styles.name} ${styles.grow}`}>{apiKey.name}</span>
        <PlainBadge>{apiKey.scope === "send" ? "only sends" : "everything"}</PlainBadge>
        {apiKey.space !== null && <PlainBadge>{`space ${apiKey.space}`}</PlainBadge>}
        <Button look="quiet" onClick={() => setAsking(true)}>
          Revoke
        </Button>
      </div>
      <p className={`${styles.subtle} ${styles.small}`}>
        Created <Time at={apiKey.created_at} /> ·{" "}
        {apiKey.last_used_at === null ? "never used" : <>last used <Time at={apiKey.last_used_at} /></>}
        {apiKey.expires_at !== null && (
          <>
            {" "}
            · ends <Time at={apiKey.expires_at} />
          </>
        )}
      </p>
      {revoke.isError && <ErrorNotice error={revoke.error} />}
      <Confirm
        title={<Named before="Revoke" name={apiKey.name} />}
        action="Revoke key"
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        onConfirm={() => revoke.mutate()}
      >
        Whatever uses it is refused from now on. This can’t be undone.
      </Confirm>
    </li>
  );
}

const SCOPES: readonly (readonly [KeyScope, string])[] = [
  ["send", "Only send alerts"],
  ["all", "Everything I may do"],
];

/** How many days a key lives, and the words for it. */
const LIVES = [
  ["", "Never"],
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["365", "In a year"],
] as const;

function NewKey() {
  const me = useQuery(meQuery);
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [scope, setScope] = useState<KeyScope>("send");
  const [space, setSpace] = useState("");
  const [days, setDays] = useState<(typeof LIVES)[number][0]>("");
  const create = useMutation({
    mutationFn: () => answer(createApiKey({ body: { name, scope, space: space === "" ? null : space, expires_at: days === "" ? null : inDays(days) } })),
    onSuccess: () => {
      setName("");
      return queries.invalidateQueries({ queryKey: keysQuery.queryKey });
    },
  });
  const fault = create.error instanceof ApiProblem ? create.error.of("name") : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  const mine = me.data?.spaces ?? [];
  // A viewer may not send, so neither may a viewer's key.
  const usable = scope === "send" ? mine.filter(({ role }) => role !== "viewer") : mine;
  const spaces = [["", "Every space of mine"] as const, ...usable.map(({ slug, name }) => [slug, name] as const)];
  const mayNotSend = scope === "send" && me.data !== undefined && usable.length === 0;
  return (
    <form className={styles.panel} onSubmit={submit} noValidate>
      <h2>New API key</h2>
      <div className={styles.filters}>
        <TextField label="Name" value={name} fault={fault} onChange={(event) => setName(event.target.value)} />
        <Select
          label="What it may do"
          value={scope}
          options={SCOPES}
          hint={mayNotSend && "You are an editor of no space, so a key of yours can’t send yet."}
          onChange={(scope) => {
            setScope(scope);
            setSpace("");
          }}
        />
        <Select label="Space" value={space} options={spaces} onChange={setSpace} />
        <Select label="Ends" value={days} options={LIVES} onChange={setDays} />
        <Button type="submit" look="primary" isBusy={create.isPending}>
          Create key
        </Button>
      </div>
      {create.data && <Shown secret={create.data.key} isHook={create.data.scope === "send" && create.data.space !== null} />}
      {create.isError && !fault && <ErrorNotice error={create.error} />}
    </form>
  );
}

/** The key itself, which is shown this once. */
function Shown({ secret, isHook }: { secret: string; isHook: boolean }) {
  return (
    <div className={styles.form}>
      <p>This is the key. It is shown only now: copy it to where it is used.</p>
      <Copied text={secret} what="key" />
      {isHook && (
        <>
          <p>A tool that can only be given a Slack or Teams webhook takes this URL in its place:</p>
          <Copied text={`${window.location.origin}/hooks/${secret}`} what="URL" />
        </>
      )}
    </div>
  );
}

const PASSWORD_FIELDS = ["current_password", "new_password"];

/** Another password in place of the one that is known. All sessions end with it, so one signs in again. */
function ChangePassword() {
  const [current, setCurrent] = useState("");
  const [fresh, setFresh] = useState("");
  const queries = useQueryClient();
  const navigate = useNavigate();
  const change = useMutation({
    mutationFn: () => answer(changePassword({ body: { current_password: current, new_password: fresh } })),
    onSuccess: async () => {
      queries.clear();
      await navigate({ to: "/sign-in", search: { to: "/account" } });
    },
  });
  const problem = change.error instanceof ApiProblem ? change.error : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <form className={styles.panel} onSubmit={submit} noValidate>
      <h2>Password</h2>
      <div className={styles.filters}>
        <TextField
          label="Current password"
          type="password"
          autoComplete="current-password"
          fault={problem?.of("current_password")}
          value={current}
          onChange={(event) => setCurrent(event.target.value)}
        />
        <TextField
          label="New password"
          type="password"
          autoComplete="new-password"
          hint="At least 8 characters."
          fault={problem?.of("new_password")}
          value={fresh}
          onChange={(event) => setFresh(event.target.value)}
        />
        <Button type="submit" isBusy={change.isPending}>
          Change password
        </Button>
      </div>
      <p className={`${styles.subtle} ${styles.small}`}>All your sessions end, and you sign in with the new one. API keys stay.</p>
      {change.isError && !problem?.isAllOf(PASSWORD_FIELDS) && <ErrorNotice error={change.error} />}
    </form>
  );
}
