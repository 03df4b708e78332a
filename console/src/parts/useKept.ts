// State of a form that outlives its page while one signs in again: what was typed is there afterwards. It stays in memory, since it
// may hold a webhook URL, and nobody but the same user gets it.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState, type Dispatch, type SetStateAction } from "react";

import { meQuery } from "../api/queries";

/** What the forms on the page hold, by their names. */
const shown = new Map<string, unknown>();

/** What they held when the session of a user ended. */
let kept: { user: string; values: Map<string, unknown> } | undefined;

/** The session of this user ended. */
export function keepTyped(user: string): void {
  kept = { user, values: new Map(shown) };
}

/** As `useState`, under a name that no other form has. */
export function useKept<T>(name: string, initial: T): [T, Dispatch<SetStateAction<T>>] {
  const user = useQuery(meQuery).data?.user.id;
  const [value, setValue] = useState<T>(() => (isOf(user) && kept?.values.has(name) ? (kept.values.get(name) as T) : initial));
  useEffect(() => {
    kept?.values.delete(name);
  }, [name]);
  useEffect(() => {
    shown.set(name, value);
    return () => {
      shown.delete(name);
    };
  }, [name, value]);
  return [value, setValue];
}

/** Whether what is kept belongs to this user; what belongs to another one is forgotten. */
function isOf(user: string | undefined): boolean {
  if (user !== undefined && kept?.user !== user) {
    kept = undefined;
  }
  return user !== undefined && kept !== undefined;
}
