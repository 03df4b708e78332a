// One alert: its life, who heard of it and why, each delivery with its attempts, and the messages.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { resolveAlert, type AlertDetails, type Delivery } from "../api/generated";
import { answer } from "../api/problem";
import { alertQuery, connectorsQuery, healthIn, healthQuery, messageQuery, previewQuery } from "../api/queries";
import { PlainBadge, SeverityBadge } from "../parts/Badge";
import { Button } from "../parts/Button";
import { Confirm, Named } from "../parts/Confirm";
import { DeliveryRow } from "../parts/DeliveryRow";
import { Fold } from "../parts/Fold";
import { Empty, ErrorNotice, Loading } from "../parts/Notice";
import { useScrolls } from "../parts/Scrolling";
import { Time } from "../parts/Time";
import { platformName, Preview } from "../preview/Preview";
import { webAddress } from "../preview/slack";
import { trimWords, warningWords } from "../plain";
import { asPosted } from "../sample";
import { count, ruleSentence, titleWords } from "../words";
import { developments } from "./developments";
import { shownAtFirst } from "./shownAtFirst";
import { useSpace } from "./Layout";
import styles from "./page.module.css";

export function AlertPage() {
  const { slug, mayEdit } = useSpace();
  const { id = "" } = useParams({ strict: false });
  const alert = useQuery(alertQuery(slug, id));
  if (alert.isError) {
    const wayOn = (
      <Link to="/spaces/$slug/alerts" params={{ slug }}>
        Show the alerts of this space
      </Link>
    );
    return (
      <div className={styles.page}>
        <h1>Alert</h1>
        <ErrorNotice error={alert.error} retry={() => void alert.refetch()} wayOn={wayOn} />
      </div>
    );
  }
  if (!alert.data) {
    return <Loading />;
  }
  return (
    <div className={styles.page}>
      <Head slug={slug} alert={alert.data} mayEdit={mayEdit} />
      <About alert={alert.data} />
      <Deliveries slug={slug} alert={alert.data} mayEdit={mayEdit} />
      <Connectors slug={slug} alert={alert.data} />
      <Trimmed slug={slug} alert={alert.data} />
    </div>
  );
}

type Part = { slug: string; alert: AlertDetails };

function Head({ slug, alert, mayEdit }: Part & { mayEdit: boolean }) {
  const queries = useQueryClient();
  const [isAsking, setAsking] = useState(false);
  const resolve = useMutation({
    mutationFn: () => answer(resolveAlert({ path: { slug, id: alert.id } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["alert", slug, alert.id] }),
  });
  return (
    <>
      <div className={styles.head}>
        <h1 className={styles.title}>{titleWords(alert.title)}</h1>
        {mayEdit && alert.status === "active" && (
          <Button isBusy={resolve.isPending} onClick={() => setAsking(true)}>
            Resolve
          </Button>
        )}
      </div>
      <div className={styles.line}>
        <SeverityBadge severity={alert.severity} />
        <PlainBadge tone={alert.status === "active" ? "warn" : "good"}>{alert.status === "active" ? "Active" : "Resolved"}</PlainBadge>
        <span className={`${styles.subtle} ${styles.break}`}>{alert.alert_type}</span>
      </div>
      {resolve.isError && <ErrorNotice error={resolve.error} />}
      <Confirm
        title={<Named before="Resolve" name={titleWords(alert.title)} />}
        action="Resolve alert"
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        onConfirm={() => resolve.mutate()}
      >
        The channels that heard of it are told that it is resolved.
      </Confirm>
    </>
  );
}


function About({ alert }: { alert: AlertDetails }) {
  const [isWhole, setWhole] = useState(false);
  const atFirst = shownAtFirst(alert.fields.map(({ value }) => String(value).length));
  const beyond = alert.fields.length - atFirst;
  return (
    <section className={styles.panel} aria-label="The alert">
      <ol className={styles.timeline}>
        <li>
          Opened <Time at={alert.received_at} />
          {alert.occurred_at !== alert.received_at && (
            <>
              , happened <Time at={alert.occurred_at} />
            </>
          )}
        </li>
        {alert.occurrences > 1 && <li>Repeated: posted {count(alert.occurrences, "time")} in all</li>}
        {developments(alert).map(({ what, at, note }, place) => (
          <li key={place}>
            {what} <Time at={at} />
            {note}
          </li>
        ))}
        {alert.resolved_at !== undefined && (
          <li>
            Resolved <Time at={alert.resolved_at} />
          </li>
        )}
      </ol>
      {alert.description !== null && <Description text={alert.description} />}
      <dl className={styles.facts}>
        {(isWhole ? alert.fields : alert.fields.slice(0, atFirst)).map((field, at) => (
          <Fact key={at} name={field.name} value={field.value === null ? "none" : String(field.value)} />
        ))}
        {alert.product && <Fact name="Product" value={alert.product.name} />}
        {alert.check && <Fact name="Check" value={alert.check.name} />}
        {alert.dedup_key !== null && <Fact name="Dedup key" value={alert.dedup_key} />}
        <Fact name="Id" value={alert.id} />
      </dl>
      {beyond > 0 && (
        <div>
          <Button look="quiet" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
            {isWhole ? "Show fewer fields" : `Show ${count(beyond, "more field")}`}
          </Button>
        </div>
      )}
      <div className={styles.actions}>
        {[...(alert.url === null ? [] : [{ label: "Open", url: alert.url }]), ...alert.actions].map(({ label, url }, at) => (
          <a key={at} href={webAddress(url)} target="_blank" rel="noreferrer" className={styles.break}>
            {label}
          </a>
        ))}
      </div>
      {alert.warnings.length > 0 && (
        <ul className={styles.small}>
          {alert.warnings.map((warning, at) => (
            <li key={at}>{warningWords(warning)}</li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Description({ text }: { text: string }) {
  const scrolls = useScrolls<HTMLDivElement>();
  return (
    <div className={styles.description} role="region" aria-label="Description" {...scrolls}>
      {text}
    </div>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  const scrolls = useScrolls<HTMLElement>();
  return (
    <>
      <dt>{name}</dt>
      <dd {...scrolls}>{value}</dd>
    </>
  );
}

/** How many deliveries and connectors are shown at first. */
const SHOWN = 20;

/** What needs attention comes first, and what arrived last. */
const ATTENTION = ["failed", "expired", "pending", "cancelled", "accepted", "delivered"];

const byAttention = (one: Delivery, other: Delivery) => ATTENTION.indexOf(one.state) - ATTENTION.indexOf(other.state);

function Deliveries({ slug, alert, mayEdit }: Part & { mayEdit: boolean }) {
  const health = useQuery(healthQuery(slug)).data;
  // A few stand in the order in which they were queued.
  const ordered = alert.deliveries.length > SHOWN ? alert.deliveries.toSorted(byAttention) : alert.deliveries;
  return (
    <section className={styles.form} aria-label="Deliveries">
      <h2>Deliveries</h2>
      {alert.deliveries.length === 0 && (
        <Empty title="Nobody was notified">
          {alert.connectors.length > 0 ? (
            <p>No connector matched this alert. Below is what each of them says.</p>
          ) : (
            <p>
              This space has no connector.{" "}
              {mayEdit ? (
                <Link to="/spaces/$slug/connectors/new" params={{ slug }}>
                  Create one for a channel of Slack or Teams
                </Link>
              ) : (
                "Ask an editor or admin of this space to create one."
              )}
            </p>
          )}
        </Empty>
      )}
      <Fold items={ordered} shown={SHOWN} what="deliveries">
        {(delivery) => (
          <DeliveryRow
            key={delivery.id}
            slug={slug}
            delivery={delivery}
            mayEdit={mayEdit}
            health={healthIn(health, delivery.connector_id)}
            title={delivery.connector_name}
          >
            <Message slug={slug} id={delivery.id} connector={delivery.connector_name} />
          </DeliveryRow>
        )}
      </Fold>
    </section>
  );
}

/** The message of a delivery, read when it is asked for. */
function Message({ slug, id, connector }: { slug: string; id: string; connector: string }) {
  const [isOpen, setOpen] = useState(false);
  const message = useQuery({ ...messageQuery(slug, id), enabled: isOpen });
  return (
    <div className={styles.form}>
      <div>
        <Button look="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? "Hide message" : "Show message"}
        </Button>
      </div>
      {isOpen && message.isError && <ErrorNotice error={message.error} />}
      {isOpen && message.data && (
        <>
          {message.data.digest_size > 1 && (
            <p className={styles.subtle}>It was sent together with others, {count(message.data.digest_size, "message")} in all.</p>
          )}
          <Preview platform={message.data.connector_type} payload={message.data.payload} of={connector} />
        </>
      )}
    </div>
  );
}

/** What became of the alert for a connector. Today's filters say only what would come of it now. */
function fate(alert: AlertDetails, match: AlertDetails["connectors"][number], madeAt: string | undefined) {
  const own = alert.deliveries.filter(({ connector_id }) => connector_id === match.connector_id);
  if (own.length > 0) {
    const words = match.matched ? ruleSentence[match.rule] : `Today it would not be: ${ruleSentence[match.rule]}`;
    if (own.some(({ state }) => state === "delivered" || state === "accepted")) {
      return { badge: "Was notified", isGood: true, words };
    }
    return own.some(({ state }) => state === "pending")
      ? { badge: "Not yet notified", isGood: true, words: `${words} Its message is still pending.` }
      : { badge: "Was not reached", isGood: true, words: `${words} Its message did not arrive: the delivery above says why.` };
  }
  if (!match.matched) {
    return { badge: "Does not match", isGood: false, words: ruleSentence[match.rule] };
  }
  if (alert.status === "resolved" && alert.deliveries.length === 0) {
    return { badge: "Got nothing", isGood: false, words: "The alert ended no problem, so nobody was notified." };
  }
  // When a connector was made is known to the second.
  const second = Math.floor(Date.parse(alert.received_at) / 1000) * 1000;
  const why =
    madeAt !== undefined && Date.parse(madeAt) >= second
      ? "It was made after this alert."
      : "When the alert came, it was switched off or had another filter.";
  return { badge: "Got nothing", isGood: false, words: `${why} It would match today.` };
}

function Connectors({ slug, alert }: Part) {
  const today = useQuery(connectorsQuery(slug)).data;
  const fates = alert.connectors.map((connector) => ({
    connector,
    ...fate(alert, connector, today?.find(({ id }) => id === connector.connector_id)?.created_at),
  }));
  // The order stays among those of which the same is true.
  const ordered = fates.length > SHOWN ? fates.toSorted((one, other) => Number(other.isGood) - Number(one.isGood)) : fates;
  return (
    <section className={styles.form} aria-label="Connectors">
      <h2>What each connector says</h2>
      <Fold items={ordered} shown={SHOWN} what="connectors">
        {({ connector, badge, words }) => (
          <li key={connector.connector_id} className={styles.row}>
            <div className={styles.line}>
              <Link
                className={`${styles.name} ${styles.grow}`}
                to="/spaces/$slug/connectors/$id"
                params={{ slug, id: connector.connector_id }}
              >
                {connector.connector_name}
              </Link>
              <PlainBadge tone={badge === "Was notified" ? "good" : "quiet"}>{badge}</PlainBadge>
            </div>
            <p className={`${styles.subtle} ${styles.small}`}>{words}</p>
          </li>
        )}
      </Fold>
    </section>
  );
}

const PLATFORMS = ["slack", "teams"] as const;

function Trimmed({ slug, alert }: Part) {
  const preview = useQuery(previewQuery(slug, asPosted(alert)));
  const trims = PLATFORMS.flatMap((platform) => (preview.data?.messages[platform].trimmed ?? []).map((trim) => ({ platform, ...trim })));
  if (trims.length === 0) {
    return null;
  }
  return (
    <section className={styles.form} aria-label="Shortened">
      <h2>What did not fit</h2>
      <ul className={styles.small}>
        {trims.map(({ platform, ...trim }, at) => (
          <li key={at}>
            {platformName[platform]} {trimWords(trim)}
          </li>
        ))}
      </ul>
    </section>
  );
}
