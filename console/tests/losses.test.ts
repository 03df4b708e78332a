// What a person would lose is asked for first, and what a connector missed can be found.
import { afterAll, beforeAll, expect, test } from "vitest";

import { World, type Visit } from "./world";

let world: World;

beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world?.stop());

const row = (visit: Visit, name: string) => visit.page.getByRole("listitem", { name, exact: true });

/** Asks the API as the user of the page. */
const call = (visit: Visit, method: string, path: string, body?: unknown) =>
  visit.page.evaluate(
    async ([method, path, body]) => {
      const answer = await fetch(path as string, {
        method: method as string,
        headers: { "content-type": "application/json" },
        body: body === undefined ? null : JSON.stringify(body),
      });
      const text = await answer.text();
      return { status: answer.status, body: (text === "" ? {} : JSON.parse(text)) as { id: string } };
    },
    [method, path, body] as const,
  );

async function connect(visit: Visit, name: string, path: string, more: object = {}): Promise<string> {
  const body = { name, connector_type: "slack", webhook_url: `${world.inbox}${path}`, severity_filter: [], ...more };
  return (await call(visit, "POST", "/spaces/data/alert-connectors", body)).body.id;
}

const post = async (visit: Visit, alert: object) =>
  (await call(visit, "POST", "/spaces/data/alerts", { alert_type: "a", severity: "high", ...alert })).body.id;

test("a pause and what it missed are found when it is over", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com");
  const id = await connect(visit, "#paused", "/services/T/B/paused", { severity_filter: ["critical"] });
  await visit.open("/spaces/data/connectors");
  const active = row(visit, "#paused").getByRole("switch", { name: "Active" });
  await active.click();
  await row(visit, "#paused").getByText("Paused", { exact: true }).waitFor();
  await post(visit, { title: "Missed", severity: "critical" });
  await post(visit, { title: "Filtered", severity: "low" });
  await active.click();
  await row(visit, "#paused").getByText("Idle", { exact: true }).waitFor();
  for (const address of ["/spaces/data/deliveries", `/spaces/data/connectors/${id}/deliveries`]) {
    await visit.open(address);
    await page.getByText("#paused receives alerts again").waitFor();
    const pause = page.getByRole("listitem").filter({ hasText: "#paused was switched off" });
    await pause.getByText("Show what it missed").click();
    await pause.getByRole("link", { name: "Missed", exact: true }).waitFor();
    expect(await pause.getByRole("link", { name: "Filtered" }).count()).toBe(0);
    await pause.getByRole("link", { name: "Show 1 alert among the alerts" }).click();
    await page.getByRole("link", { name: "Missed", exact: true }).waitFor();
    expect(await page.getByRole("link", { name: "Filtered" }).count()).toBe(0);
  }
  // One that is deleted while it is switched off receives nothing again.
  const gone = await connect(visit, "#gone", "/services/T/B/gone", { is_active: false });
  await call(visit, "DELETE", `/spaces/data/alert-connectors/${gone}`);
  await visit.open("/spaces/data/deliveries");
  await page.getByText("#gone was deleted while it was switched off").waitFor();
  expect(visit.faults).toEqual([]);
  await visit.close();
});

test("a delivery keeps the title that its message has", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com");
  const id = await connect(visit, "#titles", "/services/T/B/titles");
  await post(visit, { title: "Slow", dedup_key: "k" });
  await visit.open(`/spaces/data/connectors/${id}/deliveries`);
  await page.getByRole("listitem").getByText("Delivered", { exact: true }).waitFor();
  await post(visit, { title: "Down", severity: "critical", dedup_key: "k" });
  const said = (title: string) => page.getByRole("listitem").filter({ has: page.getByRole("link", { name: title, exact: true }) });
  await said("Down").getByText("Severity raised").waitFor();
  await said("Down").getByText("Critical", { exact: true }).waitFor();
  await said("Slow").getByText("High", { exact: true }).waitFor();
  await visit.close();
});

test("what is pending is cancelled only after a question", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com");
  await connect(visit, "#held", "/services/T/B/held");
  await world.behave("/services/T/B/held", "slack:no_service");
  await post(visit, { title: "Held back" });
  await visit.open("/spaces/data/connectors");
  await row(visit, "#held").getByText("Blocked", { exact: true }).waitFor();
  const active = row(visit, "#held").getByRole("switch", { name: "Active" });
  await active.click();
  const question = page.getByRole("alertdialog");
  await question.getByText("Switch off “#held”?").waitFor();
  await question.getByText(/pending messages? (is|are) cancelled/).waitFor();
  await question.getByRole("button", { name: "Cancel" }).click();
  await question.waitFor({ state: "detached" });
  await row(visit, "#held").getByText("Blocked", { exact: true }).waitFor();
  await active.click();
  await question.getByRole("button", { name: "Switch off" }).click();
  await row(visit, "#held").getByText("Paused", { exact: true }).waitFor();
  await world.behaveNormally();
  // A retry would be refused, so none is offered.
  const cancelled = page.getByRole("listitem").filter({ hasText: "Held back" });
  await visit.open("/spaces/data/deliveries?state=cancelled");
  await cancelled.getByText("may be retried once its connector is switched on").waitFor();
  expect(await cancelled.getByRole("button", { name: "Retry" }).count()).toBe(0);
  await visit.open("/spaces/data/connectors");
  await row(visit, "#held").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete connector" }).click();
  await row(visit, "#held").waitFor({ state: "detached" });
  // What had the focus is gone.
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("content");
  await visit.open("/spaces/data/deliveries?state=cancelled");
  await cancelled.getByText("its connector was deleted meanwhile").waitFor();
  expect(await cancelled.getByRole("button", { name: "Retry" }).count()).toBe(0);
  await visit.close();
});

test("what is typed is not lost without a question", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com", "/spaces/data/connectors/new");
  await page.getByLabel("Name", { exact: true }).fill("#unsaved");
  await page.getByRole("link", { name: "Alerts", exact: true }).click();
  const question = page.getByRole("alertdialog");
  await question.getByText("Leave without saving?").waitFor();
  await question.getByRole("button", { name: "Cancel" }).click();
  expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("#unsaved");
  await page.getByRole("link", { name: "Alerts", exact: true }).click();
  await question.getByRole("button", { name: "Leave" }).click();
  await page.getByRole("heading", { name: "Alerts" }).waitFor();
  expect(visit.faults).toEqual([]);
  await visit.close();
});

test("a role is saved when one says so, and one's own only after a question", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com", "/spaces/data/members");
  await page.getByLabel("Role of Vera Chen").selectOption("admin");
  expect(await page.getByText("Saved.").count()).toBe(0);
  await page.getByRole("button", { name: "Save role" }).click();
  await page.getByText("Saved.").waitFor();
  await page.getByLabel("Role of Alice Johnson").selectOption("viewer");
  await page.getByRole("button", { name: "Save role" }).click();
  await page.getByText("Give up your own role of admin?").waitFor();
  await page.getByRole("button", { name: "Give it up" }).click();
  await page.getByText("Changing members needs the role admin").waitFor();
  expect(await page.getByRole("button", { name: "Remove" }).count()).toBe(0);
  await visit.close();
  const other = await world.page();
  await other.signIn("vera@example.com", "/spaces/data/members");
  await other.page.getByLabel("Role of Alice Johnson").selectOption("admin");
  await other.page.getByRole("button", { name: "Save role" }).click();
  await other.page.getByText("Saved.").waitFor();
  await other.page.getByLabel("Role of Vera Chen").selectOption("viewer");
  await other.page.getByRole("button", { name: "Save role" }).click();
  await other.page.getByRole("button", { name: "Give it up" }).click();
  await other.page.getByText("Changing members needs the role admin").waitFor();
  await other.close();
});

test("of many connectors an alert shows some, those that heard of it first", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com");
  for (let number = 0; number < 30; number += 1) {
    await connect(visit, `#quiet-${number}`, "/services/T/B/quiet", { alert_type_filter: ["other"] });
  }
  await connect(visit, "#heard", "/services/T/B/heard", { alert_type_filter: ["many"] });
  const id = await post(visit, { title: "Many", alert_type: "many" });
  await visit.open(`/spaces/data/alerts/${id}`);
  const connectors = page.getByRole("region", { name: "Connectors" });
  await connectors.getByRole("listitem").filter({ hasText: "#heard" }).getByText("Was notified").waitFor();
  expect(await connectors.getByRole("listitem").count()).toBe(20);
  await connectors.getByRole("button", { name: /^Show \d+ more connectors$/ }).click();
  await connectors.getByText("#quiet-29").waitFor();
  // The button is gone, and the keyboard goes on at what it has shown.
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("LI");
  // A search for a connector outlives the way there and back.
  await visit.open("/spaces/data/connectors");
  await page.getByLabel("Find by name").fill("QUIET-7");
  await page.getByLabel("State").selectOption("Idle");
  await row(visit, "#heard").waitFor({ state: "detached" });
  await page.getByRole("link", { name: "#quiet-7" }).click();
  await page.getByRole("heading", { name: "#quiet-7" }).waitFor();
  await page.goBack();
  await row(visit, "#quiet-7").waitFor();
  expect(await page.getByLabel("Find by name").inputValue()).toBe("QUIET-7");
  expect(await row(visit, "#heard").count()).toBe(0);
  await visit.close();
});

test("a role that was lost is noticed where it is refused, and a viewer is offered no key that can't send", async () => {
  const [admin, visit] = [await world.page(), await world.page()];
  const { page } = visit;
  await admin.signIn("alice@example.com");
  const set = (role: string) => call(admin, "PUT", "/spaces/data/members/vera@example.com", { role });
  await set("editor");
  await visit.signIn("vera@example.com", "/spaces/data/connectors/new");
  await page.getByLabel("Webhook URL").fill(`${world.inbox}/services/T/B/lost`);
  await page.getByLabel("Name", { exact: true }).fill("#lost");
  await set("viewer");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Creating a connector needs the role editor").waitFor();
  await visit.open("/account");
  await page.getByText("You are an editor of no space, so a key of yours can’t send yet.").waitFor();
  await page.getByLabel("What it may do").selectOption("Everything I may do");
  await page.getByText("can’t send yet").waitFor({ state: "detached" });
  await page.getByLabel("Space", { exact: true }).selectOption("Data");
  await Promise.all([admin.close(), visit.close()]);
});

test("someone who was no user yet is invited, chooses a password and later another", async () => {
  const admin = await world.page();
  await admin.signIn("alice@example.com", "/spaces/data/members");
  await admin.page.getByLabel("E-mail").fill("nora@example.com");
  await admin.page.getByRole("button", { name: "Add" }).click();
  const link = await admin.page.getByText(/console\/invitation#acinvite_/).textContent();
  await admin.page.getByRole("listitem").filter({ hasText: "nora@example.com" }).waitFor();
  const visit = await world.page();
  const { page } = visit;
  await page.goto(link ?? "");
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Set password" }).click();
  await page.getByText("A password has at least 8 characters.").waitFor();
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Set password" }).click();
  await page.getByText("Your password is set.").waitFor();
  expect(page.url()).toBe(`${world.base}/console/invitation`);
  const signIn = async (password: string) => {
    await page.getByLabel("E-mail").fill("nora@example.com");
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
  };
  await page.getByRole("link", { name: "Sign in with it" }).click();
  await signIn("correct horse");
  await page.getByRole("link", { name: "Alerts" }).waitFor();
  await visit.open("/account");
  await page.getByLabel("Current password").fill("wrong");
  await page.getByLabel("New password").fill("battery staple");
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByText("is not your password").waitFor();
  await page.getByLabel("Current password").fill("correct horse");
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await signIn("battery staple");
  await page.getByRole("heading", { name: "Account" }).waitFor();
  // The link is good once.
  const other = await world.page();
  await other.page.goto(link ?? "");
  await other.page.getByLabel("Password").fill("correct horse");
  await other.page.getByRole("button", { name: "Set password" }).click();
  await other.page.getByText("This invitation is not valid").waitFor();
  await Promise.all([admin.close(), visit.close(), other.close()]);
});

test("the audit trail says who did what to admins alone", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com");
  const id = await connect(visit, "#audited", "/services/T/B/audited");
  await call(visit, "PATCH", `/spaces/data/alert-connectors/${id}`, { name: "#renamed", alert_type_filter: ["a", "b"] });
  await visit.open("/spaces/data/audit");
  const changed = page.getByRole("listitem").filter({ hasText: "Connector changed: #audited" });
  await changed.getByText("name: #audited → #renamed").waitFor();
  await changed.getByText("alert_type_filter: all types → a and b").waitFor();
  await changed.getByText("By alice@example.com, from 127.0.0.1").waitFor();
  await page.getByLabel("What").selectOption("Connector created");
  await page.getByText("Connector created: #audited").waitFor();
  await changed.waitFor({ state: "detached" });
  await page.getByLabel("Who").fill("vera@example.com");
  await page.getByText("Nothing matches these filters").waitFor();
  expect(page.url()).toContain("action=connector_created&actor=vera%40example.com");
  expect(visit.faults).toEqual([]);
  await visit.close();
  const other = await world.page();
  await other.signIn("vera@example.com", "/spaces/data/audit");
  await other.page.getByText("Only admins read the audit trail").waitFor();
  expect(await other.page.getByRole("link", { name: "Audit trail" }).count()).toBe(0);
  expect(other.faults).toEqual([]);
  await other.close();
});

test("what is not there says where to go on", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com", "/spaces/data/alerts/0197c2a0-0000-7000-8000-000000000001");
  await page.getByRole("link", { name: "Show the alerts of this space" }).click();
  await page.getByRole("heading", { name: "Alerts" }).waitFor();
  expect(await page.getByRole("button", { name: "Try again" }).count()).toBe(0);
  await visit.open("/spaces/data/alerts?severity=worst");
  await page.getByText(/Severity must be one of|one of critical/i).waitFor();
  await page.getByRole("link", { name: "Show alerts without filters" }).click();
  await page.getByText("one of critical").waitFor({ state: "detached" });
  await visit.close();
});

test("on a narrow screen the current page stands in view among the pages", async () => {
  const visit = await world.page({ viewport: { width: 360, height: 800 } });
  const { page } = visit;
  await visit.signIn("alice@example.com", "/spaces/data/members");
  await page.getByRole("heading", { name: "Members", exact: true }).waitFor();
  const link = page.getByRole("navigation", { name: "Space Data" }).getByRole("link", { name: "Members" });
  const box = await link.boundingBox();
  expect(box && box.x >= 0 && box.x + box.width <= 360).toBe(true);
  await visit.close();
});

test("the pages say what the space uses, and that it is full", async () => {
  const limited = await World.startAt(0, ["--quota", "connectors=50", "--quota", "stored-bytes=2MiB"]);
  try {
    const visit = await limited.page();
    const { page } = visit;
    await visit.signIn("alice@example.com");
    await visit.open("/spaces/data/connectors");
    await page.getByText("0 of 50 connectors · 0 bytes of 2 MiB stored").waitFor();
    const full = page.getByText("This space stores as much as it may, so new alerts are refused.");
    expect(await full.count()).toBe(0);
    // The server finds that a space is full within ten seconds, which this test does not wait for.
    const { body: usage } = await call(visit, "GET", "/spaces/data/usage");
    await page.route("**/spaces/data/usage", (route) => route.fulfill({ json: { ...usage, is_full: true } }));
    for (const address of ["/spaces/data/connectors", "/spaces/data/alerts"]) {
      await visit.open(address);
      await full.waitFor();
    }
  } finally {
    await limited.stop();
  }
});
