// What is shown where there is no page, or where a page fails as a whole.
import { Link, type ErrorComponentProps } from "@tanstack/react-router";

import { Empty, ErrorNotice } from "../parts/Notice";

export function NotFoundPage() {
  return (
    <Empty title="There is no such page">
      <Link to="/">Go to your spaces</Link>
    </Empty>
  );
}

export const PageError = ({ error, reset }: ErrorComponentProps) => <ErrorNotice error={error} retry={reset} />;
