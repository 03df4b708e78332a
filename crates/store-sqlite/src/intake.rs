//! Accepting alerts, and resolving problems, inside the writer's transaction.

use alert_connectors_model::Random;
use alert_connectors_store::{
    Acceptance, Expiry, Idempotency, Intake, Resolution, StoreError, StoreEvent, Submission,
    accept::{self, Decision, KeptAnswer, Ledger as _, ResolveDecision, ResolveRequest, SpaceRow},
    stored,
};
use async_trait::async_trait;
use rusqlite::Connection;

use crate::{SqliteStore, alerts, error::Failure, ledger::LedgerCache};

/// Stores one request, unless what it was matched with has changed.
pub(crate) fn accept(
    connection: &Connection,
    cache: &mut LedgerCache,
    random: &dyn Random,
    submission: &Submission,
    events: &mut Vec<StoreEvent>,
) -> Result<Acceptance, Failure> {
    let mut ledger = cache.on(connection);
    match accept::accept(&mut ledger, random, submission, events)? {
        Decision::Answered(acceptance) => Ok(acceptance),
        Decision::AlreadyStored(kept) => {
            let space = ledger.space(submission.roster.space.id)?;
            let (Some(space), Some(idempotency)) = (space, &submission.idempotency) else {
                return Ok(Acceptance::Stale);
            };
            repeated(connection, space, idempotency, &kept, submission.expiry)
        }
    }
}

/// The kept answer, with its alerts as they are by now.
fn repeated(
    connection: &Connection,
    space: SpaceRow,
    idempotency: &Idempotency,
    kept: &KeptAnswer,
    expiry: Expiry,
) -> Result<Acceptance, Failure> {
    let mut accepted = Vec::new();
    for one in stored::answer(&kept.json, &idempotency.key)? {
        let record = alerts::one(connection, space.no, one.id, expiry)?;
        accepted.push(one.again(record, kept.created_at));
    }
    Ok(Acceptance::AlreadyStored(accepted))
}

/// Closes a problem by its id.
pub(crate) fn resolve(
    connection: &Connection,
    cache: &mut LedgerCache,
    random: &dyn Random,
    request: &ResolveRequest,
    events: &mut Vec<StoreEvent>,
) -> Result<Resolution, Failure> {
    let mut ledger = cache.on(connection);
    match accept::resolve(&mut ledger, random, request, events)? {
        ResolveDecision::Stale => Ok(Resolution::Stale),
        ResolveDecision::Absent => Ok(Resolution::Absent),
        ResolveDecision::Done => {
            let Some(space) = ledger.space(request.roster.space.id)? else {
                return Ok(Resolution::Absent);
            };
            let record = alerts::one(connection, space.no, request.id, request.expiry)?;
            Ok(Resolution::of(record))
        }
    }
}

#[async_trait]
impl Intake for SqliteStore {
    async fn accept(&self, submission: Submission) -> Result<Acceptance, StoreError> {
        self.shared.writer.accept(submission).await
    }
}
