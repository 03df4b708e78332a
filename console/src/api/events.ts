// The events of a space: they say what changed, and the queries that show it are read again.
import { useQueryClient, type QueryClient, type QueryKey } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { meQuery } from "./queries";

/** Whether changes are seen at once: not yet, yes, not since the connection broke, or not since the server refused. */
export type Liveness = "connecting" | "live" | "lost" | "refused";

type Space = { slug: string };
type SpaceEvent = { name: string; id?: string };

/** The names of the events that the API sends. */
const NAMES = ["alert", "delivery", "connector", "health", "resync"];

/** Queries are read again at most this often, in milliseconds: with the server's own gathering a change is seen within two seconds. */
const READ_AGAIN_EVERY = 1_200;

/** A connection that the server refused is tried again after this many milliseconds. */
const CONNECT_AGAIN = 10_000;

/** The server says something at least every 15 s. A connection that is silent for this many milliseconds is dead. */
const SILENT_MAX = 35_000;

/** The keys of the queries that an event concerns; each also stands for all keys that begin like it. */
export function concerned({ slug }: Space, { name, id }: SpaceEvent): QueryKey[] {
  switch (name) {
    case "alert":
      return [["alerts", slug], ["deliveries", slug], ["alert", slug, ...(id === undefined ? [] : [id])]];
    case "delivery":
      return [["alerts", slug], ["alert", slug], ["deliveries", slug], ["health", slug], ["message", slug]];
    case "connector":
      return [["connectors", slug], ["health", slug], ["pauses", slug], ["alert", slug], ["preview", slug]];
    case "health":
      return [["health", slug]];
    default:
      return ["alerts", "alert", "deliveries", "connectors", "health", "message", "pauses", "preview"].map((key) => [key, slug]);
  }
}

/** Collects keys, and reads the queries behind them again: at once, and then at most once in a while. */
export class Refresher {
  private waiting = new Map<string, QueryKey>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly read: (keys: QueryKey[]) => void) {}

  add(keys: QueryKey[]) {
    for (const key of keys) {
      this.waiting.set(JSON.stringify(key), key);
    }
    if (this.timer === undefined) {
      this.flush();
    }
  }

  stop() {
    clearTimeout(this.timer);
    this.waiting.clear();
  }

  private flush() {
    this.timer = undefined;
    if (this.waiting.size === 0) {
      return;
    }
    const keys = [...this.waiting.values()];
    this.waiting.clear();
    this.timer = setTimeout(() => this.flush(), READ_AGAIN_EVERY);
    this.read(keys);
  }
}

/** Follows the events of a space while the page is looked at. A page in the background holds no connection. */
export function useEvents(slug: string): Liveness {
  const queries = useQueryClient();
  const [liveness, setLiveness] = useState<Liveness>("connecting");
  useEffect(() => (slug === "" ? undefined : follow(slug, queries, setLiveness)), [slug, queries]);
  return liveness;
}

function follow(slug: string, queries: QueryClient, say: (liveness: Liveness) => void): () => void {
  const refresher = new Refresher((keys) => keys.forEach((queryKey) => void queries.invalidateQueries({ queryKey })));
  let source: EventSource | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  let silent: ReturnType<typeof setTimeout> | undefined;
  const close = () => {
    clearTimeout(again);
    clearTimeout(silent);
    source?.close();
    source = undefined;
  };
  const open = () => {
    close();
    const opened = new EventSource(`/spaces/${encodeURIComponent(slug)}/events`);
    source = opened;
    let isFirst = true;
    const heard = () => {
      clearTimeout(silent);
      silent = setTimeout(() => {
        say("lost");
        open();
      }, SILENT_MAX);
    };
    heard();
    opened.addEventListener("heartbeat", heard);
    opened.onopen = () => {
      say("live");
      heard();
      if (isFirst) {
        // Later the browser continues after the last event; before the first connection anything may have happened.
        refresher.add(concerned({ slug }, { name: "resync" }));
      }
      isFirst = false;
    };
    opened.onerror = () => {
      if (opened.readyState !== EventSource.CLOSED) {
        say("lost");
        return;
      }
      // The server answered, and refused. Who has no session any more is led to the sign-in; who has no access reads why.
      say("refused");
      void queries.invalidateQueries({ queryKey: meQuery.queryKey });
      void queries.resetQueries({ predicate: ({ queryKey }) => queryKey[1] === slug });
      again = setTimeout(open, CONNECT_AGAIN);
    };
    for (const name of NAMES) {
      opened.addEventListener(name, ({ data }: MessageEvent<string>) => {
        heard();
        refresher.add(concerned({ slug }, { name, ...(JSON.parse(data) as { id?: string }) }));
      });
    }
  };
  const look = () => {
    // A connection without a network is dead, and nothing would say so.
    if (!navigator.onLine) {
      say("lost");
    }
    return document.visibilityState === "hidden" || !navigator.onLine ? close() : open();
  };
  look();
  const watched = [[document, "visibilitychange"], [window, "online"], [window, "offline"]] as const;
  watched.forEach(([target, name]) => target.addEventListener(name, look));
  return () => {
    watched.forEach(([target, name]) => target.removeEventListener(name, look));
    close();
    refresher.stop();
  };
}
