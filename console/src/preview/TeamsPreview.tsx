// Draws a Teams message with Microsoft's own renderer of Adaptive Cards and Microsoft's host configurations of Teams.
import { AdaptiveCard, HostConfig } from "adaptivecards";
import { useEffect, useRef, useState } from "react";

import dark from "./hostConfigs/microsoft-teams-dark.json";
import light from "./hostConfigs/microsoft-teams-light.json";
import { webAddress } from "./slack";
import styles from "./teams.module.css";

// The server writes no text that Markdown would read anything in, so all text is shown as it is, and none becomes HTML.
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
  return card.render();
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
