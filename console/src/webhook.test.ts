// Addresses that people paste, and what each of them is.
import { expect, test } from "vitest";

import { recognise } from "./webhook";

const rows: [string, string | undefined, string | undefined][] = [
  ["https://hooks.slack.com/services/T00/B00/xxx", "slack", "Slack app webhook"],
  ["  https://hooks.slack.com/services/T00/B00/xxx  ", "slack", "Slack app webhook"],
  ["https://hooks.slack.com/triggers/T00/1/x", undefined, "Slack workflow"],
  ["https://acme.slack.com/archives/C01", undefined, "Slack page, no webhook"],
  ["https://app.slack.com/client/T0/C0", undefined, "Slack page, no webhook"],
  ["https://prod-1.westeurope.logic.azure.com:443/workflows/x", "teams", "Teams workflow"],
  ["https://default0.api.powerplatform.com/powerautomate/x", "teams", "Teams workflow"],
  ["https://acme.webhook.office.com/webhookb2/x", "teams", "Retired Office 365 connector"],
  ["https://teams.microsoft.com/l/channel/x", undefined, "Teams page, no webhook"],
  ["https://hooks.slack.com.evil.example/services/x", undefined, "Address of another host"],
  ["hooks.slack.com/services/T00/B00/xxx", undefined, "Not an https:// address"],
  ["http://hooks.slack.com/services/T00/B00/xxx", undefined, "Not an https:// address"],
  ["https://outlook.office365.com/webhook/x", "teams", "Retired Office 365 connector"],
  ["https://make.powerautomate.com/environments/x", undefined, "Power Automate page, no webhook"],
  ["hooks.sla", undefined, undefined],
];

test.each(rows)("%s", (typed, platform, kind) => {
  const found = recognise(typed);
  expect(found?.platform).toBe(platform);
  expect(found?.kind).toBe(kind);
});
