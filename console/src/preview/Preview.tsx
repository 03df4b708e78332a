// The preview of one platform, whose renderer is loaded when it is first needed.
import { lazy, Suspense } from "react";

import type { ConnectorType } from "../api/generated";
import styles from "./preview.module.css";

const renderers = {
  slack: lazy(() => import("./SlackPreview")),
  teams: lazy(() => import("./TeamsPreview")),
};

export const platformName: Record<ConnectorType, string> = { slack: "Slack", teams: "Teams" };

/** `of` tells it from others on the same page. */
export function Preview({ platform, payload, of }: { platform: ConnectorType; payload: unknown; of?: string }) {
  const label = `${platformName[platform]} preview`;
  return (
    <section className={styles.preview} aria-label={of === undefined ? label : `${label} of ${of}`}>
      <h2 className={styles.title}>{label}</h2>
      {payload === undefined ? <div className={styles.waiting} /> : <Drawing platform={platform} payload={payload} />}
    </section>
  );
}

/** A payload as its platform draws it. */
export function Drawing({ platform, payload }: { platform: ConnectorType; payload: unknown }) {
  const Renderer = renderers[platform];
  return (
    <Suspense fallback={<div className={styles.waiting} />}>
      <Renderer payload={payload} />
    </Suspense>
  );
}
