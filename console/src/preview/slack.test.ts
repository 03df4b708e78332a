// What the link to Slack's Block Kit Builder opens.

import { expect, it } from "vitest";
import { builderUrl, type SlackMessage } from "./slack";

const opened = (message: SlackMessage) => JSON.parse(decodeURIComponent(new URL(builderUrl(message)).hash.slice(1)));

const section = { type: "section" as const, text: { type: "mrkdwn" as const, text: "*Orders* are late" } };

it("opens the blocks of a message, and not the text of its notification", () => {
  const attachments = [{ color: "#e01e5a", blocks: [section] }];
  expect(opened({ text: "Orders are late", blocks: [section], attachments })).toEqual({ blocks: [section], attachments });
});

it("opens the text that stands above attachments as a block", () => {
  const attachments = [{ color: "#e01e5a", blocks: [section] }];
  const text = { type: "section", text: { type: "mrkdwn", text: "Orders & more: 50 %" } };
  expect(opened({ text: "Orders & more: 50 %", attachments })).toEqual({ blocks: [text], attachments });
});
