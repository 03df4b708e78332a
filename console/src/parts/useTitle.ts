// The title of the browser's tab: that of the page, as its heading says it.
import { useEffect } from "react";

const PRODUCT = "Alert Connectors";

/** Keeps the title of the document that of the first heading, also once it is loaded or changes. */
export function useTitle() {
  useEffect(() => {
    const name = () => {
      const heading = document.querySelector("h1, h2")?.textContent.trim();
      const title = heading ? `${heading} · ${PRODUCT}` : PRODUCT;
      if (document.title !== title) {
        document.title = title;
      }
    };
    name();
    const observer = new MutationObserver(name);
    observer.observe(document.body, { childList: true, subtree: true, characterData: true });
    return () => observer.disconnect();
  }, []);
}
