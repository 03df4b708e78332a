// What arrived at the inbox, channel by channel.
import { useEffect, useState } from "react";

import type { ConnectorType } from "../api/generated";

/** A message as the inbox lists it. */
export type Message = {
  no: number;
  at: string;
  kind: "slack" | "workflow" | "office365";
  host: string;
  target: string;
  channel: string | null;
  payload: unknown;
  problem: string | null;
  status: number | null;
};

/** Where messages arrive, newest first. */
export type Channel = { key: string; name: string; platform: ConnectorType; host: string; messages: Message[] };

/** Messages that are shown of a channel. */
const SHOWN_MAX = 30;

/** How often the inbox is asked for more, in milliseconds. */
const ASK_EVERY = 1_000;

/** Sorts messages by channel. A channel that somebody named comes by its name, another by its path. */
export function channels(messages: readonly Message[]): Channel[] {
  const all = new Map<string, Channel>();
  for (const message of messages) {
    const path = message.target.split("?")[0] ?? "";
    const key = `${message.host}${path}`;
    const platform = message.kind === "slack" ? "slack" : "teams";
    const channel = all.get(key) ?? { key, name: message.channel ?? path, platform, host: message.host, messages: [] };
    channel.messages.unshift(message);
    all.set(key, channel);
  }
  return [...all.values()];
}

/** Adds what came since. Numbers that begin again are those of an inbox that was started again. */
export function joined(known: readonly Message[], more: readonly Message[]): Message[] {
  const first = more[0]?.no;
  const kept = first === undefined ? known : known.filter(({ no }) => no < first);
  return [...kept, ...more];
}

/** The newest messages of a channel, as many as are shown. */
export const newest = ({ messages }: Channel): Message[] => messages.slice(0, SHOWN_MAX);

/** Everything that arrived, read again every second; and whether the inbox answers. */
export function useMessages(): { messages: Message[]; isLost: boolean; isLoaded: boolean } {
  const [messages, setMessages] = useState<Message[]>([]);
  const [isLost, setLost] = useState(false);
  const [isLoaded, setLoaded] = useState(false);
  useEffect(() => {
    let [last, timer, isOver]: [number, ReturnType<typeof setTimeout> | undefined, boolean] = [0, undefined, false];
    const ask = async () => {
      try {
        const answer = await fetch(`/_inbox/messages?after=${last}`);
        const more = (await answer.json()) as Message[];
        if (isOver) {
          return;
        }
        if (more.length > 0) {
          last = more.at(-1)?.no ?? last;
          setMessages((known) => joined(known, more));
        }
        setLost(false);
        setLoaded(true);
      } catch {
        setLost(true);
      }
      if (!isOver) {
        timer = setTimeout(() => void ask(), ASK_EVERY);
      }
    };
    void ask();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, []);
  return { messages, isLost, isLoaded };
}
