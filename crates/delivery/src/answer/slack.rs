//! Answers of Slack's incoming webhooks: one word in plain text
//! (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors>).

use std::time::Duration;

use serde_json::Value;

use super::{Answer, BUSY, Body, Reason, Verdict, by_status, transient, unexpected};
use alert_connectors_store::Form;

/// How long to wait after a 429 that does not say.
const THROTTLE: Duration = Duration::from_secs(30);
const NOT_A_WEBHOOK: &str = "this URL does not answer as a Slack incoming webhook does; check it";
const WORKFLOW: &str =
    "this is a workflow URL, which cannot show alerts; make an incoming webhook instead";

/// Slack itself: success is 200 with the body `ok` and nothing else.
pub(super) fn of_slack(answer: &Answer<'_>) -> Verdict {
    if let Some(verdict) = by_word(answer) {
        return verdict;
    }
    match (answer.status, &answer.body) {
        (200, Body::Text(text)) if text == "ok" => Verdict::Delivered,
        (200, body) if body.is_empty() => {
            Verdict::DestinationRefused(Reason::new("empty answer", WORKFLOW))
        }
        (200, body) => match json_outcome(body.text()) {
            Some(Ok(())) => Verdict::DestinationRefused(Reason::new("JSON answer", WORKFLOW)),
            Some(Err(word)) => Verdict::DestinationRefused(Reason::new(word, NOT_A_WEBHOOK)),
            None => Verdict::DestinationRefused(unexpected(answer, NOT_A_WEBHOOK)),
        },
        (201..=299, _) => Verdict::DestinationRefused(unexpected(answer, NOT_A_WEBHOOK)),
        _ => by_status(answer, THROTTLE),
    }
}

/// A server that takes Slack's webhooks: every 2xx is success unless its body is a known failure.
pub(super) fn of_another(answer: &Answer<'_>) -> Verdict {
    if let Some(verdict) = by_word(answer) {
        return verdict;
    }
    match (answer.status, json_outcome(answer.body.text())) {
        (200..=299, Some(Err(word))) => {
            Verdict::DestinationRefused(Reason::new(word, NOT_A_WEBHOOK))
        }
        (200..=299, _) => Verdict::Delivered,
        _ => by_status(answer, THROTTLE),
    }
}

/// `{"ok": …}` of the Web API and of workflow triggers.
fn json_outcome(body: &str) -> Option<Result<(), &'static str>> {
    let json: Value = serde_json::from_str(body).ok()?;
    if json.get("ok")?.as_bool()? {
        return Some(Ok(()));
    }
    Some(Err(json
        .get("error")
        .and_then(Value::as_str)
        .and_then(known_word)
        .unwrap_or("ok: false")))
}

fn known_word(word: &str) -> Option<&'static str> {
    WORDS.iter().map(|row| row.0).find(|known| *known == word)
}

#[derive(Clone, Copy)]
enum Class {
    Message,
    /// Of the message the first time; a message that is sure to hold text makes it the destination's.
    MessageUnlessPlain,
    Destination,
    Transient,
}

const REFUSED: &str = "Slack does not take this message";
const REMOVED: &str =
    "the webhook was removed or switched off; make a new one in Slack and enter its URL";
const CHANNEL: &str = "the channel is gone; make a webhook for another one and enter its URL";
const ADMIN: &str = "an administrator of the workspace forbids it; ask there";

/// Every word that is documented or was seen, with its class.
const WORDS: [(&str, Class, &str); 21] = [
    ("invalid_payload", Class::Message, REFUSED),
    ("invalid_blocks", Class::Message, REFUSED),
    ("invalid_blocks_format", Class::Message, REFUSED),
    ("invalid_attachments", Class::Message, REFUSED),
    ("msg_blocks_too_long", Class::Message, REFUSED),
    ("msg_too_long", Class::Message, REFUSED),
    ("no_text", Class::Message, REFUSED),
    ("too_many_attachments", Class::Message, REFUSED),
    (
        "missing_text_or_fallback_or_attachments",
        Class::MessageUnlessPlain,
        REFUSED,
    ),
    (
        "user_not_found",
        Class::Destination,
        "the user that the webhook posts to does not exist",
    ),
    (
        "posting_to_general_channel_denied",
        Class::Destination,
        "whoever made the webhook may not post to #general",
    ),
    ("action_prohibited", Class::Destination, ADMIN),
    ("invalid_token", Class::Destination, REMOVED),
    (
        "team_disabled",
        Class::Destination,
        "the workspace is not active any more",
    ),
    ("channel_not_found", Class::Destination, CHANNEL),
    (
        "channel_is_archived",
        Class::Destination,
        "the channel is archived; restore it, or enter a new webhook URL",
    ),
    ("no_service", Class::Destination, REMOVED),
    ("no_active_hooks", Class::Destination, REMOVED),
    ("no_service_id", Class::Destination, REMOVED),
    (
        "no_team",
        Class::Destination,
        "no workspace has this webhook; check the URL",
    ),
    ("rollup_error", Class::Transient, BUSY),
];

/// Words come before statuses, which differ between generations of webhooks; but a 429 is a 429 whatever it says.
fn by_word(answer: &Answer<'_>) -> Option<Verdict> {
    if answer.status < 400 || answer.status == 429 {
        return None;
    }
    let said = answer.body.text();
    let (word, class, advice) = *WORDS.iter().find(|row| row.0 == said)?;
    let reason = Reason::new(word, advice);
    Some(match (class, answer.form) {
        (Class::Message, _) | (Class::MessageUnlessPlain, Form::Full) => {
            Verdict::MessageRefused(reason)
        }
        (Class::Destination, _) | (Class::MessageUnlessPlain, Form::Plain) => {
            Verdict::DestinationRefused(reason)
        }
        (Class::Transient, _) => transient(answer, reason),
    })
}
