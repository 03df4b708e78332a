//! Accepting alerts, and closing problems, inside the writer's transaction.

use alert_connectors_model::Random;
use alert_connectors_store::{
    Acceptance, Event, Expiry, Idempotency, Intake, Resolution, StoreError, Submission,
    accept::{self, Closed, Closing, Decision, KeptAnswer, Ledger as _, SpaceRow},
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
    events: &mut Vec<Event>,
) -> Result<Acceptance, Failure> {
    let mut ledger = cache.on(connection);
    match accept::accept(&mut ledger, random, submission, events)? {
        Decision::Answered(acceptance) => Ok(acceptance),
        Decision::Repeated(kept) => {
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
    Ok(Acceptance::Repeated(accepted))
}

/// Closes a problem by its id.
pub(crate) fn close(
    connection: &Connection,
    cache: &mut LedgerCache,
    random: &dyn Random,
    closing: &Closing,
    events: &mut Vec<Event>,
) -> Result<Resolution, Failure> {
    let mut ledger = cache.on(connection);
    match accept::close(&mut ledger, random, closing, events)? {
        Closed::Stale => Ok(Resolution::Stale),
        Closed::Absent => Ok(Resolution::Absent),
        Closed::Done => {
            let Some(space) = ledger.space(closing.roster.space.id)? else {
                return Ok(Resolution::Absent);
            };
            let record = alerts::one(connection, space.no, closing.id, closing.expiry)?;
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
