"""Posts to the webhook that is the second argument as the program or library named by the first one does.

Programs that only know the platform's own hosts are led to the webhook where they make the request; what they send is theirs.
"""

import sys
from datetime import datetime

import requests

name, url = sys.argv[1:]


def lead_to_webhook():
    """Makes every request go to the webhook, whatever host the program meant."""
    real = requests.Session.request

    def request(self, method, **more):
        return real(self, method, **{**more, "url": url})

    requests.Session.request = request


def slack_sdk_text():
    from slack_sdk.webhook import WebhookClient

    return WebhookClient(url).send(text="Critical: *orders* is late\nSee <https://dbt.example.com/runs/1|the run> &amp; retry.").body


def slack_sdk_blocks():
    from slack_sdk.models.blocks import (
        ActionsBlock,
        ButtonElement,
        ContextBlock,
        DividerBlock,
        HeaderBlock,
        MarkdownTextObject,
        SectionBlock,
    )
    from slack_sdk.webhook import WebhookClient

    blocks = [
        HeaderBlock(text="Airflow: load_orders failed"),
        SectionBlock(text="The task *extract* ended with `TimeoutError`."),
        SectionBlock(fields=["*Dag:*\nload_orders", "*Try:*\n3"]),
        DividerBlock(),
        ContextBlock(elements=[MarkdownTextObject(text="scheduler-1")]),
        ActionsBlock(elements=[ButtonElement(text="Log", url="https://airflow.example.com/log", action_id="log")]),
    ]
    return WebhookClient(url).send(text="Airflow: load_orders failed", blocks=blocks).body


def slack_sdk_attachments():
    from slack_sdk.models.attachments import Attachment, AttachmentField
    from slack_sdk.webhook import WebhookClient

    attachment = Attachment(
        text="37 rows",
        fallback="orders has nulls",
        color="#d63232",
        title="orders has nulls",
        title_link="https://grafana.example.com/d/1",
        fields=[AttachmentField(title="Table", value="analytics.orders", short=True)],
        footer="Grafana v11",
    )
    return WebhookClient(url).send(attachments=[attachment]).body


def pymsteams_card():
    import pymsteams

    card = pymsteams.connectorcard(url)
    card.title("Load failed")
    card.text("The load of **orders** failed.")
    card.color("8C1A1A")
    card.addLinkButton("Open", "https://example.com/runs/1")
    section = pymsteams.cardsection()
    section.activityTitle("load_orders")
    section.addFact("Rows", "0")
    card.addSection(section)
    card.send()
    return card.last_http_response.text




def apprise_of(address):
    from apprise import Apprise, NotifyType

    lead_to_webhook()
    notifier = Apprise()
    assert notifier.add(address)
    assert notifier.notify(title="Disk is full", body="/var has 0 bytes left", notify_type=NotifyType.FAILURE)
    return "sent"


def apprise_slack():
    return apprise_of("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general")


def apprise_workflows():
    return apprise_of("workflows://prod-1.logic.azure.com:443/643e69f83c8944/signature123/")


def notifiers_slack():
    import notifiers

    attachment = {
        "title": "Backup failed",
        "title_link": "https://example.com/backups/7",
        "text": "No space left on `/backup`",
        "fallback": "Backup failed",
        "color": "danger",
        "fields": [{"title": "Size", "value": "12 GB", "short": True}],
    }
    answer = notifiers.notify("slack", webhook_url=url, message="Nightly backup", attachments=[attachment])
    answer.raise_on_errors()
    return answer.status


def slackweb_text():
    import slackweb

    return slackweb.Slack(url=url).notify(text="[FIRING:2] QueueLong (team-a)\n• one\n• two", username="cron")


def form():
    """As curl's users write it after Slack's first examples."""
    return requests.post(url, data={"payload": '{"text": "warning: queue is long"}'}).text


def undeclared():
    """JSON that is declared as a form: curl does so by default."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return requests.post(url, data='{"text": "plain words"}', headers=headers).text


def workflow_card():
    """The body of the template that Microsoft's documentation gives for workflows."""
    card = {
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": "[RESOLVED] DiskFull db-1", "weight": "bolder", "color": "good"},
            {"type": "FactSet", "facts": [{"title": "Since", "value": str(datetime(2026, 11, 28))}]},
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "View", "url": "https://example.com/1"}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    answer = requests.post(url, json={"type": "message", "attachments": [attachment]})
    return str(answer.status_code)


print(globals()[name]())
