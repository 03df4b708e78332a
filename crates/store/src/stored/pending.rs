//! Pending deliveries, as rows: in full for a destination's queue, in short for a digest.

use std::{collections::HashMap, sync::Arc};

use alert_connectors_model::{
    Alert, AlertId, AlertStatus, Connector, DeliveryId, DeliveryKind, Severity, Space,
};

use super::{Columns, alert, delivery_kind, unreadable};
use crate::{DigestEntry, Form, OpeningState, PendingDelivery, StoreError};

/// The alerts that a read has met by their place in the order, with what they said last. The deliveries of an alert that say the
/// same share it.
#[derive(Default)]
pub struct SharedAlerts(HashMap<i64, (String, Arc<Alert>)>);

impl SharedAlerts {
    fn get(&mut self, seq: i64, content: String) -> Result<Arc<Alert>, StoreError> {
        if let Some((known, alert)) = self.0.get(&seq)
            && *known == content
        {
            return Ok(Arc::clone(alert));
        }
        let alert = Arc::new(alert(&content, seq)?);
        self.0.insert(seq, (content, Arc::clone(&alert)));
        Ok(alert)
    }

    /// Adds an alert: its place in the order, then its content.
    pub fn add(&mut self, row: &dyn Columns) -> Result<(), StoreError> {
        self.get(row.number(0)?, row.text(1)?).map(drop)
    }

    /// Gives the entries their alerts, where they are here.
    pub fn fill(&self, entries: Vec<(i64, DigestEntry)>) -> Vec<DigestEntry> {
        let filled = |(alert_seq, entry): (i64, DigestEntry)| DigestEntry {
            alert: self.0.get(&alert_seq).map(|(_, alert)| Arc::clone(alert)),
            ..entry
        };
        entries.into_iter().map(filled).collect()
    }
}

/// The columns that [`pending`] reads, in its order, without the time at which the delivery was queued: deliveries are
/// `d` and alerts are `a`.
pub const PENDING_COLUMNS: &str = concat!(
    "d.seq, d.id, d.plain, d.attempts, d.kind, d.created_at, a.seq, a.id, d.trace, ",
    content_of_delivery!()
);

/// How many columns these are: the time at which the delivery was queued stands behind them.
pub const PENDING_WIDTH: usize = 10;

/// A pending delivery of a connector with the place of its alert, from a row of [`PENDING_COLUMNS`] and the time at which it
/// was queued. A follow-up counts as if its opening had arrived, until the caller looks.
pub fn pending(
    row: &dyn Columns,
    connector: &Arc<Connector>,
    space: &Arc<Space>,
    alerts: &mut SharedAlerts,
) -> Result<(i64, PendingDelivery), StoreError> {
    let (seq, alert_seq) = (row.number(0)?, row.number(6)?);
    let pending = PendingDelivery {
        seq,
        id: DeliveryId::from_bytes(row.id(1)?),
        alert_id: AlertId::from_bytes(row.id(7)?),
        kind: delivery_kind(row.code(4)?, seq)?,
        opening: OpeningState::Arrived,
        space: Arc::clone(space),
        alert: alerts.get(alert_seq, row.text(9)?)?,
        created_at: row.time(5)?,
        queued_at: row.time(PENDING_WIDTH)?,
        connector: Arc::clone(connector),
        form: if row.flag(2)? {
            Form::Plain
        } else {
            Form::Full
        },
        attempts: row.count(3)?,
        trace: row.trace(8)?,
    };
    Ok((alert_seq, pending))
}

/// The columns that [`digest_entry`] reads, in its order: deliveries are `d` and alerts are `a`.
pub const ENTRY_COLUMNS: &str =
    "d.seq, d.id, d.kind, d.attempts, d.created_at, a.seq, a.id, a.severity, a.status, d.trace";

/// A pending delivery in short with the place of its alert, from a row of [`ENTRY_COLUMNS`]. A follow-up counts as if its
/// opening had arrived, until the caller looks.
pub fn digest_entry(row: &dyn Columns) -> Result<(i64, DigestEntry), StoreError> {
    let (seq, alert_seq) = (row.number(0)?, row.number(5)?);
    let bad = |column| unreadable("alerts", column, alert_seq);
    let entry = DigestEntry {
        seq,
        id: DeliveryId::from_bytes(row.id(1)?),
        alert_id: AlertId::from_bytes(row.id(6)?),
        kind: delivery_kind(row.code(2)?, seq)?,
        opening: OpeningState::Arrived,
        severity: Severity::from_code(row.code(7)?).ok_or_else(|| bad("severity"))?,
        status: AlertStatus::from_code(row.code(8)?).ok_or_else(|| bad("status"))?,
        attempts: row.count(3)?,
        created_at: row.time(4)?,
        trace: row.trace(9)?,
        alert: None,
    };
    Ok((alert_seq, entry))
}

impl PendingDelivery {
    /// Whether it is about a problem whose opening is another delivery.
    pub fn is_follow_up(&self) -> bool {
        self.kind != DeliveryKind::Opening
    }
}

impl DigestEntry {
    /// Whether it is about a problem whose opening is another delivery.
    pub fn is_follow_up(&self) -> bool {
        self.kind != DeliveryKind::Opening
    }
}
