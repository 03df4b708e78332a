// What the space uses of what it may have, and that it is full.
import { useQuery } from "@tanstack/react-query";

import { usageQuery } from "../api/queries";
import { ErrorLine } from "../parts/Notice";
import { usageWords } from "../usage";
import styles from "./page.module.css";

/** Nothing where the operator has set no limit. */
export function SpaceUsage({ slug }: { slug: string }) {
  const { data: usage } = useQuery(usageQuery(slug));
  const words = usage ? usageWords(usage) : [];
  return (
    <>
      <FullSpace slug={slug} />
      {words.length > 0 && (
        <p className={`${styles.subtle} ${styles.small}`} aria-label="Quota">
          {words.join(" · ")}
        </p>
      )}
    </>
  );
}

/** Nothing unless new alerts are refused. */
export function FullSpace({ slug }: { slug: string }) {
  const { data: usage } = useQuery(usageQuery(slug));
  if (usage?.is_full !== true) {
    return null;
  }
  return (
    <ErrorLine>
      This space stores as much as it may, so new alerts are refused. Resolve open problems, repair connectors with pending messages or
      switch them off, or ask an operator for more room.
    </ErrorLine>
  );
}
