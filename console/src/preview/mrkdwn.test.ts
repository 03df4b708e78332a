// What Slack shows of a text, row by row.
import { expect, test } from "vitest";

import { parse, type Node } from "./mrkdwn";

/** A node as a short text, so that a row reads at a glance. */
function said(nodes: Node[]): string {
  return nodes
    .map((node) => {
      switch (node.kind) {
        case "text":
          return node.text;
        case "code":
        case "pre":
          return `[${node.kind} ${node.text}]`;
        case "link":
          return `[link ${node.url} ${node.text}]`;
        case "date":
          return `[date ${node.seconds} ${node.fallback}]`;
        default:
          return `[${node.kind} ${said(node.nodes)}]`;
      }
    })
    .join("");
}

const rows: [string, string, string][] = [
  ["plain text stays", "a b", "a b"],
  ["entities are the only escapes", "&lt;b&gt; &amp;amp; &quot;", "<b> &amp; &quot;"],
  ["bold, italic and strike", "*a* _b_ ~c~", "[bold a] [italic b] [strike c]"],
  ["marks nest", "*a _b_*", "[bold a [italic b]]"],
  ["a mark inside a word marks nothing", "snake_case_name 2*3*4", "snake_case_name 2*3*4"],
  ["a mark before a space marks nothing", "* a* and a *", "* a* and a *"],
  ["a mark does not cross a line", "*a\nb*", "*a\nb*"],
  ["a mark may touch punctuation", "(*a*).", "([bold a])."],
  ["code is read to the next tick", "`a *b*` c", "[code a *b*] c"],
  ["code does not cross a line", "`a\nb`", "`a\nb`"],
  ["code shows entities", "`a &lt; b`", "[code a < b]"],
  ["a fence runs to the next", "a\n```\nx *y*\n```\nb", "a\n[pre x *y*]b"],
  ["text behind a fence stays", "```x```after", "[pre x]after"],
  ["an open fence is text", "```x", "```x"],
  ["a link has a label", "<https://a.example/?x=1&amp;y=2|a &amp; b>", "[link https://a.example/?x=1&y=2 a & b]"],
  ["a link without a label shows its address", "<https://a.example>", "[link https://a.example https://a.example]"],
  ["marks inside a label are text", "<https://a.example|*a*>", "[link https://a.example *a*]"],
  ["a bold link", "*<https://a.example|a>*", "[bold [link https://a.example a]]"],
  ["a date has a fallback", "<!date^17^{time}|10:00 UTC>", "[date 17 10:00 UTC]"],
  ["a link in a fence shows its label", "```<https://a.example|a>```", "[pre a]"],
];

test.each(rows)("%s", (_name, text, expected) => {
  expect(said(parse(text))).toBe(expected);
});
