// Draws a Teams message with Microsoft's own renderer of Adaptive Cards and Microsoft's host configurations of Teams.
import { AdaptiveCard, HostConfig } from "adaptivecards";
import { useEffect, useRef, useState } from "react";

import dark from "./hostConfigs/microsoft-teams-dark.json";
import light from "./hostConfigs/microsoft-teams-light.json";
import { webAddress } from "./slack";
import styles from "./teams.module.css";
import { pieces, type Piece } from "./teamsMarkdown";

// No text becomes HTML. The little Markdown that our cards hold becomes elements once the card is drawn.
AdaptiveCard.onProcessMarkdown = (_text, result) => {
  result.didProcess = false;
};

type TeamsMessage = { attachments?: { content: Record<string, unknown> }[]; text?: string };

export default function TeamsPreview({ payload }: { payload: unknown }) {
  const place = useRef<HTMLDivElement>(null);
  const isDark = useDarkTheme();
  const message = payload as TeamsMessage;
  const card = message.attachments?.[0]?.content;
  useEffect(() => {
    const drawn = card && draw(card, isDark);
    place.current?.replaceChildren(...(drawn ? [drawn] : []));
  }, [card, isDark]);
  return (
    <div className={styles.card}>
      {card ? <div ref={place} /> : <p className={styles.text}>{message.text}</p>}
    </div>
  );
}

function draw(content: Record<string, unknown>, isDark: boolean): HTMLElement | undefined {
  const card = new AdaptiveCard();
  card.hostConfig = new HostConfig(isDark ? dark : light);
  card.onExecuteAction = (action) => {
    const url = action.getJsonTypeName() === "Action.OpenUrl" ? (action as unknown as { url?: string }).url : undefined;
    const address = url === undefined ? undefined : webAddress(url);
    if (address !== undefined) {
      window.open(address, "_blank", "noreferrer");
    }
  };
  card.parse(content);
  const drawn = card.render();
  drawn?.querySelectorAll(".ac-textBlock").forEach(read);
  return drawn;
}

/** Turns the Markdown of a text block into elements. */
function read(block: Element) {
  const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
  const texts: Text[] = [];
  while (walker.nextNode()) {
    texts.push(walker.currentNode as Text);
  }
  for (const text of texts) {
    text.replaceWith(...pieces(text.data).map(element));
  }
}

function element(piece: Piece): Node {
  const address = piece.kind === "link" ? webAddress(piece.url) : undefined;
  if (piece.kind === "text" || (piece.kind === "link" && address === undefined)) {
    return document.createTextNode(piece.text);
  }
  const drawn = document.createElement(address === undefined ? "strong" : "a");
  drawn.append(piece.text);
  if (drawn instanceof HTMLAnchorElement && address !== undefined) {
    Object.assign(drawn, { href: address, target: "_blank", rel: "noreferrer" });
  }
  return drawn;
}

function useDarkTheme(): boolean {
  const [query] = useState(() => window.matchMedia("(prefers-color-scheme: dark)"));
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const changed = () => setDark(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, [query]);
  return isDark;
}
