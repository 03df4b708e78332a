// The page of the inbox in a browser: what arrives is drawn as it comes, by channel, with what is wrong with it.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { afterAll, beforeAll, expect, test } from "vitest";

import { World } from "./world";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PICTURES = process.env.SCREENSHOTS;

let world: World;

beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world?.stop());

const slack = (text: string) => ({ text, blocks: [{ type: "section", text: { type: "mrkdwn", text, verbatim: true } }] });
const card = (text: string) => ({
  type: "message",
  attachments: [
    {
      contentType: "application/vnd.microsoft.card.adaptive",
      content: { type: "AdaptiveCard", version: "1.4", body: [{ type: "TextBlock", text, wrap: true }] },
    },
  ],
});

const WORKFLOW = "/powerautomate/automations/direct/workflows/0a/triggers/manual/paths/invoke?api-version=1";

type Axe = { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };

test.each(["light", "dark"] as const)("what arrives is drawn by channel, in the %s theme", async (colorScheme) => {
  const channel = `/services/T/B/${colorScheme}`;
  const visit = await world.page({ colorScheme, reducedMotion: "reduce", ignoreHTTPSErrors: true }, world.inbox);
  const { page } = visit;
  await page.goto(`${world.inbox}/_inbox`);
  await page.getByRole("heading", { name: "Inbox" }).waitFor();
  await world.post(channel, slack("*37 rows* without a customer"));
  await world.post(WORKFLOW, card("**HIGH** The warehouse is slow · [open](https://data.example.com/1)"));
  const column = page.getByRole("region", { name: channel });
  await column.getByText("37 rows").waitFor();
  await column.getByText("answered 200").waitFor();
  // A card's own Markdown is drawn, as in the lines of a digest.
  await page.getByText("The warehouse is slow").first().waitFor();
  await page.locator("strong", { hasText: "HIGH" }).first().waitFor();
  await page.getByRole("link", { name: "open", exact: true }).first().waitFor();
  await world.post(channel, slack("x".repeat(3_001)));
  await column.getByText("Slack would refuse this: invalid_blocks").waitFor();
  expect(await column.getByRole("listitem").first().getByText("answered 400").count()).toBe(1);
  // What nobody can draw is shown as it came, and the page goes on.
  await world.post(channel, { text: 5, blocks: { no: "list" }, attachments: "none" });
  await column.getByText('"no": "list"').waitFor();
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => (window as unknown as { axe: Axe }).axe.run());
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`)).toEqual([]);
  for (const width of [360, 768, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), `${width} px`).toBeLessThanOrEqual(0);
    if (PICTURES !== undefined && colorScheme === "light") {
      mkdirSync(PICTURES, { recursive: true });
      await page.screenshot({ path: `${PICTURES}/inbox-${width}.png` });
    }
  }
  expect(visit.faults).toEqual([]);
  await visit.close();
});
