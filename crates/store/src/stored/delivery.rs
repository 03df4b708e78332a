//! Deliveries and their attempts, as rows.

use alert_connectors_model::{
    AlertId, Attempt, AttemptId, AttemptOutcome, ConnectorId, Delivery, DeliveryId, DeliveryKind,
    DeliveryState, EndReason,
};

use super::{maybe_time, time, unreadable};
use crate::{AcceptedDelivery, Expiry, Kept, StoreError};

/// A delivery as a row holds it, with what its end depends on.
pub struct DeliveryRow {
    /// Its place in the order.
    pub seq: i64,
    /// Its id.
    pub id: [u8; 16],
    /// Its alert's id.
    pub alert_id: [u8; 16],
    /// Its connector's id.
    pub connector_id: [u8; 16],
    /// Its connector's name for people.
    pub connector_name: String,
    /// What it says of the alert, as a number.
    pub kind: u8,
    /// When it was made.
    pub created_at: i64,
    /// When it is tried again.
    pub next_attempt_at: Option<i64>,
    /// The state that was written, as a number.
    pub state: u8,
    /// The reason that was written, as a number.
    pub reason: Option<u8>,
    /// The end that was written.
    pub ended_at: Option<i64>,
    /// From when its time is counted.
    pub queued_at: i64,
    /// When its connector was deleted.
    pub deleted_at: Option<i64>,
    /// Since when its connector is switched off.
    pub inactive_since: Option<i64>,
    /// When its destination was repaired last.
    pub repaired_at: Option<i64>,
}

/// A delivery as it is stored.
pub struct StoredDelivery {
    /// Its place in the order.
    pub seq: i64,
    /// What was written of its end, and what else decides it.
    pub kept: Kept,
    /// Its name.
    pub id: DeliveryId,
    /// Its alert.
    pub alert_id: AlertId,
    /// Its connector.
    pub connector_id: ConnectorId,
    /// What it says of the alert.
    pub kind: DeliveryKind,
    connector_name: String,
    created_at: i64,
    next_attempt_at: Option<i64>,
}

impl TryFrom<DeliveryRow> for StoredDelivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self, StoreError> {
        let bad = |column| unreadable("deliveries", column, row.seq);
        let reason = row
            .reason
            .map(|code| EndReason::from_code(code).ok_or_else(|| bad("reason")));
        let kept = Kept {
            state: DeliveryState::from_code(row.state).ok_or_else(|| bad("state"))?,
            reason: reason.transpose()?,
            ended_at: maybe_time(row.ended_at),
            queued_at: time(row.queued_at),
            deleted_at: maybe_time(row.deleted_at),
            inactive_since: maybe_time(row.inactive_since),
            repaired_at: maybe_time(row.repaired_at),
        };
        Ok(Self {
            seq: row.seq,
            kept,
            id: DeliveryId::from_bytes(row.id),
            alert_id: AlertId::from_bytes(row.alert_id),
            connector_id: ConnectorId::from_bytes(row.connector_id),
            kind: delivery_kind(row.kind, row.seq)?,
            connector_name: row.connector_name,
            created_at: row.created_at,
            next_attempt_at: row.next_attempt_at,
        })
    }
}

impl StoredDelivery {
    /// The delivery as it stands now, without its attempts.
    pub fn read(self, expiry: Expiry) -> Delivery {
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

    /// The delivery in short.
    pub fn summary(self, expiry: Expiry) -> AcceptedDelivery {
        AcceptedDelivery {
            id: self.id,
            connector_id: self.connector_id,
            state: self.kept.now(expiry).0,
            connector_name: self.connector_name,
        }
    }
}

/// What the number of a kind means.
pub fn delivery_kind(code: u8, seq: i64) -> Result<DeliveryKind, StoreError> {
    DeliveryKind::from_code(code).ok_or_else(|| unreadable("deliveries", "kind", seq))
}

/// An attempt as a row holds it.
pub struct AttemptRow {
    /// The delivery's place in the order.
    pub delivery_seq: i64,
    /// The attempt's id.
    pub id: [u8; 16],
    /// When the request began.
    pub started_at: i64,
    /// How long it took.
    pub duration_ms: u32,
    /// Its outcome, as a number.
    pub outcome: u8,
    /// The status of the response.
    pub status_code: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
    /// How many deliveries it carried.
    pub digest_size: u32,
}

impl TryFrom<AttemptRow> for Attempt {
    type Error = StoreError;

    fn try_from(row: AttemptRow) -> Result<Self, StoreError> {
        let outcome = AttemptOutcome::from_code(row.outcome);
        Ok(Self {
            id: AttemptId::from_bytes(row.id),
            started_at: time(row.started_at),
            duration_ms: row.duration_ms,
            outcome: outcome.ok_or_else(|| unreadable("attempts", "outcome", row.delivery_seq))?,
            status_code: row.status_code,
            error: row.error,
            digest_size: row.digest_size,
        })
    }
}
