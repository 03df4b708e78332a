//! What a post does to a space: whether it is a repeat, what it raises or ends, who is notified, and what the idempotency
//! key answers. It is decided here for every store, through the [`Ledger`] that each of them implements.

mod follow_ups;
mod ledger;
mod posting;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use alert_connectors_model::{AlertId, AlertStatus, Random};
use jiff::SignedDuration;

pub use follow_ups::{Recipients, ends_nothing_warning, recipients_of};
pub use ledger::{KeptAnswer, Ledger, NewDelivery, Problem, SpaceRow};
use posting::Posting;

use crate::{Acceptance, Expiry, Mandate, Roster, StoreEvent, Submission, stored::answer_json};

/// What becomes of a submission.
#[derive(Debug)]
pub enum Decision {
    /// The caller's answer: nothing is written, unless it says [`Acceptance::Stored`].
    Answered(Acceptance),
    /// The same request was answered before: the caller gets that answer again. Nothing is written.
    AlreadyStored(KeptAnswer),
}

/// A request to resolve a problem by its id.
#[derive(Debug, Clone)]
pub struct ResolveRequest {
    /// The space of the problem, with the connectors that may be notified.
    pub roster: Arc<Roster>,
    /// The problem.
    pub id: AlertId,
    /// When the request was received, and by which rule what is pending expires.
    pub expiry: Expiry,
    /// On whose behalf.
    pub mandate: Mandate,
}

/// What becomes of a request to resolve a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolveDecision {
    /// It is resolved, by this request or by an earlier one.
    Done,
    /// There is no such alert in the space.
    Absent,
    /// Connectors or identity changed since the request was authorised; nothing is written.
    Stale,
}

/// Stores the alerts of one request with their deliveries and follow-ups, as if every request before it were stored already.
/// What is queued is added to `events`.
pub fn accept<L: Ledger>(
    ledger: &mut L,
    random: &dyn Random,
    submission: &Submission,
    events: &mut Vec<StoreEvent>,
) -> Result<Decision, L::Error> {
    let roster = &submission.roster;
    let Some(space) = ledger.space(roster.space.id)? else {
        return Ok(Decision::Answered(Acceptance::Stale));
    };
    if space.version != roster.version || !is_current(ledger, submission.identity_version)? {
        return Ok(Decision::Answered(Acceptance::Stale));
    }
    let received_at = submission.received_at();
    if let Some(idempotency) = &submission.idempotency
        && let Some(kept) = ledger.kept_answer(space.no, idempotency, received_at)?
    {
        return Ok(if kept.body_hash == idempotency.body_hash {
            Decision::AlreadyStored(kept)
        } else {
            Decision::Answered(Acceptance::KeyReused)
        });
    }
    let mut posting = Posting {
        ledger: &mut *ledger,
        random,
        space_no: space.no,
        roster,
        expiry: submission.expiry,
        renotify: submission.renotify,
        leaves_out_idle_ends: submission.leaves_out_idle_ends,
        trace: submission.trace,
        events,
    };
    let mut accepted = Vec::with_capacity(submission.alerts.len());
    for new in &submission.alerts {
        accepted.push(posting.post(new)?);
    }
    if let Some(idempotency) = &submission.idempotency {
        let answer = KeptAnswer {
            body_hash: idempotency.body_hash,
            json: answer_json(&accepted),
            created_at: received_at,
        };
        ledger.keep_answer(space.no, idempotency, answer)?;
    }
    Ok(Decision::Answered(Acceptance::Stored(accepted)))
}

/// Resolves a problem by its id. What is queued is added to `events`.
pub fn resolve<L: Ledger>(
    ledger: &mut L,
    random: &dyn Random,
    request: &ResolveRequest,
    events: &mut Vec<StoreEvent>,
) -> Result<ResolveDecision, L::Error> {
    let Some(space) = ledger.space(request.roster.space.id)? else {
        return Ok(ResolveDecision::Absent);
    };
    let is_current = is_current(ledger, request.mandate.identity_version)?;
    if space.version != request.roster.version || !is_current {
        return Ok(ResolveDecision::Stale);
    }
    let Some(problem) = ledger.problem(space.no, request.id)? else {
        return Ok(ResolveDecision::Absent);
    };
    if problem.alert.status == AlertStatus::Active {
        let resolved = problem.alert.resolved(request.expiry.now);
        let mut posting = Posting {
            ledger,
            random,
            space_no: space.no,
            roster: &request.roster,
            expiry: request.expiry,
            // A request that resolves a problem repeats none.
            renotify: SignedDuration::MAX,
            leaves_out_idle_ends: false,
            trace: None,
            events,
        };
        posting.resolve(problem, resolved)?;
        if let Some(trail) = &request.mandate.trail {
            ledger.add_audit_entry(trail.written_again())?;
        }
    }
    Ok(ResolveDecision::Done)
}

/// Whether a caller who was authorised with this version of identity may still do what it could.
fn is_current<L: Ledger>(ledger: &mut L, version: Option<i64>) -> Result<bool, L::Error> {
    match version {
        Some(version) => Ok(ledger.identity_version()? == version),
        None => Ok(true),
    }
}
