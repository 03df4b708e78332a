// Where the focus goes when what had it is gone.

const FOCUSABLE = "a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary";

/** Puts it on what stood before something that is about to go, so that the keyboard goes on at the same place. */
export function focusBefore(gone: Element): void {
  const all = [...document.querySelectorAll<HTMLElement>(FOCUSABLE)];
  const before = all.filter((one) => gone.compareDocumentPosition(one) === Node.DOCUMENT_POSITION_PRECEDING);
  const last = before.at(-1);
  if (last) {
    last.focus({ preventScroll: true });
  } else {
    focusContent();
  }
}

/** Puts it on the content of the page, so that the keyboard and screen readers go on there. */
export function focusContent(): void {
  document.getElementById("content")?.focus({ preventScroll: true });
}
