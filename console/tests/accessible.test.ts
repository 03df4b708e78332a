// Every page in both themes: axe finds nothing, nothing overflows, nothing comes from elsewhere. With SCREENSHOTS set, each
// page is also kept as a picture in three widths.
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

import { afterAll, beforeAll, expect, test } from "vitest";

import { World, type Visit } from "./world";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PICTURES = process.env.SCREENSHOTS;
const WIDTHS = [360, 768, 1440];

let world: World;
let pages: [string, string][];

beforeAll(async () => {
  world = await World.start();
  const visit = await world.page();
  await visit.signIn("alice@example.com");
  pages = await furnished(visit);
  await visit.close();
});
afterAll(() => world?.stop());

/** Asks the API as the user of the page. */
const call = (visit: Visit, path: string, body: unknown) =>
  visit.page.evaluate(
    async ([path, body]) => {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(path as string, { method: "POST", headers, body: JSON.stringify(body) });
      return (await answer.json()) as { id: string };
    },
    [path, body] as const,
  );

const connector = (visit: Visit, name: string, path: string, more: object = {}) =>
  call(visit, "/spaces/data/alert-connectors", {
    name,
    connector_type: "slack",
    webhook_url: `${world.inbox}${path}`,
    severity_filter: [],
    ...more,
  });

/** Fills the space, and names every page with its address. */
async function furnished(visit: Visit): Promise<[string, string][]> {
  await world.behave("/services/T/B/gone", "slack:no_service");
  const good = await connector(visit, "#data-quality", "/services/T/B/good");
  await connector(visit, "#warehouse-oncall", "/services/T/B/gone");
  await connector(visit, `#${"a-very-long-name-".repeat(6)}`, "/services/T/B/long", { alert_type_filter: ["dbt_test_failed"] });
  const alert = await call(visit, "/spaces/data/alerts", {
    alert_type: "dbt_test_failed",
    title: "orders: 37 rows without a customer",
    severity: "critical",
    dedup_key: "orders",
    description: "The test `not_null_orders_customer_id` failed.",
    fields: [{ name: "Model", value: "analytics.orders" }],
  });
  await call(visit, "/spaces/data/alerts", {
    alert_type: "freshness",
    title: "An identifier without a place to break: " + "warehouse_".repeat(20),
    severity: "medium",
    description: "x".repeat(4_000),
  });
  return [
    ["sign-in", "/sign-in"],
    ["connectors", "/spaces/data/connectors"],
    ["new-connector", "/spaces/data/connectors/new"],
    ["connector", `/spaces/data/connectors/${good.id}`],
    ["connector-deliveries", `/spaces/data/connectors/${good.id}/deliveries`],
    ["deliveries", "/spaces/data/deliveries"],
    ["alerts", "/spaces/data/alerts"],
    ["alert", `/spaces/data/alerts/${alert.id}`],
    ["send", "/spaces/data/send"],
    ["members", "/spaces/data/members"],
    ["audit", "/spaces/data/audit"],
    ["invitation", "/invitation"],
    ["account", "/account"],
    ["missing", "/nowhere"],
    ["missing-alert", "/spaces/data/alerts/0197c2a0-0000-7000-8000-000000000001"],
    ["missing-connector", "/spaces/data/connectors/0197c2a0-0000-7000-8000-000000000001"],
  ];
}

type Axe = { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };

async function settled(visit: Visit): Promise<void> {
  await visit.page.getByText("Loading…").waitFor({ state: "detached" });
}

/** What axe finds on a page, and at which widths the page scrolls sideways. */
async function faultsOf(visit: Visit, name: string, keepsPictures: boolean): Promise<string[]> {
  await visit.page.locator("h1, h2").first().waitFor();
  await settled(visit);
  await visit.page.evaluate(AXE);
  const { violations } = await visit.page.evaluate(() => (window as unknown as { axe: Axe }).axe.run());
  const found = violations.map(({ id, nodes }) => `${name}: ${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
  for (const width of WIDTHS) {
    await visit.page.setViewportSize({ width, height: 900 });
    const overflow = await visit.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (overflow > 0) {
      found.push(`${name}: ${overflow} px too wide at ${width} px`);
    }
    if (PICTURES !== undefined && keepsPictures) {
      mkdirSync(PICTURES, { recursive: true });
      await visit.page.screenshot({ path: `${PICTURES}/${name}-${width}.png` });
    }
  }
  await visit.page.setViewportSize({ width: 1440, height: 900 });
  return found;
}

test.each(["light", "dark"] as const)("every page is accessible in the %s theme", async (colorScheme) => {
  const visit = await world.page({ colorScheme, reducedMotion: "reduce" });
  await visit.signIn("alice@example.com");
  const found: string[] = [];
  for (const [name, path] of pages) {
    await visit.open(path);
    if (name === "send") {
      await visit.page.getByLabel("Title").fill("orders: 37 rows without a customer");
      await visit.page.getByRole("region", { name: "Teams preview" }).getByText("orders").waitFor();
    }
    found.push(...(await faultsOf(visit, name, colorScheme === "light")));
  }
  expect(found).toEqual([]);
  expect(visit.faults).toEqual([]);
  await visit.close();
}, 120_000);

test("the longest names, types and alerts stay usable", async () => {
  const visit = await world.page();
  await visit.signIn("alice@example.com");
  const long = { alert_type_filter: ["t".repeat(64), "u".repeat(64)] };
  const { id } = await connector(visit, "n".repeat(120), "/services/T/B/word", long);
  const alert = await call(visit, "/spaces/data/alerts", {
    alert_type: "t".repeat(64),
    title: "w".repeat(1_000),
    severity: "low",
    description: "d ".repeat(8_000),
    fields: Array.from({ length: 40 }, (_, at) => ({ name: `${"f".repeat(90)}${at}`, value: `${"v".repeat(60)}\n`.repeat(12) })),
    actions: [{ label: "l".repeat(60), url: `https://example.com/${"p".repeat(900)}` }],
  });
  const found: string[] = [];
  for (const [name, path] of [
    ["connectors", "/spaces/data/connectors"],
    ["connector", `/spaces/data/connectors/${id}`],
    ["history", `/spaces/data/connectors/${id}/deliveries`],
    ["deliveries", "/spaces/data/deliveries"],
    ["alerts", "/spaces/data/alerts"],
    ["alert", `/spaces/data/alerts/${alert.id}`],
  ] as const) {
    await visit.open(path);
    found.push(...(await faultsOf(visit, name, false)));
  }
  // The fields are folded, so that the deliveries are not pushed out of sight.
  await visit.page.getByRole("button", { name: "Show 38 more fields" }).click();
  found.push(...(await faultsOf(visit, "alert with every field", false)));
  expect(await visit.page.getByRole("button", { name: "Show fewer fields" }).count()).toBe(1);
  expect(found).toEqual([]);
  expect(visit.faults).toEqual([]);
  await visit.close();
}, 120_000);
