// What is read in the text of a card.
import { expect, test } from "vitest";

import { pieces } from "./teamsMarkdown";

test("a bold word and a link are read, and nothing else", () => {
  expect(pieces("**HIGH** Rows are missing · [open](https://data.example.com/a?b=c)")).toEqual([
    { kind: "bold", text: "HIGH" },
    { kind: "text", text: " Rows are missing · " },
    { kind: "link", text: "open", url: "https://data.example.com/a?b=c" },
  ]);
  for (const text of ["", "2 * 3 * 4", "[a]", "[a](javascript:alert(1))", "a_b_c", "# no heading", "**"]) {
    expect(pieces(text)).toEqual(text === "" ? [] : [{ kind: "text", text }]);
  }
});
