// The choice of spaces; the only one is entered at once.
import { useSuspenseQuery } from "@tanstack/react-query";
import { Link, Navigate } from "@tanstack/react-router";

import { meQuery } from "../api/queries";
import { PlainBadge } from "../parts/Badge";
import { Empty } from "../parts/Notice";
import styles from "./page.module.css";

export function SpacesPage() {
  const { data: me } = useSuspenseQuery(meQuery);
  const [only] = me.spaces;
  if (me.spaces.length === 1 && only) {
    return <Navigate to="/spaces/$slug/connectors" params={{ slug: only.slug }} replace />;
  }
  return (
    <div className={styles.page}>
      <h1>Spaces</h1>
      {me.spaces.length === 0 && (
        <Empty title="You have no space yet">
          <p>Ask an admin of a space to add you as {me.user.email}, or an operator to create one.</p>
        </Empty>
      )}
      <ul className={styles.rows}>
        {me.spaces.map((space) => (
          <li key={space.id} className={styles.row}>
            <div className={styles.line}>
              <Link className={`${styles.name} ${styles.grow}`} to="/spaces/$slug/connectors" params={{ slug: space.slug }}>
                {space.name}
              </Link>
              <PlainBadge>{space.role}</PlainBadge>
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}
