// The Markdown that our cards hold: a bold word, and a link. The server writes no other text that Markdown would read.

export type Piece = { kind: "text" | "bold"; text: string } | { kind: "link"; text: string; url: string };

const MARKS = /\*\*([^*]+)\*\*|\[([^[\]]+)\]\((https?:\/\/[^()\s]+)\)/g;

/** The pieces of a text, in order. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  const plain = (from: number, to: number) => {
    if (to > from) {
      found.push({ kind: "text", text: text.slice(from, to) });
    }
  };
  for (const match of text.matchAll(MARKS)) {
    plain(end, match.index);
    const [whole, bold, label = "", url = ""] = match;
    found.push(bold === undefined ? { kind: "link", text: label, url } : { kind: "bold", text: bold });
    end = match.index + whole.length;
  }
  plain(end, text.length);
  return found;
}
