// A list that shows its beginning, and the rest when it is asked for.
import { useLayoutEffect, useRef, useState, type ReactNode } from "react";

import styles from "../pages/page.module.css";
import { Button } from "./Button";

/** `what` names the items that are folded away, such as "deliveries". */
export function Fold<T>({ items, shown, what, children }: { items: T[]; shown: number; what: string; children: (item: T) => ReactNode }) {
  const [isOpen, setOpen] = useState(false);
  const list = useRef<HTMLUListElement>(null);
  // The button goes: the keyboard goes on at the first item that it has shown.
  useLayoutEffect(() => {
    const item = isOpen ? list.current?.children.item(shown) : null;
    if (item instanceof HTMLElement) {
      item.tabIndex = -1;
      item.focus({ preventScroll: true });
    }
  }, [isOpen, shown]);
  const first = isOpen ? items : items.slice(0, shown);
  return (
    <>
      <ul ref={list} className={styles.rows}>{first.map(children)}</ul>
      {items.length > first.length && (
        <div className={styles.more}>
          <Button onClick={() => setOpen(true)}>
            Show {(items.length - first.length).toLocaleString("en")} more {what}
          </Button>
        </div>
      )}
    </>
  );
}
