// The payload of a Slack message, as far as ours go: the shapes that the server sends, and nothing else.

export type SlackText = { type: "mrkdwn" | "plain_text"; text: string };
export type SlackStyle = { bold?: boolean; italic?: boolean; strike?: boolean; code?: boolean };
export type SlackInline =
  | { type: "text"; text: string; style?: SlackStyle }
  | { type: "link"; url: string; text?: string; style?: SlackStyle };
export type SlackRich = { type: "rich_text_section" | "rich_text_preformatted"; elements: SlackInline[] };
export type SlackBlock =
  | { type: "section"; text?: SlackText; fields?: SlackText[] }
  | { type: "context"; elements: SlackText[] }
  | { type: "actions"; elements: { type: "button"; text: SlackText; url: string }[] }
  | { type: "rich_text"; elements: SlackRich[] };
export type SlackMessage = {
  text: string;
  blocks?: SlackBlock[];
  attachments?: { color?: string; blocks?: SlackBlock[]; fallback?: string }[];
};

/** The types of the blocks that the renderer knows. */
export const KNOWN_BLOCKS: readonly string[] = ["section", "context", "actions", "rich_text"];

/**
 * The address that opens a message in Slack's Block Kit Builder. The builder takes blocks and attachments. The text of a message that
 * has no blocks of its own stands above its attachments, so it becomes a block; beside blocks it is only the notification's.
 */
export function builderUrl({ text, blocks, attachments }: SlackMessage): string {
  const asBlock: SlackBlock = { type: "section", text: { type: "mrkdwn", text } };
  const shown = { blocks: blocks?.length || !text ? blocks : [asBlock], attachments };
  return `https://app.slack.com/block-kit-builder#${encodeURIComponent(JSON.stringify(shown))}`;
}

/** An address that a link may have: anything but a web address does nothing. */
export function webAddress(url: string): string | undefined {
  return /^https?:\/\//i.test(url) || /^mailto:/i.test(url) ? url : undefined;
}
