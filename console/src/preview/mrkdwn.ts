// Slack's mrkdwn, as far as our messages use it: what a text shows, as a tree of nodes.
//
// The rules are Slack's: `&amp;`, `&lt;` and `&gt;` are the only entities; `<url|label>` is a link and `<!date^…|…>` a
// date, and nothing inside them is read; ``` begins preformatted text up to the next ```; ` begins code within a line;
// `*`, `_` and `~` mark words at the edge of a word, within a line.

export type Node =
  | { kind: "text"; text: string }
  | { kind: "bold" | "italic" | "strike"; nodes: Node[] }
  | { kind: "code" | "pre"; text: string }
  | { kind: "link"; url: string; text: string }
  | { kind: "date"; seconds: number; format: string; fallback: string };

const MARKS = { "*": "bold", _: "italic", "~": "strike" } as const;

/** What the entities of a text stand for. */
export function unescape(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** Reads a text. */
export function parse(text: string): Node[] {
  const nodes: Node[] = [];
  let rest = text;
  for (;;) {
    const open = rest.indexOf("```");
    const close = open < 0 ? -1 : rest.indexOf("```", open + 3);
    if (close < 0) {
      nodes.push(...inline(rest));
      return nodes;
    }
    nodes.push(...inline(rest.slice(0, open)));
    // Slack leaves out one line break after the fence and one before the next.
    nodes.push({ kind: "pre", text: shown(rest.slice(open + 3, close).replace(/^\n/, "").replace(/\n$/, "")) });
    rest = rest.slice(close + 3).replace(/^\n/, "");
  }
}

/** What preformatted text and code show: links show their labels. */
function shown(text: string): string {
  const label = (_whole: string, url: string, name?: string) => name ?? url;
  return unescape(text.replace(/<([^<>|]*)(?:\|([^<>]*))?>/g, label));
}

function inline(text: string): Node[] {
  const nodes: Node[] = [];
  let plain = "";
  const flush = () => {
    if (plain !== "") {
      nodes.push({ kind: "text", text: unescape(plain) });
      plain = "";
    }
  };
  let at = 0;
  while (at < text.length) {
    const found = tag(text, at) ?? code(text, at) ?? mark(text, at);
    if (found) {
      flush();
      nodes.push(found.node);
      at = found.end;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  flush();
  return nodes;
}

type Found = { node: Node; end: number };

/** `<url|label>` and `<!date^seconds^format|fallback>`. */
function tag(text: string, at: number): Found | undefined {
  const close = text[at] === "<" ? text.indexOf(">", at) : -1;
  if (close < 0) {
    return undefined;
  }
  const [target = "", label] = split(text.slice(at + 1, close));
  const date = /^!date\^(\d+)\^(.*)$/s.exec(target);
  const node: Node = date
    ? { kind: "date", seconds: Number(date[1]), format: date[2] ?? "", fallback: unescape(label ?? "") }
    : { kind: "link", url: unescape(target), text: unescape(label ?? target) };
  return { node, end: close + 1 };
}

function split(inside: string): [string, string | undefined] {
  const bar = inside.indexOf("|");
  return bar < 0 ? [inside, undefined] : [inside.slice(0, bar), inside.slice(bar + 1)];
}

function code(text: string, at: number): Found | undefined {
  if (text[at] !== "`") {
    return undefined;
  }
  const close = text.indexOf("`", at + 1);
  const inside = text.slice(at + 1, close);
  if (close <= at + 1 || inside.includes("\n")) {
    return undefined;
  }
  return { node: { kind: "code", text: shown(inside) }, end: close + 1 };
}

/** A mark counts where a word begins, and ends where one does, on the same line. */
function mark(text: string, at: number): Found | undefined {
  const sign = text[at] as keyof typeof MARKS;
  if (!(sign in MARKS) || isWordAt(text, at - 1) || isSpaceAt(text, at + 1)) {
    return undefined;
  }
  for (let close = text.indexOf(sign, at + 1); close > 0; close = text.indexOf(sign, close + 1)) {
    const inside = text.slice(at + 1, close);
    if (inside.includes("\n")) {
      return undefined;
    }
    if (inside !== "" && !isSpaceAt(text, close - 1) && !isWordAt(text, close + 1)) {
      return { node: { kind: MARKS[sign], nodes: inline(inside) }, end: close + 1 };
    }
  }
  return undefined;
}

const isWordAt = (text: string, at: number): boolean => /[\p{L}\p{N}]/u.test(text[at] ?? " ");
const isSpaceAt = (text: string, at: number): boolean => /\s/u.test(text[at] ?? " ");

/** A date as Slack writes it for a reader in this time zone; only the tokens that our messages use. */
export function formatDate(seconds: number, format: string): string {
  const date = new Date(seconds * 1_000);
  const tokens: Record<string, string> = {
    "{date_short_pretty}": date.toLocaleDateString("en", { month: "short", day: "numeric", year: "numeric" }),
    "{time}": date.toLocaleTimeString("en", { hour: "numeric", minute: "2-digit" }),
  };
  return format.replace(/\{[a-z_]+\}/g, (token) => tokens[token] ?? token);
}
