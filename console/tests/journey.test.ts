// What people do on the console, in a real browser against the real program and its inbox.
import { afterAll, beforeAll, expect, test } from "vitest";

import { World, type Visit } from "./world";

let world: World;

beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world?.stop());

const row = (visit: Visit, name: string) => visit.page.getByRole("listitem", { name, exact: true });

async function makeConnector(visit: Visit, name: string, path: string): Promise<void> {
  const { page } = visit;
  await visit.open("/spaces/data/connectors/new");
  await page.getByLabel("Webhook URL").fill(`${world.inbox}${path}`);
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("button", { name: "Save" }).click();
  await row(visit, name).waitFor();
}

async function deleteConnector(visit: Visit, name: string): Promise<void> {
  const { page } = visit;
  await row(visit, name).getByRole("button", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByText(`Delete “${name}”?`).waitFor();
  await page.getByRole("button", { name: "Delete connector" }).click();
  await row(visit, name).waitFor({ state: "detached" });
}

async function send(visit: Visit, title: string): Promise<void> {
  const { page } = visit;
  await visit.open("/spaces/data/send");
  await page.getByLabel("Title").fill(title);
  await page.getByRole("button", { name: "Send alert" }).click();
  await page.getByRole("heading", { name: title }).waitFor();
}

test("from a webhook to a repaired channel", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com");
  // The only space is entered at once.
  await page.getByRole("heading", { name: "Connectors" }).waitFor();
  await page.getByText("No connector yet").waitFor();
  await page.getByRole("link", { name: "New connector" }).click();
  await page.getByLabel("Webhook URL").fill(`${world.inbox}/services/T/B/orders`);
  await page.getByLabel("Name", { exact: true }).fill("#orders");
  const slack = page.getByRole("region", { name: "Slack preview" });
  await slack.getByText("orders: 37 rows without a customer").waitFor();
  await page.getByRole("button", { name: "Test" }).click();
  await page.getByText("The test message was accepted").waitFor();
  await page.getByRole("button", { name: "Dismiss" }).press("Enter");
  // The answer is gone with its button, and the keyboard goes on where it was.
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("INPUT");
  await page.getByRole("button", { name: "Save" }).click();
  await row(visit, "#orders").getByText("Slack · critical and high · all types").waitFor();

  await visit.open("/spaces/data/send");
  await page.getByLabel("Title").fill("Rows are missing");
  await page.getByLabel("Description").fill("See `orders`.");
  await page.getByRole("region", { name: "Slack preview" }).getByText("Rows are missing").waitFor();
  await page.getByRole("region", { name: "Teams preview" }).getByText("Rows are missing").waitFor();
  await page.getByRole("region", { name: "Connectors" }).getByText("#orders", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Send alert" }).click();
  const deliveries = page.getByRole("region", { name: "Deliveries" });
  await deliveries.getByText("Delivered", { exact: true }).waitFor();
  await deliveries.getByRole("button", { name: "Show message" }).click();
  await deliveries.getByRole("region", { name: "Slack preview" }).getByText("Rows are missing").waitFor();

  await world.behave("/services/T/B/orders", "slack:no_service");
  await send(visit, "The channel is gone");
  await visit.open("/spaces/data/connectors");
  await row(visit, "#orders").getByText("Blocked", { exact: true }).waitFor();
  await row(visit, "#orders").getByText("The channel said: no_service").waitFor();
  await send(visit, "More waits behind it");
  await visit.open("/spaces/data/connectors");
  await row(visit, "#orders").getByText(/messages pending/).waitFor();

  await world.behaveNormally();
  await row(visit, "#orders").getByRole("button", { name: "Test" }).click();
  await row(visit, "#orders").getByText("Healthy", { exact: true }).waitFor();
  await row(visit, "#orders").getByText(/messages? pending/).waitFor({ state: "detached" });
  await visit.open("/spaces/data/alerts");
  await page.getByRole("link", { name: "More waits behind it" }).click();
  await page.getByRole("region", { name: "Deliveries" }).getByText("Delivered", { exact: true }).waitFor();
  expect(visit.faults).toEqual([]);
  await visit.close();
});

test("a change is seen at once, and a lost connection says so and catches up", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com", "/spaces/data/alerts");
  await page.getByRole("heading", { name: "Alerts" }).waitFor();
  const other = await world.page();
  await other.signIn("alice@example.com");
  const seen = page.getByRole("link", { name: "Seen at once" }).waitFor({ timeout: 5_000 }).then(() => Date.now());
  await send(other, "Seen at once");
  const sentAt = Date.now();
  // The promise is two seconds; the rest is for a busy machine.
  expect((await seen) - sentAt).toBeLessThan(4_000);
  await visit.context.setOffline(true);
  await page.getByText("The connection to the server is lost").waitFor();
  await send(other, "Sent while it was lost");
  await visit.context.setOffline(false);
  await page.getByRole("link", { name: "Sent while it was lost" }).waitFor();
  await page.getByText("The connection to the server is lost").waitFor({ state: "detached" });
  await other.close();
  await visit.close();
});

test("why nothing came is asked of the whole space, and what did not arrive is counted before it is sent again", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com");
  await makeConnector(visit, "#refusing", "/services/T/B/refusing");
  await world.behave("/services/T/B/refusing", "slack:invalid_blocks");
  await send(visit, "Refused in every form");
  await visit.open("/spaces/data/deliveries?state=failed");
  const failed = page.getByRole("listitem").filter({ hasText: "#refusing" });
  await failed.getByText("Failed", { exact: true }).waitFor();
  await failed.getByText("Show attempts").click();
  await failed.getByRole("list", { name: "Attempts" }).getByText("status 400").first().waitFor();
  await page.getByRole("checkbox", { name: "Delivered" }).check();
  await page.getByRole("checkbox", { name: "Failed" }).uncheck();
  await failed.waitFor({ state: "detached" });
  expect(page.url()).toMatch(/deliveries\?state=delivered$/);
  await page.getByLabel("Connector").selectOption("#refusing");
  await page.getByText("No delivery matches these filters").waitFor();
  await world.behaveNormally();
  await visit.open("/spaces/data/connectors");
  await row(visit, "#refusing").getByRole("link", { name: "#refusing" }).click();
  await page.getByLabel("Send again what did not arrive in").selectOption("another span");
  await page.getByRole("button", { name: "Replay" }).click();
  await page.getByText("Enter when the span begins.").waitFor();
  await page.getByLabel("From").fill("2026-01-01T00:00");
  await page.getByLabel("Until").fill("2026-01-02T00:00");
  await page.getByRole("button", { name: "Replay" }).click();
  await page.getByText("Nothing of that span failed, so there is nothing to send again.").waitFor();
  expect(await page.getByRole("alertdialog").count()).toBe(0);
  await page.getByLabel("Send again what did not arrive in").selectOption("the last day");
  await page.getByRole("button", { name: "Replay" }).click();
  await page.getByRole("alertdialog").getByText("1 delivery of the last day did not arrive.").waitFor();
  await page.getByRole("alertdialog").getByRole("button", { name: "Replay" }).click();
  await page.getByText("1 delivery queued again.").waitFor();
  await page.getByRole("listitem").getByText("Delivered", { exact: true }).waitFor();
  await visit.open("/spaces/data/connectors");
  await deleteConnector(visit, "#refusing");
  expect(visit.faults).toEqual([]);
  await visit.close();
});

test("a fault of the server stands at its field", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com", "/spaces/data/connectors/new");
  await page.getByLabel("Webhook URL").fill("http://hooks.slack.com/services/x");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Webhook URL must begin with https://").waitFor();
  const name = page.getByLabel("Name", { exact: true });
  expect(await name.getAttribute("aria-invalid")).toBe("true");
  await page.getByLabel("Webhook URL").fill("https://acme.slack.com/archives/C1");
  await page.getByText("Slack page, no webhook").waitFor();
  await visit.close();
});

test("an unfiltered connector is saved only after a warning", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com", "/spaces/data/connectors/new");
  await page.getByLabel("Webhook URL").fill(`${world.inbox}/services/T/B/all`);
  await page.getByLabel("Name", { exact: true }).fill("#all");
  for (const severity of ["Medium", "Low"]) {
    await page.getByRole("checkbox", { name: severity }).check();
  }
  // The first test posted them.
  await page.getByText(/This connector receives every alert\. (\d+) of \1 alerts of the last seven days would have matched\./).waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("This connector has no filter").waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await row(visit, "#all").waitFor();
  await deleteConnector(visit, "#all");
  await visit.close();
});

test("a save changes only what was changed, and what is typed counts", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com");
  await makeConnector(visit, "#shared", "/services/T/B/shared");
  const other = await world.page();
  await other.signIn("alice@example.com", "/spaces/data/connectors");
  await row(visit, "#shared").getByRole("link", { name: "Edit" }).click();
  await page.getByLabel("Name", { exact: true }).fill("#renamed");
  // Meanwhile somebody switches it off.
  await row(other, "#shared").getByRole("switch", { name: "Active" }).click();
  await row(other, "#shared").getByText("Paused", { exact: true }).waitFor();
  await page.getByRole("checkbox", { name: "All types" }).uncheck();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("This connector receives nothing: no alert type is chosen. Save again").waitFor();
  await page.getByLabel("Add a type").fill("dbt_test_failed");
  await page.getByRole("button", { name: "Save" }).click();
  await row(visit, "#renamed").getByText("critical and high · dbt_test_failed").waitFor();
  await row(visit, "#renamed").getByText("Paused", { exact: true }).waitFor();
  await deleteConnector(visit, "#renamed");
  await other.close();
  await visit.close();
});

test("an alert has a title, is sent once however often one presses, and names the tab", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com", "/spaces/data/send");
  await page.getByRole("button", { name: "Send alert" }).click();
  await page.getByText("Enter a title").waitFor();
  await page.getByLabel("Title").fill("Pressed twice");
  await page.getByRole("button", { name: "Send alert" }).dblclick();
  await page.getByRole("heading", { name: "Pressed twice" }).waitFor();
  expect(await page.title()).toBe("Pressed twice · Alert Connectors");
  await page.getByRole("link", { name: "Alerts", exact: true }).click();
  await page.getByRole("link", { name: "Pressed twice" }).waitFor();
  expect(await page.getByRole("link", { name: "Pressed twice" }).count()).toBe(1);
  // The new page has the focus.
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("content");
  const types = page.getByLabel("Alert type");
  await types.pressSequentially("manual other");
  expect(await types.inputValue()).toBe("manual other");
  expect(page.url()).toMatch(/alert_type=manual&alert_type=other$/);
  await visit.close();
});

test("an alert says what became of it, and not what would come of it today", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com", "/spaces/data/send");
  await page.getByLabel("Title").fill("Before the connector");
  await page.getByRole("button", { name: "Send alert" }).click();
  await page.getByRole("heading", { name: "Before the connector" }).waitFor();
  const address = page.url();
  await makeConnector(visit, "#afterwards", "/services/T/B/afterwards");
  await page.goto(address);
  const fate = page.getByRole("region", { name: "Connectors" }).getByRole("listitem").filter({ hasText: "#afterwards" });
  await fate.getByText("Got nothing").waitFor();
  await fate.getByText("It was made after this alert. It would match today.").waitFor();
  expect(visit.faults).toEqual([]);
  await visit.close();
});

test("who has no access reads so, and no word of a lost connection", async () => {
  const visit = await world.page();
  await visit.signIn("vera@example.com", "/spaces/nowhere/alerts");
  await visit.page.getByText("There is no such space").waitFor();
  expect(await visit.page.getByText("The connection to the server is lost").count()).toBe(0);
  await visit.close();
});

test("a viewer sees no control that would fail", async () => {
  const admin = await world.page();
  await admin.signIn("alice@example.com");
  await makeConnector(admin, "#seen", "/services/T/B/seen");
  await admin.close();
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("vera@example.com", "/spaces/data/connectors");
  await row(visit, "#seen").waitFor();
  for (const name of ["New connector", "Edit", "Members"]) {
    expect(await page.getByRole("link", { name }).count(), name).toBe(0);
  }
  for (const name of ["Test", "Delete"]) {
    expect(await page.getByRole("button", { name }).count(), name).toBe(0);
  }
  expect(await row(visit, "#seen").getByRole("switch", { name: "Active" }).isDisabled()).toBe(true);
  await row(visit, "#seen").getByRole("link").click();
  await page.getByRole("link", { name: "Show connector" }).click();
  expect(await page.getByLabel("Webhook URL").inputValue()).toBe(`${world.inbox}/…`);
  // A masked URL doesn't show its kind.
  expect(await page.getByText("Address of another host").count()).toBe(0);
  expect(await page.getByRole("button", { name: "Save" }).count()).toBe(0);
  expect(visit.faults).toEqual([]);
  await visit.close();
});

test("an expired session goes on where it was", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com", "/spaces/data/alerts?severity=high&severity=low");
  await page.getByRole("heading", { name: "Alerts" }).waitFor();
  // It ends elsewhere; the page hears of it by itself.
  const [cookie] = await visit.context.cookies();
  const headers = { cookie: `${cookie?.name}=${cookie?.value}`, origin: world.base };
  expect((await fetch(`${world.base}/auth/session`, { method: "DELETE", headers })).status).toBe(204);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.getByLabel("E-mail").fill("alice@example.com");
  await page.getByLabel("Password").fill("correct horse battery staple");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Alerts" }).waitFor();
  expect(page.url()).toBe(`${world.base}/console/spaces/data/alerts?severity=high&severity=low`);
  expect(await page.getByRole("checkbox", { name: "High" }).isChecked()).toBe(true);
  await visit.close();
});

test("what is typed outlives an expired session, for the same user alone", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com", "/spaces/data/send");
  const expire = async () => {
    await page.getByLabel("Title").fill("Half written");
    const [cookie] = await visit.context.cookies();
    const headers = { cookie: `${cookie?.name}=${cookie?.value}`, origin: world.base };
    expect((await fetch(`${world.base}/auth/session`, { method: "DELETE", headers })).status).toBe(204);
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
  };
  const signIn = async (email: string) => {
    await page.getByLabel("E-mail").fill(email);
    await page.getByLabel("Password").fill("correct horse battery staple");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Send" }).waitFor();
    return page.getByLabel("Title").inputValue();
  };
  await expire();
  expect(await signIn("alice@example.com")).toBe("Half written");
  await expire();
  expect(await signIn("vera@example.com")).toBe("");
  await visit.close();
});

test("the session is out of every script's reach, and of no use to another site", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com");
  const [cookie] = await visit.context.cookies();
  expect(cookie).toMatchObject({ name: "__Host-session", httpOnly: true, secure: true, sameSite: "Strict" });
  expect(await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain("acs_");
  const stolen = await fetch(`${world.base}/spaces`, {
    method: "POST",
    headers: { cookie: `${cookie?.name}=${cookie?.value}`, origin: "https://evil.example.com", "content-type": "application/json" },
    body: JSON.stringify({ slug: "stolen", name: "Stolen" }),
  });
  expect(stolen.status).toBe(403);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(await visit.context.cookies()).toEqual([]);
  await visit.close();
});

test("a connector is made by keyboard alone", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com", "/spaces/data/connectors");
  const reach = async (role: "link" | "button" | "textbox" | "checkbox", name: string) => {
    const wanted = page.getByRole(role, { name, exact: true });
    await wanted.waitFor();
    for (let steps = 0; steps < 60; steps += 1) {
      if (await wanted.evaluate((element) => element === document.activeElement)) {
        return;
      }
      await page.keyboard.press("Tab");
    }
    throw new Error(`${role} ${name} is out of the keyboard's reach`);
  };
  await reach("link", "New connector");
  await page.keyboard.press("Enter");
  await reach("textbox", "Webhook URL");
  await page.keyboard.type(`${world.inbox}/services/T/B/keys`);
  await reach("textbox", "Name");
  await page.keyboard.type("#keys");
  await reach("checkbox", "Medium");
  await page.keyboard.press("Space");
  await reach("button", "Save");
  await page.keyboard.press("Enter");
  await row(visit, "#keys").getByText("critical, high and medium").waitFor();
  await visit.close();
});

test("links of messages and the root lead to the console", async () => {
  const visit = await world.page();
  await visit.page.goto(`${world.base}/`);
  await visit.page.getByRole("heading", { name: "Sign in" }).waitFor();
  await visit.page.goto(`${world.base}/spaces/data/alerts/0197c2a0-0000-7000-8000-000000000001`);
  await visit.page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(visit.page.url()).toContain("/console/sign-in?to=");
  await visit.close();
});

test("a key is shown once and revoked", async () => {
  const visit = await world.page();
  const { page } = visit;
  await visit.signIn("alice@example.com", "/account");
  await page.getByLabel("Name", { exact: true }).fill("dbt");
  await page.getByLabel("Ends").selectOption("In 30 days");
  await page.getByRole("button", { name: "Create key" }).click();
  await page.getByText("ends in 29 days").waitFor();
  await page.getByText(/^ack_/).waitFor();
  // A key for every space is good in no address.
  expect(await page.getByText(/hooks\/ack_/).count()).toBe(0);
  await page.getByLabel("Name", { exact: true }).fill("jenkins");
  await page.getByLabel("Space", { exact: true }).selectOption("Data");
  await page.getByRole("button", { name: "Create key" }).click();
  const url = await page.getByText(/hooks\/ack_/).textContent();
  const posted = await page.evaluate(async (url) => (await fetch(url, { method: "POST", body: '{"text": "by hook"}' })).text(), url ?? "");
  expect(posted).toBe("ok");
  await page.getByRole("listitem").filter({ hasText: "jenkins" }).getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("button", { name: "Revoke key" }).click();
  await page.getByText("jenkins").waitFor({ state: "detached" });
  await page.reload();
  await page.getByText("never used").waitFor();
  expect(await page.getByText(/^ack_/).count()).toBe(0);
  await page.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("button", { name: "Revoke key" }).click();
  await page.getByText("No API key yet").waitFor();
  await visit.close();
});
