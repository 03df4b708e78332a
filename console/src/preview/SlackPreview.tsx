// Draws a Slack message from the payload that the server made.
import { Fragment, type ReactNode } from "react";

import { formatDate, parse, type Node } from "./mrkdwn";
import { builderUrl, KNOWN_BLOCKS, webAddress } from "./slack";
import type { SlackBlock, SlackInline, SlackMessage, SlackRich, SlackText } from "./slack";
import styles from "./slack.module.css";

export default function SlackPreview({ payload }: { payload: unknown }) {
  const message = payload as SlackMessage;
  return (
    <div className={styles.message}>
      <div className={styles.avatar} aria-hidden="true">
        A
      </div>
      <div className={styles.content}>
        <div className={styles.sender}>
          Alert Connectors <span className={styles.badge}>APP</span>
        </div>
        {/* Beside blocks of its own, the text of a message is that of its notification. */}
        {!message.blocks?.length && message.text !== undefined && (
          <div className={styles.text}>
            <Mrkdwn text={message.text} />
          </div>
        )}
        {message.blocks?.map((block, at) => <Block key={at} block={block} />)}
        {message.attachments?.map((attachment, at) => (
          <div className={styles.attachment} key={at}>
            <Bar color={attachment.color} />
            <div className={styles.blocks}>
              {attachment.blocks?.map((block, index) => <Block key={index} block={block} />)}
            </div>
          </div>
        ))}
        <a className={styles.builder} href={builderUrl(message)} target="_blank" rel="noreferrer">
          Open in Slack’s Block Kit Builder
        </a>
      </div>
    </div>
  );
}

/** The bar of an attachment, in the colour that the payload names. */
function Bar({ color }: { color: string | undefined }) {
  const known = /^#[0-9a-f]{6}$/i.test(color ?? "");
  return <div className={styles.bar} style={known ? { backgroundColor: color } : undefined} />;
}

function Block({ block }: { block: SlackBlock }) {
  switch (block.type) {
    case "section":
      return (
        <div className={styles.section}>
          {block.text && <Text text={block.text} />}
          {block.fields && (
            <div className={styles.fields}>
              {block.fields.map((field, at) => (
                <div key={at} className={styles.field}>
                  <Text text={field} />
                </div>
              ))}
            </div>
          )}
        </div>
      );
    case "context":
      return (
        <div className={styles.context}>
          {block.elements.map((element, at) => (
            <Text key={at} text={element} />
          ))}
        </div>
      );
    case "actions":
      return (
        <div className={styles.actions}>
          {block.elements.map((button, at) => (
            <Link key={at} url={button.url} className={styles.button}>
              {button.text.text}
            </Link>
          ))}
        </div>
      );
    case "rich_text":
      return <>{block.elements.map((element, at) => <Rich key={at} element={element} />)}</>;
    default:
      return (
        <p className={styles.unknown}>
          This preview can’t draw a block of this type. It draws {KNOWN_BLOCKS.join(", ")}.
        </p>
      );
  }
}

function Text({ text }: { text: SlackText }) {
  return text.type === "mrkdwn" ? <Mrkdwn text={text.text} /> : <>{text.text}</>;
}

function Mrkdwn({ text }: { text: string }) {
  return <Nodes nodes={parse(text)} />;
}

function Nodes({ nodes }: { nodes: Node[] }) {
  return (
    <>
      {nodes.map((node, at) => (
        <Fragment key={at}>{drawn(node)}</Fragment>
      ))}
    </>
  );
}

function drawn(node: Node): ReactNode {
  switch (node.kind) {
    case "text":
      return node.text;
    case "bold":
      return (
        <strong>
          <Nodes nodes={node.nodes} />
        </strong>
      );
    case "italic":
      return (
        <em>
          <Nodes nodes={node.nodes} />
        </em>
      );
    case "strike":
      return (
        <s>
          <Nodes nodes={node.nodes} />
        </s>
      );
    case "code":
      return <code className={styles.code}>{node.text}</code>;
    case "pre":
      return (
        <pre className={styles.pre} tabIndex={0} aria-label="Preformatted text">
          {node.text}
        </pre>
      );
    case "link":
      return <Link url={node.url}>{node.text}</Link>;
    case "date":
      return <span title={node.fallback}>{formatDate(node.seconds, node.format)}</span>;
  }
}

function Rich({ element }: { element: SlackRich }) {
  const inlines = element.elements.map((inline, at) => <Inline key={at} inline={inline} />);
  return element.type === "rich_text_preformatted" ? (
    <pre className={styles.pre} tabIndex={0} aria-label="Preformatted text">
      {inlines}
    </pre>
  ) : (
    <div className={styles.section}>{inlines}</div>
  );
}

function Inline({ inline }: { inline: SlackInline }) {
  let shown: ReactNode = inline.type === "link" ? <Link url={inline.url}>{inline.text ?? inline.url}</Link> : inline.text;
  if (inline.style?.code) {
    shown = <code className={styles.code}>{shown}</code>;
  }
  if (inline.style?.bold) {
    shown = <strong>{shown}</strong>;
  }
  if (inline.style?.italic) {
    shown = <em>{shown}</em>;
  }
  return inline.style?.strike ? <s>{shown}</s> : shown;
}

function Link({ url, children, className }: { url: string; children: ReactNode; className?: string | undefined }) {
  return (
    <a className={className} href={webAddress(url)} target="_blank" rel="noreferrer">
      {children}
    </a>
  );
}
