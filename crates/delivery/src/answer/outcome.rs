//! From the result of a request to its verdict, and to the words of an attempt.

use alert_connectors_model::{AttemptOutcome, WebhookUrl};
use alert_connectors_store::Form;
use jiff::Timestamp;

use super::{Answer, Body, Family, Reason, Verdict, classify};
use crate::{
    RequestError,
    connection::{BodyEnd, WebhookResponse},
    retry_after,
    send_policy::Blame,
};

/// Returns what a result means, and the status code if there was a response.
pub(crate) fn classify_result(
    family: Family,
    result: &Result<WebhookResponse, RequestError>,
    sent: &Sending<'_>,
    now: Timestamp,
) -> (Verdict, Option<u16>) {
    match result {
        Ok(posted) => {
            let answer = answer_of(posted, sent, now);
            (classify(family, &answer), Some(posted.status))
        }
        Err(RequestError::Dns) if family == Family::Office365 => {
            let advice =
                "Office 365 connectors were retired; make a Workflows webhook and enter its URL";
            (
                Verdict::DestinationRefused(Reason::new(RequestError::Dns.to_string(), advice)),
                None,
            )
        }
        Err(error) if error.may_have_arrived() => (
            Verdict::Unanswered(Reason::new(error.to_string(), "")),
            None,
        ),
        Err(error) => {
            let reason = Reason::new(error.to_string(), "");
            (Verdict::Transient { wait: None, reason }, None)
        }
    }
}

/// What was sent where, as far as the meaning of its response depends on it.
pub(crate) struct Sending<'a> {
    pub(crate) form: Form,
    /// Attempts that were made before.
    pub(crate) attempts: u32,
    pub(crate) url: &'a WebhookUrl,
}

/// A response as the classification reads it.
pub(crate) fn answer_of<'a>(
    posted: &'a WebhookResponse,
    sent: &Sending<'a>,
    now: Timestamp,
) -> Answer<'a> {
    Answer {
        status: posted.status,
        phrase: &posted.phrase,
        retry_after: posted
            .retry_after
            .as_deref()
            .and_then(|header| retry_after(header, now)),
        body: Body::read(&posted.body, posted.encoding.as_deref()),
        broke_off: posted.body_end == BodyEnd::BrokeOff,
        target: sent.url.expose_target(),
        form: sent.form,
        attempts: sent.attempts,
    }
}

/// Returns the outcome of an attempt.
pub(crate) fn outcome_of(verdict: &Verdict) -> AttemptOutcome {
    match verdict {
        Verdict::Delivered => AttemptOutcome::Delivered,
        Verdict::Accepted => AttemptOutcome::Accepted,
        Verdict::Throttled { .. } | Verdict::Transient { .. } => AttemptOutcome::Retry,
        Verdict::Unanswered(_) => AttemptOutcome::Unanswered,
        Verdict::MessageRefused(_) => AttemptOutcome::MessageRefused,
        Verdict::DestinationRefused(_) => AttemptOutcome::DestinationRefused,
    }
}

/// Returns why a message did not arrive.
pub(crate) fn reason_of(verdict: &Verdict) -> Option<&Reason> {
    match verdict {
        Verdict::Delivered | Verdict::Accepted => None,
        Verdict::Throttled { reason, .. }
        | Verdict::Transient { reason, .. }
        | Verdict::Unanswered(reason)
        | Verdict::MessageRefused(reason)
        | Verdict::DestinationRefused(reason) => Some(reason),
    }
}

/// Returns whose fault it may be that a request failed.
pub(crate) fn blame(result: &Result<WebhookResponse, RequestError>) -> Blame {
    match result {
        Err(error) if error.is_before_sending() => Blame::Channel,
        _ => Blame::Either,
    }
}
