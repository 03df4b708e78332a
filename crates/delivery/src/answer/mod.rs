//! What an answer of a webhook means: the one place that classifies, pure, with a test row for each row of the
//! platforms' tables (`docs/answers.md` lists them with their sources).

mod slack;
mod teams;

use std::time::Duration;

use alert_connectors_model::{ConnectorType, WebhookHost};
use alert_connectors_store::Form;

/// An answer as it came.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The words behind the status code, which workflows use for their error codes.
    pub phrase: &'a str,
    /// How long the channel asks to wait, parsed from `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The body, at most 64 KiB of it.
    pub body: &'a [u8],
    /// In which form the message was sent.
    pub form: Form,
    /// How many attempts of this message were made before.
    pub attempts: u32,
}

/// What to do after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The message stands in the channel.
    Delivered,
    /// A workflow took it; nobody can know more.
    Accepted,
    /// The channel asks to wait. It counts as no failure.
    Throttled {
        /// At least this long.
        wait: Duration,
        /// What was said.
        reason: Reason,
    },
    /// It may work later.
    Transient(Reason),
    /// The channel does not take this message.
    Message(Reason),
    /// The channel takes no message at all until someone repairs it.
    Destination(Reason),
}

/// Why a message did not arrive, in words that hold nothing of the webhook URL: only words of the platforms' own lists
/// and our own are ever repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The channel's own word, or what happened.
    pub what: String,
    /// What a person can do about it.
    pub advice: &'static str,
}

impl Reason {
    pub(crate) fn new(what: impl Into<String>, advice: &'static str) -> Self {
        Self {
            what: what.into(),
            advice,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.advice {
            "" => f.write_str(&self.what),
            advice => write!(f, "{}: {advice}", self.what),
        }
    }
}

/// Whose answer it is, as far as the host tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Slack itself.
    Slack,
    /// An Office 365 connector, retired in May 2026.
    Office365,
    /// A Teams workflow: Power Automate or Logic Apps.
    Workflow,
    /// A server that takes Slack's webhooks.
    LikeSlack,
    /// Anything else that takes a Teams card.
    LikeTeams,
}

impl Family {
    /// The family of a destination.
    pub fn of(connector_type: ConnectorType, host: &WebhookHost) -> Self {
        let name = host.to_string();
        let office = [
            "webhook.office.com",
            "outlook.office.com",
            "outlook.office365.com",
        ];
        match (host.known_platform(), connector_type) {
            (Some(ConnectorType::Slack), _) => Self::Slack,
            (Some(ConnectorType::Teams), _)
                if office.iter().any(|office| name.ends_with(office)) =>
            {
                Self::Office365
            }
            (Some(ConnectorType::Teams), _) => Self::Workflow,
            (None, ConnectorType::Slack) => Self::LikeSlack,
            (None, ConnectorType::Teams) => Self::LikeTeams,
        }
    }
}

/// What an answer means.
pub fn classify(family: Family, answer: &Answer<'_>) -> Verdict {
    match family {
        Family::Slack => slack::of_slack(answer),
        Family::LikeSlack => slack::of_another(answer),
        Family::Office365 => teams::of_connector(answer),
        Family::Workflow => teams::of_workflow(answer),
        Family::LikeTeams => teams::of_another(answer),
    }
}

/// `HTTP 502`, for answers without a word that is known.
fn status_reason(status: u16, advice: &'static str) -> Reason {
    Reason::new(format!("HTTP {status}"), advice)
}

const GONE: &str = "the webhook does not exist any more; make a new one and enter its URL";
const REDIRECT: &str = "the webhook redirects, which is never followed; check the URL";
const BUSY: &str = "a passing fault of the channel";

/// What a status alone means where no word of the answer is known.
fn by_status(answer: &Answer<'_>, throttle: Duration) -> Verdict {
    let status = answer.status;
    match status {
        429 => Verdict::Throttled {
            wait: answer.retry_after.unwrap_or(throttle),
            reason: status_reason(429, "the channel asks to wait"),
        },
        408 | 409 | 412 | 425 | 500..=599 => Verdict::Transient(status_reason(status, BUSY)),
        300..=399 => Verdict::Destination(status_reason(status, REDIRECT)),
        400 | 413 | 422 => Verdict::Message(status_reason(
            status,
            "the channel does not take this message",
        )),
        _ => Verdict::Destination(status_reason(
            status,
            "this is no webhook that can be posted to; check the URL",
        )),
    }
}

/// The body as text without its white space, or nothing if it is none.
fn text<'a>(answer: &Answer<'a>) -> &'a str {
    std::str::from_utf8(answer.body).unwrap_or_default().trim()
}

#[cfg(test)]
mod tests;
