//! Deliveries read back: how they stand now, with their attempts.

use alert_connectors_model::{
    AlertId, Attempt, AttemptId, AttemptOutcome, ConnectorId, Delivery, DeliveryId, DeliveryKind,
    DeliveryState, EndReason,
};
use alert_connectors_store::{AcceptedDelivery, Expiry, Kept, StoreError};
use rusqlite::{Connection, Row, ToSql};

use crate::{
    error::meaning,
    row::{maybe_time, time, unreadable},
};

/// What [`StoredDelivery`] is read from.
pub(crate) const COLUMNS: &str =
    "d.seq, d.id, a.id, c.id, c.name, d.kind, d.created_at, d.next_attempt_at, d.state,
    d.reason, d.ended_at, coalesce(d.requeued_at, d.created_at), c.deleted_at,
    CASE WHEN c.is_active THEN NULL ELSE coalesce(c.switched_at, c.updated_at) END, t.repaired_at";
/// Where it is read from: all by primary key but the deliveries, which each query finds by an index of its own.
pub(crate) const FROM: &str = "FROM deliveries d JOIN alerts a ON a.seq = d.alert_seq
    JOIN connectors c ON c.no = d.connector_no LEFT JOIN destinations t ON t.fingerprint = c.destination";
// By deliveries_by_alert.
const OF_ALERT: &str = "WHERE d.alert_seq = ?1 ORDER BY d.seq";
// By primary key.
const ATTEMPTS: &str =
    "SELECT id, started_at, duration_ms, outcome, status_code, error, digest_size FROM attempts
    WHERE delivery_seq = ?1 ORDER BY id";

/// A delivery as it is stored.
pub(crate) struct StoredDelivery {
    pub(crate) seq: i64,
    pub(crate) kept: Kept,
    id: DeliveryId,
    alert_id: AlertId,
    pub(crate) connector_id: ConnectorId,
    connector_name: String,
    pub(crate) kind: DeliveryKind,
    created_at: i64,
    next_attempt_at: Option<i64>,
}

impl StoredDelivery {
    /// Reads a row of [`COLUMNS`].
    pub(crate) fn of(row: &Row<'_>) -> Result<Self, StoreError> {
        let seq: i64 = row.get(0).map_err(meaning)?;
        let code = |at| row.get::<_, u8>(at).map_err(meaning);
        let at = |column| {
            row.get::<_, Option<i64>>(column)
                .map(maybe_time)
                .map_err(meaning)
        };
        let reason = row.get::<_, Option<u8>>(9).map_err(meaning)?;
        let bad = |column| unreadable("deliveries", column, seq);
        let kept = Kept {
            state: DeliveryState::from_code(code(8)?).ok_or_else(|| bad("state"))?,
            reason: reason
                .map(|code| EndReason::from_code(code).ok_or_else(|| bad("reason")))
                .transpose()?,
            ended_at: at(10)?,
            queued_at: time(row.get(11).map_err(meaning)?),
            deleted_at: at(12)?,
            inactive_since: at(13)?,
            repaired_at: at(14)?,
        };
        Ok(Self {
            seq,
            kept,
            id: DeliveryId::from_bytes(row.get(1).map_err(meaning)?),
            alert_id: AlertId::from_bytes(row.get(2).map_err(meaning)?),
            connector_id: ConnectorId::from_bytes(row.get(3).map_err(meaning)?),
            connector_name: row.get(4).map_err(meaning)?,
            kind: DeliveryKind::from_code(code(5)?).ok_or_else(|| bad("kind"))?,
            created_at: row.get(6).map_err(meaning)?,
            next_attempt_at: row.get(7).map_err(meaning)?,
        })
    }

    /// The delivery as it stands now, without its attempts.
    pub(crate) fn read(self, expiry: Expiry) -> Delivery {
        let (state, reason, ended_at) = self.kept.now(expiry);
        let waits = state == DeliveryState::Pending;
        Delivery {
            id: self.id,
            alert_id: self.alert_id,
            connector_id: self.connector_id,
            connector_name: self.connector_name,
            kind: self.kind,
            state,
            reason,
            created_at: time(self.created_at),
            next_attempt_at: maybe_time(self.next_attempt_at).filter(|_| waits),
            ended_at,
            attempts: Vec::new(),
        }
    }

    pub(crate) const fn id(&self) -> DeliveryId {
        self.id
    }
}

/// The deliveries that a condition names.
pub(crate) fn select(
    connection: &Connection,
    condition: &str,
    parameters: &[&dyn ToSql],
) -> Result<Vec<StoredDelivery>, StoreError> {
    let sql = format!("SELECT {COLUMNS} {FROM} {condition}");
    let mut statement = connection.prepare_cached(&sql).map_err(meaning)?;
    let mut rows = statement.query(parameters).map_err(meaning)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(meaning)? {
        found.push(StoredDelivery::of(row)?);
    }
    Ok(found)
}

/// The deliveries of an alert, oldest first.
pub(crate) fn of_alert(
    connection: &Connection,
    alert_seq: i64,
) -> Result<Vec<StoredDelivery>, StoreError> {
    select(connection, OF_ALERT, &[&alert_seq])
}

/// The deliveries of an alert in short.
pub(crate) fn summaries(
    connection: &Connection,
    alert_seq: i64,
    expiry: Expiry,
) -> Result<Vec<AcceptedDelivery>, StoreError> {
    let summary = |stored: StoredDelivery| AcceptedDelivery {
        id: stored.id,
        connector_id: stored.connector_id,
        state: stored.kept.now(expiry).0,
        connector_name: stored.connector_name,
    };
    Ok(of_alert(connection, alert_seq)?
        .into_iter()
        .map(summary)
        .collect())
}

/// The attempts of a delivery, oldest first.
pub(crate) fn attempts(
    connection: &Connection,
    delivery_seq: i64,
) -> Result<Vec<Attempt>, StoreError> {
    let mut statement = connection.prepare_cached(ATTEMPTS).map_err(meaning)?;
    let mut rows = statement.query([delivery_seq]).map_err(meaning)?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next().map_err(meaning)? {
        attempts.push(attempt(row, delivery_seq)?);
    }
    Ok(attempts)
}

fn attempt(row: &Row<'_>, delivery_seq: i64) -> Result<Attempt, StoreError> {
    let outcome: u8 = row.get(3).map_err(meaning)?;
    Ok(Attempt {
        id: AttemptId::from_bytes(row.get(0).map_err(meaning)?),
        started_at: time(row.get(1).map_err(meaning)?),
        duration_ms: row.get(2).map_err(meaning)?,
        outcome: AttemptOutcome::from_code(outcome)
            .ok_or_else(|| unreadable("attempts", "outcome", delivery_seq))?,
        status_code: row.get(4).map_err(meaning)?,
        error: row.get(5).map_err(meaning)?,
        digest_size: row.get(6).map_err(meaning)?,
    })
}
