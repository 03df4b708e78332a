//! Deliveries and their attempts, as rows.

use alert_connectors_model::{
    AlertId, Attempt, AttemptId, AttemptOutcome, ConnectorId, ConnectorType, Delivery, DeliveryId,
    DeliveryKind, DeliveryState, EndReason,
};

use jiff::Timestamp;

use super::{Columns, alert, unreadable};
use crate::{AcceptedDelivery, DeliveryMessage, Expiry, Form, StoreError, StoredState};

/// A delivery as it is stored.
pub struct StoredDelivery {
    /// Its place in the order.
    pub seq: i64,
    /// What was written of its end, and what else decides it.
    pub kept: StoredState,
    /// Its name.
    pub id: DeliveryId,
    /// Its alert.
    pub alert_id: AlertId,
    /// Its connector.
    pub connector_id: ConnectorId,
    /// What it says of the alert.
    pub kind: DeliveryKind,
    connector_name: String,
    created_at: Timestamp,
    next_attempt_at: Option<Timestamp>,
}

/// The columns that [`StoredDelivery::of`] reads, in its order: deliveries are `d`, alerts `a`, connectors `c` and
/// destinations `t`.
pub const DELIVERY_COLUMNS: &str =
    "d.seq, d.id, a.id, c.id, c.name, d.kind, d.created_at, d.next_attempt_at, d.state,
    d.reason, d.ended_at, coalesce(d.requeued_at, d.created_at), c.deleted_at,
    CASE WHEN c.is_active THEN NULL ELSE coalesce(c.switched_at, c.updated_at) END, t.repaired_at";

impl StoredDelivery {
    /// A row of [`DELIVERY_COLUMNS`].
    pub fn of(row: &dyn Columns) -> Result<Self, StoreError> {
        let seq = row.number(0)?;
        let bad = |column| unreadable("deliveries", column, seq);
        let reason = row.maybe_number(9)?.map(|_| row.code(9)).transpose()?;
        let reason = reason.map(|code| EndReason::from_code(code).ok_or_else(|| bad("reason")));
        let kept = StoredState {
            state: DeliveryState::from_code(row.code(8)?).ok_or_else(|| bad("state"))?,
            reason: reason.transpose()?,
            ended_at: row.maybe_time(10)?,
            queued_at: row.time(11)?,
            deleted_at: row.maybe_time(12)?,
            inactive_since: row.maybe_time(13)?,
            repaired_at: row.maybe_time(14)?,
        };
        Ok(Self {
            seq,
            kept,
            id: DeliveryId::from_bytes(row.id(1)?),
            alert_id: AlertId::from_bytes(row.id(2)?),
            connector_id: ConnectorId::from_bytes(row.id(3)?),
            kind: delivery_kind(row.code(5)?, seq)?,
            connector_name: row.text(4)?,
            created_at: row.time(6)?,
            next_attempt_at: row.maybe_time(7)?,
        })
    }

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
            created_at: self.created_at,
            next_attempt_at: self.next_attempt_at.filter(|_| waits),
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

/// The columns that [`message`] reads, in its order, without the size of the last digest: deliveries are `d`, alerts `a`
/// and connectors `c`.
pub const MESSAGE_COLUMNS: &str = concat!(
    "a.seq, a.id, ",
    content_of_delivery!(),
    ", d.kind, d.created_at, c.connector_type, d.plain"
);

/// What a delivery's message is made of, from a row of [`MESSAGE_COLUMNS`] and the size of the last digest.
pub fn message(row: &dyn Columns) -> Result<DeliveryMessage, StoreError> {
    let alert_seq = row.number(0)?;
    let connector_type = ConnectorType::parse(&row.text(5)?);
    let digest_size = row
        .maybe_number(7)?
        .and_then(|size| u32::try_from(size).ok());
    Ok(DeliveryMessage {
        alert: alert(&row.text(2)?, alert_seq)?,
        alert_id: AlertId::from_bytes(row.id(1)?),
        kind: delivery_kind(row.code(3)?, alert_seq)?,
        created_at: row.time(4)?,
        connector_type: connector_type
            .ok_or_else(|| unreadable("connectors", "connector_type", "of a delivery"))?,
        form: if row.flag(6)? {
            Form::Plain
        } else {
            Form::Full
        },
        digest_size: digest_size.unwrap_or(1),
        carried: Vec::new(),
    })
}

/// What the number of a kind means.
pub fn delivery_kind(code: u8, seq: i64) -> Result<DeliveryKind, StoreError> {
    DeliveryKind::from_code(code).ok_or_else(|| unreadable("deliveries", "kind", seq))
}

/// An attempt with the place of its delivery: that, its id, start, duration, outcome, status, error and how many deliveries
/// it carried.
pub fn attempt(row: &dyn Columns) -> Result<(i64, Attempt), StoreError> {
    let delivery_seq = row.number(0)?;
    let outcome = AttemptOutcome::from_code(row.code(4)?);
    let status = row.maybe_number(5)?;
    let attempt = Attempt {
        id: AttemptId::from_bytes(row.id(1)?),
        started_at: row.time(2)?,
        duration_ms: row.count(3)?,
        outcome: outcome.ok_or_else(|| unreadable("attempts", "outcome", delivery_seq))?,
        status_code: status.and_then(|status| u16::try_from(status).ok()),
        error: row.maybe_text(6)?,
        digest_size: row.count(7)?,
    };
    Ok((delivery_seq, attempt))
}
