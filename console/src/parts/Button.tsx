// A button, or a link that looks like one.
import { createLink } from "@tanstack/react-router";
import type { AnchorHTMLAttributes, ButtonHTMLAttributes, MouseEvent } from "react";

import styles from "./button.module.css";

type Look = "primary" | "plain" | "danger" | "quiet";

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { look?: Look; isBusy?: boolean };

/** A button that is busy does nothing and keeps the keyboard's focus, which one that is disabled would lose. */
export function Button({ look = "plain", isBusy = false, className, onClick, ...rest }: ButtonProps) {
  const click = (event: MouseEvent<HTMLButtonElement>) => (isBusy ? event.preventDefault() : onClick?.(event));
  const classes = [styles.button, styles[look], className].join(" ");
  return <button type="button" className={classes} aria-disabled={isBusy || undefined} onClick={click} {...rest} />;
}

function Anchor({ look = "plain", ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { look?: Look }) {
  return <a className={[styles.button, styles[look]].join(" ")} {...rest} />;
}

export const ButtonLink = createLink(Anchor);
