// A box that scrolls when its content is too long. Then it can be reached by keyboard.
import { useEffect, useRef, useState } from "react";

/** Keeps whether an element has more than it shows. */
export function useScrolls<T extends HTMLElement>() {
  const box = useRef<T>(null);
  const [scrolls, setScrolls] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (!element) {
      return undefined;
    }
    const look = () => setScrolls(element.scrollHeight > element.clientHeight || element.scrollWidth > element.clientWidth);
    const observer = new ResizeObserver(look);
    observer.observe(element);
    look();
    return () => observer.disconnect();
  });
  return { ref: box, tabIndex: scrolls ? 0 : undefined };
}
