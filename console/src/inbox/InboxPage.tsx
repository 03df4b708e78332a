// What arrived at the inbox: a column for each channel, drawn as its platform would.
import { PlainBadge } from "../parts/Badge";
import { Boundary } from "../parts/Boundary";
import { Empty, Loading, Warn } from "../parts/Notice";
import { Time } from "../parts/Time";
import { Drawing, platformName } from "../preview/Preview";
import { count } from "../words";
import styles from "./inbox.module.css";
import { channels, newest, useMessages, type Channel, type Message } from "./messages";

export function InboxPage() {
  const { messages, isLost, isLoaded } = useMessages();
  const all = channels(messages);
  return (
    <main className={styles.page}>
      <header className={styles.head}>
        <h1>Inbox</h1>
        <p className={styles.subtle}>This stands in for Slack and Teams, and holds each message to their limits. Nothing leaves this machine.</p>
      </header>
      <div role="status">{isLost && <Warn>The inbox does not answer. It is asked again every second.</Warn>}</div>
      {!isLoaded && !isLost && <Loading />}
      {isLoaded && all.length === 0 && <Empty title="Nothing arrived yet" />}
      <div className={styles.columns} tabIndex={0} role="region" aria-label="Channels">
        {all.map((channel) => (
          <Column key={channel.key} channel={channel} />
        ))}
      </div>
    </main>
  );
}

function Column({ channel }: { channel: Channel }) {
  return (
    <section className={styles.column} aria-label={channel.name}>
      <h2 className={styles.name}>{channel.name}</h2>
      <p className={`${styles.subtle} ${styles.small}`}>
        {platformName[channel.platform]} · {channel.host} · {count(channel.messages.length, "message")}
      </p>
      <ol className={styles.messages}>
        {newest(channel).map((message) => (
          <Arrived key={message.no} message={message} platform={channel.platform} />
        ))}
      </ol>
    </section>
  );
}

/** Anybody may post anything: what no platform could draw is shown as it came. */
function Body({ message: { payload }, platform }: { message: Message; platform: Channel["platform"] }) {
  if (payload === null || typeof payload !== "object") {
    return <p className={styles.subtle}>The body is no JSON object.</p>;
  }
  return (
    <Boundary instead={<pre className={styles.raw}>{JSON.stringify(payload, null, 2)}</pre>}>
      <Drawing platform={platform} payload={payload} />
    </Boundary>
  );
}

function Arrived({ message, platform }: { message: Message; platform: Channel["platform"] }) {
  const isTaken = message.status !== null && message.status < 300;
  return (
    <li className={styles.message}>
      <p className={`${styles.line} ${styles.small}`}>
        <span className={styles.subtle}>
          <Time at={message.at} />
        </span>
        <PlainBadge tone={isTaken ? "good" : "warn"}>{message.status === null ? "left hanging" : `answered ${message.status}`}</PlainBadge>
      </p>
      {message.problem !== null && (
        <p className={styles.problem}>
          {platformName[platform]} would refuse this: {message.problem}
        </p>
      )}
      <Body message={message} platform={platform} />
    </li>
  );
}
