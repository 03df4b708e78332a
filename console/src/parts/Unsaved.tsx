// Asks before a page is left with something typed on it that nothing has saved.
import { useBlocker } from "@tanstack/react-router";
import { useRef } from "react";

import { Confirm } from "./Confirm";

/** `isUnsaved` says whether leaving loses something. Returns the question, and what to call before the page leaves by itself. */
export function useUnsaved(isUnsaved: boolean) {
  const mayLeave = useRef(false);
  const { status, proceed, reset } = useBlocker({
    // What is typed outlives the sign-in.
    shouldBlockFn: ({ next }) => isUnsaved && !mayLeave.current && next.pathname !== "/sign-in",
    enableBeforeUnload: () => isUnsaved && !mayLeave.current,
    withResolver: true,
  });
  const question = (
    <Confirm title="Leave without saving?" action="Leave" isOpen={status === "blocked"} onClose={() => reset?.()} onConfirm={() => proceed?.()}>
      What you typed here is lost.
    </Confirm>
  );
  return { question, letLeave: () => (mayLeave.current = true) };
}
