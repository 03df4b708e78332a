//! What came of a request, in the words of attempts and of the log.

use alert_connectors_model::{Attempt, AttemptOutcome};
use alert_connectors_store::Form;
use jiff::Timestamp;

use crate::{
    Answer, Family, PostError, Reason, Verdict, classify, link::Posted, load::Load,
    retry::retry_after,
};

/// What an attempt means, and the status code if there was an answer.
pub(crate) fn judge(
    family: Family,
    outcome: &Result<Posted, PostError>,
    form: Form,
    attempts: u32,
    now: Timestamp,
) -> (Verdict, Option<u16>) {
    match outcome {
        Ok(posted) => {
            let answer = answer_of(posted, form, attempts, now);
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
        Err(error) => (Verdict::Transient(Reason::new(error.to_string(), "")), None),
    }
}

/// An answer as the classification reads it.
pub(crate) fn answer_of(posted: &Posted, form: Form, attempts: u32, now: Timestamp) -> Answer<'_> {
    Answer {
        status: posted.status,
        phrase: &posted.phrase,
        retry_after: posted
            .retry_after
            .as_deref()
            .and_then(|header| retry_after(header, now)),
        body: &posted.body,
        form,
        attempts,
    }
}

/// The outcome of an attempt.
pub(crate) fn outcome_of(verdict: &Verdict) -> AttemptOutcome {
    match verdict {
        Verdict::Delivered => AttemptOutcome::Delivered,
        Verdict::Accepted => AttemptOutcome::Accepted,
        Verdict::Throttled { .. } | Verdict::Transient(_) => AttemptOutcome::Retry,
        Verdict::Message(_) => AttemptOutcome::MessageRefused,
        Verdict::Destination(_) => AttemptOutcome::DestinationRefused,
    }
}

/// Why it did not arrive.
pub(crate) fn reason_of(verdict: &Verdict) -> Option<&Reason> {
    match verdict {
        Verdict::Delivered | Verdict::Accepted => None,
        Verdict::Throttled { reason, .. }
        | Verdict::Transient(reason)
        | Verdict::Message(reason)
        | Verdict::Destination(reason) => Some(reason),
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
