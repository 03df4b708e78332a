// What is shown where there is no page, or where a page fails as a whole.
import { Link, type ErrorComponentProps } from "@tanstack/react-router";

import { ErrorNotice } from "../parts/Notice";
import styles from "./sign-in.module.css";

export function NotFoundPage() {
  return (
    <main className={styles.page}>
      <h1>There is no such page</h1>
      <p>
        <Link to="/">Go to your spaces</Link>
      </p>
    </main>
  );
}

export const PageError = ({ error, reset }: ErrorComponentProps) => <ErrorNotice error={error} retry={reset} />;
