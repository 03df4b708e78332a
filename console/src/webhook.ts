// What a pasted address is: a webhook of Slack or Teams, or something that looks like one and is none.
import type { ConnectorType } from "./api/generated";

export type Recognised = {
  /** The platform, where the address is a webhook of one. */
  platform?: ConnectorType;
  /** What it is, in words. */
  kind: string;
  /** What to do where it can't be used. */
  advice?: string;
};

const SLACK_WHERE = "In Slack, open your app's settings and copy the URL under Incoming Webhooks.";
const TEAMS_WHERE = "In Teams, open Workflows, choose “Send webhook alerts to a channel”, and copy the URL at the end.";

/** Whether a host is a name or stands below it. */
const isAt = (host: string, name: string): boolean => host === name || host.endsWith(`.${name}`);

/** A host and a path, also where somebody left out how the address begins. */
function addressOf(typed: string): URL | undefined {
  const isBare = /^[\w-]+(\.[\w-]+)+\//.test(typed);
  try {
    return new URL(isBare ? `https://${typed}` : typed);
  } catch {
    return undefined;
  }
}

/** What an address is; nothing while it is too short to tell. */
export function recognise(typed: string): Recognised | undefined {
  const url = addressOf(typed.trim());
  if (url === undefined) {
    return undefined;
  }
  if (!typed.trim().startsWith("https://")) {
    return { kind: "Not an https:// address", advice: "Copy the whole URL of the webhook. It begins with https://." };
  }
  const host = url.hostname;
  if (host === "hooks.slack.com" || host === "hooks.slack-gov.com") {
    return url.pathname.startsWith("/services/")
      ? { platform: "slack", kind: "Slack app webhook" }
      : { kind: "Slack workflow", advice: `A Slack workflow takes no messages of this form. ${SLACK_WHERE}` };
  }
  if (isAt(host, "slack.com") || isAt(host, "slack-gov.com")) {
    return { kind: "Slack page, no webhook", advice: `This is a link to a page or channel. ${SLACK_WHERE}` };
  }
  if (isAt(host, "logic.azure.com") || isAt(host, "logic.azure.us") || isAt(host, "api.powerplatform.com")) {
    return { platform: "teams", kind: "Teams workflow" };
  }
  if (isAt(host, "webhook.office.com") || ((isAt(host, "outlook.office.com") || isAt(host, "outlook.office365.com")) && url.pathname.startsWith("/webhook"))) {
    return { platform: "teams", kind: "Retired Office 365 connector", advice: `Microsoft retires these. ${TEAMS_WHERE}` };
  }
  if (isAt(host, "make.powerautomate.com") || isAt(host, "flow.microsoft.com")) {
    return { kind: "Power Automate page, no webhook", advice: `This is the page of a workflow. ${TEAMS_WHERE}` };
  }
  if (isAt(host, "teams.microsoft.com") || isAt(host, "teams.live.com") || isAt(host, "teams.cloud.microsoft")) {
    return { kind: "Teams page, no webhook", advice: `This is a link to a channel or chat. ${TEAMS_WHERE}` };
  }
  return { kind: "Address of another host", advice: "Choose its platform below." };
}
