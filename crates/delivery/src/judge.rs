//! What came of a request, in the words of attempts and of the log.

use alert_connectors_model::{Attempt, AttemptOutcome, WebhookUrl};
use alert_connectors_store::Form;
use jiff::Timestamp;

use crate::{
    Answer, Family, PostError, Reason, Verdict,
    answer::Body,
    classify,
    conduct::Blame,
    link::{BodyEnd, Posted},
    load::Load,
    retry::retry_after,
};

/// What an attempt means, and the status code if there was an answer.
pub(crate) fn judge(
    family: Family,
    outcome: &Result<Posted, PostError>,
    sent: &Sending<'_>,
    now: Timestamp,
) -> (Verdict, Option<u16>) {
    match outcome {
        Ok(posted) => {
            let answer = answer_of(posted, sent, now);
            (classify(family, &answer), Some(posted.status))
        }
        Err(PostError::Dns) if family == Family::Office365 => {
            let advice =
                "Office 365 connectors were retired; make a Workflows webhook and enter its URL";
            (
                Verdict::Destination(Reason::new(PostError::Dns.to_string(), advice)),
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

/// What was sent where, as far as its answer is judged by it.
pub(crate) struct Sending<'a> {
    pub(crate) form: Form,
    /// Attempts that were made before.
    pub(crate) attempts: u32,
    pub(crate) url: &'a WebhookUrl,
}

/// An answer as the classification reads it.
pub(crate) fn answer_of<'a>(posted: &'a Posted, sent: &Sending<'a>, now: Timestamp) -> Answer<'a> {
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

/// The outcome of an attempt.
pub(crate) fn outcome_of(verdict: &Verdict) -> AttemptOutcome {
    match verdict {
        Verdict::Delivered => AttemptOutcome::Delivered,
        Verdict::Accepted => AttemptOutcome::Accepted,
        Verdict::Throttled { .. } | Verdict::Transient { .. } => AttemptOutcome::Retry,
        Verdict::Unanswered(_) => AttemptOutcome::Unanswered,
        Verdict::Message(_) => AttemptOutcome::MessageRefused,
        Verdict::Destination(_) => AttemptOutcome::DestinationRefused,
    }
}

/// Why it did not arrive.
pub(crate) fn reason_of(verdict: &Verdict) -> Option<&Reason> {
    match verdict {
        Verdict::Delivered | Verdict::Accepted => None,
        Verdict::Throttled { reason, .. }
        | Verdict::Transient { reason, .. }
        | Verdict::Unanswered(reason)
        | Verdict::Message(reason)
        | Verdict::Destination(reason) => Some(reason),
    }
}

/// Whose fault it may be that a request failed.
pub(crate) fn blame(outcome: &Result<Posted, PostError>) -> Blame {
    match outcome {
        Err(error) if error.is_before_sending() => Blame::Channel,
        _ => Blame::Either,
    }
}

/// One line for each attempt that did not arrive, and one at `debug` for each that did.
pub(crate) fn tell(load: &Load, attempt: &Attempt) {
    let (Some((alert, delivery, _)), Some(connector)) = (load.first(), load.connector()) else {
        return;
    };
    let (connector, carried) = (connector.id, attempt.digest_size);
    match &attempt.error {
        None => tracing::debug!(
            alert.id = %alert, connector.id = %connector, delivery.id = %delivery,
            attempt.no = load.attempts() + 1, carried, duration_ms = attempt.duration_ms, "arrived"
        ),
        Some(error) => tracing::warn!(
            alert.id = %alert, connector.id = %connector, delivery.id = %delivery,
            attempt.no = load.attempts() + 1, carried, duration_ms = attempt.duration_ms,
            outcome = attempt.outcome.as_str(), status = attempt.status_code, reason = error, "did not arrive"
        ),
    }
}
