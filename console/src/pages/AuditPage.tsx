// What was done in a space, and by whom: for its admins.
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";

import type { AuditAction, AuditActor, AuditChange, AuditEntry } from "../api/generated";
import { isRefused } from "../api/problem";
import { auditQuery, type AuditFilters } from "../api/queries";
import { Button } from "../parts/Button";
import { Select, TextField } from "../parts/Field";
import { Empty, ErrorNotice, Loading } from "../parts/Notice";
import { Time } from "../parts/Time";
import { auditWord, list } from "../words";
import { useSpace } from "./Layout";
import styles from "./page.module.css";

/** What can be done in a space. The rest is about the service, and only operators see it. */
const ACTIONS: readonly AuditAction[] = [
  "connector_created",
  "connector_updated",
  "connector_deleted",
  "delivery_retried",
  "deliveries_replayed",
  "alert_resolved",
  "alerts_erased",
  "user_created",
  "member_set",
  "member_removed",
  "api_key_created",
  "api_key_revoked",
  "mapping_set",
  "secret_set",
  "space_created",
  "space_renamed",
];

export function AuditPage() {
  const { slug, space, isAdmin } = useSpace();
  const filters = useSearch({ from: "/signed-in/spaces/$slug/audit" });
  const trail = useInfiniteQuery({ ...auditQuery(slug, filters), enabled: isAdmin });
  const navigate = useNavigate();
  const set = (change: Partial<AuditFilters>) =>
    void navigate({ to: ".", search: (before: object) => ({ ...before, ...change }), replace: true });
  const items = trail.data?.pages.flatMap((page) => page.items);
  const isFiltered = filters.action !== undefined || filters.actor !== undefined;
  if (space !== undefined && !isAdmin) {
    return (
      <div className={styles.page}>
        <h1>Audit trail</h1>
        <Empty title="Only admins read the audit trail">
          <p>Ask an admin of this space for the role, or for what you want to know.</p>
        </Empty>
      </div>
    );
  }
  return (
    <div className={styles.page}>
      <h1>Audit trail</h1>
      <div className={styles.filters}>
        <Select
          label="What"
          value={filters.action?.[0] ?? ""}
          options={[["", "everything"], ...ACTIONS.map((action) => [action, auditWord[action]] as const)]}
          onChange={(action) => set({ action: action === "" ? undefined : [action] })}
        />
        <TextField
          label="Who"
          placeholder="alice@example.com"
          defaultValue={filters.actor ?? ""}
          hint="A whole e-mail address."
          onChange={(event) => {
            const actor = event.target.value.trim();
            // While it is typed it is no address yet, and the API would refuse it.
            if (actor === "" || /^[^@\s]+@[^@\s]+$/.test(actor)) {
              set({ actor: actor === "" ? undefined : actor });
            }
          }}
        />
      </div>
      {trail.isError && (
        <ErrorNotice
          error={trail.error}
          retry={() => void trail.refetch()}
          wayOn={
            isRefused(trail.error) && (
              <Link to="." search={{}}>
                Show everything
              </Link>
            )
          }
        />
      )}
      {trail.isPending && <Loading />}
      {items?.length === 0 && <Empty title={isFiltered ? "Nothing matches these filters" : "Nothing was changed yet"} />}
      <ul className={styles.rows}>
        {items?.map((entry) => <Row key={entry.id} entry={entry} />)}
      </ul>
      {trail.hasNextPage && (
        <div className={styles.more}>
          <Button isBusy={trail.isFetchingNextPage} onClick={() => void trail.fetchNextPage()}>
            Show older entries
          </Button>
        </div>
      )}
    </div>
  );
}

function Row({ entry }: { entry: AuditEntry }) {
  const { action, actor, at, changes, subject } = entry;
  return (
    <li className={styles.row}>
      <div className={styles.line}>
        <span className={`${styles.grow} ${styles.break}`}>
          {auditWord[action]}: <span className={styles.name}>{subject.name}</span>
        </span>
        <span className={`${styles.subtle} ${styles.small}`}>
          <Time at={at} />
        </span>
      </div>
      <p className={`${styles.subtle} ${styles.small} ${styles.break}`}>{byWhom(actor)}</p>
      {changes.length > 0 && (
        <ul className={styles.small}>
          {changes.map((change) => (
            <li key={change.field} className={styles.break}>
              {changeWords(change, action)}
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

/** Who did it, how they had come in, and from where. */
function byWhom({ email, auth_method, name, ip_address }: AuditActor): string {
  const how = {
    session: "",
    api_key: ` with the API key ${name ?? ""}`,
    password: " by password",
    single_sign_on: " by single sign-on",
    invitation: " by an invitation",
    command_line: ` at the server’s command line${name === null ? "" : `, as ${name}`}`,
  }[auth_method];
  return `By ${email ?? "somebody"}${how}${ip_address === null ? "" : `, from ${ip_address}`}`;
}

/** A value in words. A filter that holds nothing lets through everything or nothing, so it is not shown as such. */
function shown(field: string, value: unknown): string {
  if (field === "alert_type_filter" && !Array.isArray(value)) {
    return "all types";
  }
  if (Array.isArray(value)) {
    return value.length > 0 ? list(value.map(String)) : field === "severity_filter" ? "every severity" : "none";
  }
  if (value === null || value === undefined) {
    return "nothing";
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What is new had no value before. */
function changeWords({ field, before, after }: AuditChange, action: AuditAction): string {
  const isNew = action.endsWith("_created") || ((before === null || before === undefined) && field !== "alert_type_filter");
  const now = shown(field, after);
  return isNew ? `${field}: ${now}` : `${field}: ${shown(field, before)} → ${now}`;
}
