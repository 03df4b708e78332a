// How messages are sorted by channel, and joined with those that are known.
import { expect, test } from "vitest";

import { channels, joined, newest, type Message } from "./messages";

const message = (no: number, target: string, more: Partial<Message> = {}): Message => ({
  no,
  at: "",
  kind: "slack",
  host: "hooks.slack.com",
  target,
  channel: null,
  payload: {},
  problem: null,
  status: 200,
  ...more,
});

test("each webhook is a channel, whatever its query, with its newest message first", () => {
  const found = channels([
    message(1, "/a"),
    message(2, "/b?sig=1", { kind: "workflow", channel: "On call" }),
    message(3, "/b?sig=2", { kind: "workflow", channel: "On call" }),
  ]);
  expect(found.map(({ name, platform }) => [name, platform])).toEqual([
    ["/a", "slack"],
    ["On call", "teams"],
  ]);
  expect(found[1]?.messages.map(({ no }) => no)).toEqual([3, 2]);
  const many = channels(Array.from({ length: 100 }, (_, no) => message(no, "/a")));
  expect(many[0] && newest(many[0]).map(({ no }) => no)).toHaveLength(30);
});

test("an inbox that was started again begins again", () => {
  const known = [message(1, "/a"), message(2, "/a")];
  expect(joined(known, [message(3, "/a")]).map(({ no }) => no)).toEqual([1, 2, 3]);
  expect(joined(known, [message(1, "/b")]).map(({ target }) => target)).toEqual(["/b"]);
  expect(joined(known, [])).toEqual(known);
});
