//! What accepting reads from a store and writes to it.

use std::sync::Arc;

use alert_connectors_model::{
    Alert, AlertId, ConnectorId, DeliveryId, DeliveryKind, SpaceId, TraceContext,
};
use jiff::Timestamp;

use super::Recipients;
use crate::{
    AuditEntry, Expiry, Idempotency, NewAlert, StoreError,
    stored::{self, Columns},
};

/// A store inside one transaction, beside which no other one writes. Each call sees what the calls before it wrote.
///
/// Calls are synchronous: SQLite answers from its own pages, and the PostgreSQL store reads all that a group may ask for in
/// one round trip before the group is decided, and writes its decisions in another.
pub trait Ledger {
    /// Why a call fails. The whole transaction is given up then.
    type Error;

    /// The version of identity: of users, tokens, roles and spaces.
    fn identity_version(&mut self) -> Result<i64, Self::Error>;

    /// The row of a space, unless it was removed.
    fn space(&mut self, id: SpaceId) -> Result<Option<SpaceRow>, Self::Error>;

    /// What is kept under an idempotency key, unless it is older than [`Idempotency::KEPT_MS`] at `now`.
    fn kept_answer(
        &mut self,
        space_no: i64,
        idempotency: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<KeptAnswer>, Self::Error>;

    /// Keeps an answer under an idempotency key.
    fn keep_answer(
        &mut self,
        space_no: i64,
        idempotency: &Idempotency,
        answer: KeptAnswer,
    ) -> Result<(), Self::Error>;

    /// The active problem with this `dedup_key`. There is at most one.
    fn active_problem(
        &mut self,
        space_no: i64,
        dedup_key: &str,
    ) -> Result<Option<Problem>, Self::Error>;

    /// An alert by its id, active or resolved, with a `dedup_key` or without.
    fn problem(&mut self, space_no: i64, id: AlertId) -> Result<Option<Problem>, Self::Error>;

    /// The recipients of a problem.
    fn recipients(&mut self, problem: &Problem, expiry: Expiry) -> Result<Recipients, Self::Error>;

    /// Stores a new alert, which counts for so many `bytes`. Returns its place in the order of alerts.
    fn insert_alert(
        &mut self,
        space_no: i64,
        new: &NewAlert,
        received_at: Timestamp,
        bytes: i64,
    ) -> Result<i64, Self::Error>;

    /// Stores a problem as it is now. `json` is its alert as JSON. It counts for so many bytes of `growth` more, and for those by which
    /// its JSON is longer than before.
    fn update_problem(
        &mut self,
        space_no: i64,
        problem: &Problem,
        json: &Arc<str>,
        growth: i64,
    ) -> Result<(), Self::Error>;

    /// Keeps a revision of an alert for as long as the alert: what `first_delivery` and the deliveries behind it say, up to the
    /// next revision. `json` is the alert as JSON.
    fn keep_revision(
        &mut self,
        alert_seq: i64,
        first_delivery: i64,
        json: &Arc<str>,
    ) -> Result<(), Self::Error>;

    /// Adds an entry to the audit trail.
    fn add_audit_entry(&mut self, entry: &AuditEntry) -> Result<(), Self::Error>;

    /// Queues a delivery. Returns its place in the order of deliveries; nothing if its connector is gone.
    fn insert_delivery(&mut self, delivery: &NewDelivery) -> Result<Option<i64>, Self::Error>;
}

/// What accepting needs of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceRow {
    /// The number by which rows refer to the space.
    pub no: i64,
    /// The version of its connectors.
    pub version: i64,
}

/// The answer to a request, as it is kept under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// SHA-256 of the body that it answered.
    pub body_hash: [u8; 32],
    /// The answer, as [`stored::answer`](crate::stored::answer) reads it.
    pub json: String,
    /// When it was given.
    pub created_at: Timestamp,
}

/// A stored alert that a later post may repeat, raise or resolve.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Its place in the order of alerts.
    pub seq: i64,
    /// Its id.
    pub id: AlertId,
    /// When it was first received.
    pub received_at: Timestamp,
    /// How often it was posted.
    pub occurrences: u64,
    /// What it says now.
    pub alert: Arc<Alert>,
    /// When it last rose, or its recipients were last notified; the time until a reminder counts from here. Rows call it `told_at`.
    pub notified_at: Timestamp,
}

impl Problem {
    /// A problem from columns that begin at `first`: place, id, receipt, occurrences, content, last notification.
    pub fn of(row: &dyn Columns, first: usize) -> Result<Self, StoreError> {
        let seq = row.number(first)?;
        Ok(Self {
            seq,
            id: AlertId::from_bytes(row.id(first + 1)?),
            received_at: row.time(first + 2)?,
            occurrences: row.count(first + 3)?,
            alert: Arc::new(stored::alert(&row.text(first + 4)?, seq)?),
            notified_at: row.time(first + 5)?,
        })
    }
}

/// A delivery to be queued.
#[derive(Debug, Clone, Copy)]
pub struct NewDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// What it says.
    pub kind: DeliveryKind,
    /// The place of its alert in the order of alerts.
    pub alert_seq: i64,
    /// The id of its alert.
    pub alert_id: AlertId,
    /// The connector that it is for.
    pub connector_id: ConnectorId,
    /// When it is made.
    pub created_at: Timestamp,
    /// The span of the request that queues it, if that is recorded.
    pub trace: Option<TraceContext>,
}
