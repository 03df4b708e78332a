// Where the focus goes when what had it is gone.

/** Puts it on the content of the page, so that the keyboard and screen readers go on there. */
export function focusContent(): void {
  document.getElementById("content")?.focus({ preventScroll: true });
}
