// A moment, in words relative to now; the exact local time appears on hover and for screen readers.
import { useEffect, useState } from "react";

import { ago, lasting } from "./ago";

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

/** When something was or will be: "3 minutes ago". */
export const Time = ({ at }: { at: string }) => <Relative at={at} words={ago} />;

/** How long something has been so: "3 minutes". */
export const Lasting = ({ since }: { since: string }) => <Relative at={since} words={lasting} />;

function Relative({ at, words }: { at: string; words: (at: number, now: number) => string }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  const moment = new Date(at);
  return (
    <time dateTime={at} title={exact.format(moment)}>
      {words(moment.getTime(), Math.max(now, Date.now()))}
    </time>
  );
}
