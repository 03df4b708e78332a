// What a page says instead of content: that something went wrong, that there is nothing, that it is loading.
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { ApiProblem } from "../api/problem";
import { Button } from "./Button";
import styles from "./notice.module.css";

/** What is not there will not be there the next time: then there is a way on, and nothing to try again. */
export function ErrorNotice({ error, retry, wayOn }: { error: unknown; retry?: () => void; wayOn?: ReactNode }) {
  const sentences = error instanceof ApiProblem ? error.sentences : ["Something went wrong here. Reload the page."];
  const isAbsent = error instanceof ApiProblem && error.status === 404;
  return (
    <div className={`${styles.notice} ${styles.error}`} role="alert">
      <div>
        {sentences.map((sentence, at) => (
          <p key={at}>{sentence}</p>
        ))}
      </div>
      {isAbsent && (wayOn ?? <Link to="/">Go to your spaces</Link>)}
      {!isAbsent && wayOn}
      {retry && !isAbsent && <Button onClick={retry}>Try again</Button>}
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
      {children}
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
