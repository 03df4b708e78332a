// A text with a button that copies it.
import { useState } from "react";

import styles from "../pages/page.module.css";
import { Button } from "./Button";

/** `what` names it, such as "key". */
export function Copied({ text, what }: { text: string; what: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return (
    <div className={styles.line}>
      <code className={styles.break}>{text}</code>
      <Button aria-label={`Copy ${what}`} onClick={() => void copy()}>
        {isCopied ? "Copied" : "Copy"}
      </Button>
    </div>
  );
}
