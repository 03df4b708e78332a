// A moment, in words relative to now; the exact local time appears on hover and for screen readers.
import { useEffect, useState } from "react";

import { ago } from "./ago";

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

export function Time({ at }: { at: string }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  const moment = new Date(at);
  return (
    <time dateTime={at} title={exact.format(moment)}>
      {ago(moment.getTime(), Math.max(now, Date.now()))}
    </time>
  );
}
