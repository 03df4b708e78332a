// What a page says instead of content: that something went wrong, that there is nothing, that it is loading.
import type { ReactNode } from "react";

import { ApiProblem } from "../api/problem";
import { Button } from "./Button";
import styles from "./notice.module.css";

export function ErrorNotice({ error, retry }: { error: unknown; retry?: () => void }) {
  const detail = error instanceof ApiProblem ? error.detail : "Something went wrong here. Reload the page.";
  return (
    <div className={`${styles.notice} ${styles.error}`} role="alert">
      <p>{detail}</p>
      {retry && <Button onClick={retry}>Try again</Button>}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={styles.empty}>
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Loading() {
  return (
    <div className={styles.loading} role="status">
      Loading…
    </div>
  );
}

export function Warn({ children }: { children: ReactNode }) {
  return <div className={`${styles.notice} ${styles.warn}`}>{children}</div>;
}

export function ErrorLine({ children }: { children: ReactNode }) {
  return (
    <div className={`${styles.notice} ${styles.error}`} role="alert">
      <p>{children}</p>
    </div>
  );
}

export function Good({ children }: { children: ReactNode }) {
  return (
    <div className={`${styles.notice} ${styles.good}`} role="status">
      {children}
    </div>
  );
}
