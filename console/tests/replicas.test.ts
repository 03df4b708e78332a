// The console before two servers on one PostgreSQL database: what happens at one is seen at the other.
import { afterAll, beforeAll, expect, test } from "vitest";

import { World } from "./world";

let world: World;

beforeAll(async () => {
  world = await World.startReplicas();
});
afterAll(() => world?.stop());

test("what is done at one server is seen at once at the other", async () => {
  const here = await world.page({}, world.bases[0]);
  const there = await world.page({}, world.bases[1]);
  await here.signIn("alice@example.com", "/spaces/data/connectors");
  await there.signIn("alice@example.com", "/spaces/data/connectors");
  await there.page.getByText("No connector yet").waitFor();
  await here.open("/spaces/data/connectors/new");
  await here.page.getByLabel("Webhook URL").fill(`${world.inbox}/services/T/B/replicas`);
  await here.page.getByLabel("Name", { exact: true }).fill("#replicas");
  await here.page.getByRole("button", { name: "Save" }).click();
  const row = there.page.getByRole("listitem", { name: "#replicas" });
  await row.getByText("Idle", { exact: true }).waitFor();
  await there.open("/spaces/data/deliveries");
  await there.page.getByText("Nothing was sent here yet").waitFor();
  await here.open("/spaces/data/send");
  await here.page.getByLabel("Title").fill("From one to the other");
  await here.page.getByRole("button", { name: "Send alert" }).click();
  const delivery = there.page.getByRole("listitem").filter({ hasText: "From one to the other" });
  await delivery.getByText("Delivered", { exact: true }).waitFor();
  await world.behave("/services/T/B/replicas", "slack:no_service");
  await there.open("/spaces/data/connectors");
  await row.getByText("Healthy", { exact: true }).waitFor();
  await here.open("/spaces/data/send");
  await here.page.getByLabel("Title").fill("The channel is gone");
  await here.page.getByRole("button", { name: "Send alert" }).click();
  await row.getByText("Blocked", { exact: true }).waitFor();
  expect([...here.faults, ...there.faults]).toEqual([]);
  await here.close();
  await there.close();
});
