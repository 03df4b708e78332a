// A button, or a link that looks like one.
import { createLink } from "@tanstack/react-router";
import type { AnchorHTMLAttributes, ButtonHTMLAttributes } from "react";

import styles from "./button.module.css";

type Look = "primary" | "plain" | "danger" | "quiet";

export function Button({ look = "plain", className, ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { look?: Look }) {
  return <button type="button" className={[styles.button, styles[look], className].join(" ")} {...rest} />;
}

function Anchor({ look = "plain", ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { look?: Look }) {
  return <a className={[styles.button, styles[look]].join(" ")} {...rest} />;
}

export const ButtonLink = createLink(Anchor);
