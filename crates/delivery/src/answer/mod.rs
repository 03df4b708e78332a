//! What an answer of a webhook means: the one place that classifies, pure, with a test row for each row of the
//! platforms' tables (`docs/book/src/reference/answers.md` lists them with their sources).

mod body;
mod outcome;
mod said;
mod slack;
mod teams;

use std::time::Duration;

use alert_connectors_model::{ConnectorType, WebhookHost};
use alert_connectors_store::Form;

pub use body::Body;
pub(crate) use outcome::{Sending, answer_of, blame, classify_result, outcome_of, reason_of};

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The words behind the status code, which workflows use for their error codes.
    pub phrase: &'a str,
    /// How long the channel asks to wait, parsed from `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The body, at most 64 KiB of it.
    pub body: Body<'a>,
    /// Whether the connection ended, or the time was up, before the body was complete.
    pub broke_off: bool,
    /// Path and query of the webhook's URL, a secret: nothing of it is ever repeated.
    pub target: &'a str,
    /// In which form the message was sent.
    pub form: Form,
    /// How many attempts of this message were made before.
    pub attempts: u32,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The message stands in the channel.
    Delivered,
    /// A workflow took it, which is all that it tells.
    Accepted,
    /// The channel asks to wait. It counts as no failure.
    Throttled {
        /// At least this long.
        wait: Duration,
        /// What was said.
        reason: Reason,
    },
    /// It may work later.
    Transient {
        /// At least this long, if the channel asks for it.
        wait: Option<Duration>,
        /// What went wrong.
        reason: Reason,
    },
    /// The request left whole, and its answer does not say what came of it: the message may stand there.
    Unanswered(Reason),
    /// The channel does not take this message.
    MessageRefused(Reason),
    /// The channel takes no message at all until someone repairs it.
    DestinationRefused(Reason),
}

/// Why a message did not arrive, in words that hold nothing of the webhook URL: words of the platforms' own lists, our own,
/// and of others only what looks neither like a URL nor like a token.
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
        let office = [
            "webhook.office.com",
            "outlook.office.com",
            "outlook.office365.com",
        ];
        match (host.known_platform(), connector_type) {
            (Some(ConnectorType::Slack), _) => Self::Slack,
            (Some(ConnectorType::Teams), _) if matches!(host, WebhookHost::Name(name) if office.iter().any(|one| name.ends_with(one))) => {
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
    if answer.body.is_page() && matches!(answer.status, 200..=299 | 401 | 403) {
        return page(answer);
    }
    let verdict = match family {
        Family::Slack => slack::of_slack(answer),
        Family::LikeSlack => slack::of_another(answer),
        Family::Office365 => teams::of_connector(answer),
        Family::Workflow => teams::of_workflow(answer),
        Family::LikeTeams => teams::of_another(answer),
    };
    if answer.broke_off && !is_clear(family, answer, &verdict) {
        return unclear(answer);
    }
    let is_taken = matches!(verdict, Verdict::Delivered | Verdict::Accepted);
    if let Body::Unreadable(what) = &answer.body
        && is_taken
        // All that a workflow says is its 202.
        && (family, answer.status) != (Family::Workflow, 202)
    {
        let what = format!("HTTP {} with {what}", answer.status);
        return Verdict::Unanswered(Reason::new(what, MAY_STAND_THERE));
    }
    verdict
}

/// No webhook answers with a web page.
fn page(answer: &Answer<'_>) -> Verdict {
    Verdict::DestinationRefused(match answer.status {
        401 | 403 => Reason::new(format!("web page (HTTP {})", answer.status), FIREWALL),
        _ => Reason::new("web page", PAGE),
    })
}

/// Whether an answer that broke off has said all that matters: one word or one complete document.
fn is_clear(family: Family, answer: &Answer<'_>, verdict: &Verdict) -> bool {
    let text = answer.body.text();
    let is_word = !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let is_document =
        text.starts_with('{') && serde_json::from_str::<serde_json::Value>(text).is_ok();
    match verdict {
        Verdict::Throttled { .. } | Verdict::Transient { .. } => true,
        Verdict::Accepted if family == Family::Workflow => true,
        Verdict::Delivered | Verdict::Accepted => matches!(text, "ok" | "1") || is_document,
        Verdict::Unanswered(_) | Verdict::MessageRefused(_) | Verdict::DestinationRefused(_) => {
            is_word || is_document
        }
    }
}

fn unclear(answer: &Answer<'_>) -> Verdict {
    let reason = Reason::new(
        format!("HTTP {}, then the answer broke off", answer.status),
        "",
    );
    match answer.status {
        200..=299 => Verdict::Unanswered(Reason {
            advice: MAY_STAND_THERE,
            ..reason
        }),
        _ => transient(answer, reason),
    }
}

/// The channel's own words and the status, for answers without a word that is known.
fn status_reason(answer: &Answer<'_>, advice: &'static str) -> Reason {
    let status = answer.status;
    let what = match &answer.body {
        Body::Unreadable(what) => format!("HTTP {status} with {what}"),
        Body::Text(text) => match said::said(text, answer.target) {
            Some(words) if !answer.body.is_page() => format!("{words} (HTTP {status})"),
            _ => format!("HTTP {status}"),
        },
    };
    Reason::new(what, advice)
}

/// An answer that no webhook of this kind gives, in the channel's own words.
fn unexpected(answer: &Answer<'_>, advice: &'static str) -> Reason {
    let words = match &answer.body {
        Body::Unreadable(what) => Some(what.clone()),
        Body::Text(text) => said::said(text, answer.target),
    };
    let what = match words {
        Some(words) => format!("unexpected answer: {words}"),
        None => "unexpected answer".to_owned(),
    };
    Reason::new(what, advice)
}

/// It may work later; the channel may say when.
fn transient(answer: &Answer<'_>, reason: Reason) -> Verdict {
    Verdict::Transient {
        wait: answer.retry_after,
        reason,
    }
}

const PAGE: &str = "a sign-in page or a proxy's notice, or the connection of a channel or site instead of its webhook; \
     copy the webhook's URL again";
const FIREWALL: &str =
    "a firewall or proxy before the webhook refuses the request; ask whoever runs it";
const MAY_STAND_THERE: &str = "the message was sent whole and may have arrived";
const GONE: &str = "the webhook does not exist any more; make a new one and enter its URL";
const REDIRECT: &str = "the webhook redirects, which is never followed; check the URL";
const BUSY: &str = "a passing fault of the channel";

/// What a status alone means where no word of the answer is known.
fn by_status(answer: &Answer<'_>, throttle: Duration) -> Verdict {
    let status = answer.status;
    match status {
        429 => Verdict::Throttled {
            wait: answer.retry_after.unwrap_or(throttle),
            reason: status_reason(answer, "the channel asks to wait"),
        },
        408 | 409 | 412 | 425 | 500..=599 => transient(answer, status_reason(answer, BUSY)),
        300..=399 => Verdict::DestinationRefused(status_reason(answer, REDIRECT)),
        400 | 413 | 422 => Verdict::MessageRefused(status_reason(
            answer,
            "the channel does not take this message",
        )),
        _ => Verdict::DestinationRefused(status_reason(
            answer,
            "this is no webhook that can be posted to; check the URL",
        )),
    }
}

#[cfg(test)]
mod tests;
