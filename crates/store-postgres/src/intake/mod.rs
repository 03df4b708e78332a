//! Accepting alerts: one transaction of two round trips for all that wait, however many.
//!
//! The first takes the numbering and reads what the group needs to know, the second writes and commits. A writer
//! that holds the numbering is alone, so what it read stays true.

mod facts;
mod job;
mod ledger;
mod rows;

use std::{collections::HashMap, sync::Arc};

use alert_connectors_model::{AlertId, ConnectorId, Random, SpaceId};
use alert_connectors_store::{
    Acceptance, AlertRecord, Expiry, Intake, Resolution, StoreError, StoreEvent, Submission,
    accept::{Decision, ResolveDecision, ResolveRequest},
    group::CONNECTOR_NUMBERS_MAX,
    stored,
};
use async_trait::async_trait;

pub(crate) use self::job::Job;
use self::{
    facts::FactKeys,
    ledger::{AlertRow, GroupLedger},
};
use crate::{
    PostgresStore, alerts,
    connection::Connection,
    zones::{self, Noted, ZONE},
};

/// What the writer keeps between groups: the numbers of connectors, which never change, where its last group ended, and
/// which zones are noted.
pub(crate) struct IntakeGroups {
    connectors: HashMap<ConnectorId, i64>,
    /// The next place in the order of deliveries after the last group.
    next_delivery: i64,
    noted: Noted,
    random: Arc<dyn Random>,
}

impl IntakeGroups {
    pub(crate) fn new(random: Arc<dyn Random>) -> Self {
        Self {
            connectors: HashMap::new(),
            next_delivery: 0,
            noted: Noted::default(),
            random,
        }
    }

    /// Decides a group and writes it in one transaction. The answers in the jobs hold once this returns without an error.
    pub(crate) async fn run(
        &mut self,
        connection: &Connection,
        jobs: &mut [Job],
    ) -> Result<Vec<StoreEvent>, StoreError> {
        // Before the keys are gathered, which leave out the connectors that are known.
        if self.connectors.len() >= CONNECTOR_NUMBERS_MAX {
            self.connectors.clear();
        }
        let mut keys = FactKeys::default();
        for job in &*jobs {
            job.add_keys(&mut keys, &self.connectors);
        }
        let mut facts = keys.read(connection).await?;
        self.connectors.extend(facts.connectors.drain(..));
        let first_delivery = facts.next_delivery;
        let mut ledger = GroupLedger::new(facts, &self.connectors);
        let mut queued = Vec::new();
        for job in jobs {
            job.decide(&mut ledger, &*self.random, &mut queued);
        }
        let rows = ledger.rows;
        let zones = rows.alerts.iter().map(AlertRow::zone);
        let lacking = self.noted.lacks(zones);
        rows::write(connection, &rows, &lacking).await?;
        self.noted.keep(lacking, rows.next_alert() / ZONE);
        let mut events = Vec::new();
        if std::mem::replace(&mut self.next_delivery, rows.next_delivery) != first_delivery {
            // Another replica queued something in between.
            events.push(StoreEvent::QueuedElsewhere);
        }
        events.append(&mut queued);
        Ok(events)
    }
}

/// Every statement of a group.
pub(crate) fn statements() -> Vec<&'static str> {
    let written = [zones::NOTE].into_iter().chain(rows::STATEMENTS);
    facts::statements().into_iter().chain(written).collect()
}

#[async_trait]
impl Intake for PostgresStore {
    async fn accept(&self, submission: Submission) -> Result<Acceptance, StoreError> {
        let (space_id, expiry) = (submission.roster.space.id, submission.expiry);
        let key = submission.idempotency.as_ref().map(|one| one.key.clone());
        let writer = &self.shared.writer;
        match writer.accept(Box::new(submission), Job::Accept).await? {
            Decision::Answered(acceptance) => Ok(acceptance),
            Decision::AlreadyStored(kept) => {
                let mut accepted = Vec::new();
                for one in stored::answer(&kept.json, &key.unwrap_or_default())? {
                    let record = self.record_of(space_id, one.id, expiry).await?;
                    accepted.push(one.again(record, kept.created_at));
                }
                Ok(Acceptance::AlreadyStored(accepted))
            }
        }
    }
}

impl PostgresStore {
    /// One alert with its deliveries in short.
    pub(crate) async fn record_of(
        &self,
        space_id: SpaceId,
        id: AlertId,
        expiry: Expiry,
    ) -> Result<Option<AlertRecord>, StoreError> {
        self.read(async |connection| alerts::one(connection, space_id, id, expiry).await)
            .await
    }

    /// Closes a problem by its id.
    pub(crate) async fn resolve_problem(
        &self,
        request: ResolveRequest,
    ) -> Result<Resolution, StoreError> {
        let (space_id, id, expiry) = (request.roster.space.id, request.id, request.expiry);
        match self.shared.writer.accept(request, Job::Resolve).await? {
            ResolveDecision::Absent => Ok(Resolution::Absent),
            ResolveDecision::Stale => Ok(Resolution::Stale),
            ResolveDecision::Done => {
                let record = self.record_of(space_id, id, expiry).await?;
                Ok(Resolution::of(record))
            }
        }
    }
}
