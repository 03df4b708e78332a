//! The pending deliveries of one connector, read in short for a digest.

use std::{collections::HashMap, sync::Arc};

use alert_connectors_model::{
    Alert, AlertId, AlertStatus, Connector, DeliveryId, DeliveryKind, Severity, Space,
};
use alert_connectors_store::{
    DigestBatch, DigestEntry, Expiry, OpeningState, StoreError,
    stored::{self, delivery_kind, time, unreadable},
};
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::{error::Columns, openings::openings, session::Session};

// By the primary key of pending.
const OLDEST: &str = "SELECT p.connector_no FROM unnest($1::int8[]) AS wanted (no) CROSS JOIN LATERAL
    (SELECT connector_no, seq FROM pending WHERE connector_no = wanted.no AND queued_at > $2 AND seq >= $3 ORDER BY seq LIMIT 1) p
    ORDER BY p.seq LIMIT 1";
// By the primary key of pending, then by primary keys.
const ENTRIES: &str = "SELECT d.seq, d.id, d.kind, d.attempts, d.created_at, a.seq, a.id, a.severity, a.status
    FROM (SELECT seq FROM pending WHERE connector_no = $1 AND queued_at > $2 AND seq >= $3 ORDER BY seq LIMIT $4) p
    JOIN deliveries d ON d.seq = p.seq JOIN alerts a ON a.seq = d.alert_seq ORDER BY d.seq";
// By primary key.
const CONTENT: &str = "SELECT seq, content FROM alerts WHERE seq = ANY ($1)";

/// How much to read.
#[derive(Clone, Copy)]
pub(crate) struct BatchQuery {
    /// The number of the first delivery.
    pub(crate) from: i64,
    pub(crate) at_most: usize,
    pub(crate) in_full: usize,
    pub(crate) expiry: Expiry,
    pub(crate) cutoff: Timestamp,
}

/// Reads the pending deliveries of the oldest one's connector.
pub(crate) async fn read(
    session: &Session,
    mut connectors: Vec<(i64, Connector, Space)>,
    wanted: BatchQuery,
) -> Result<Option<DigestBatch>, StoreError> {
    connectors.retain(|(_, connector, _)| connector.is_active);
    let numbers: Vec<i64> = connectors.iter().map(|(no, _, _)| *no).collect();
    let cutoff = wanted.cutoff.as_millisecond();
    let Some(row) = session
        .row(OLDEST, &[&numbers, &cutoff, &wanted.from])
        .await?
    else {
        return Ok(None);
    };
    let oldest: i64 = row.at(0)?;
    let owner = connectors.into_iter().find(|(no, _, _)| *no == oldest);
    let Some((connector_no, connector, space)) = owner else {
        return Ok(None);
    };
    let limit = i64::try_from(wanted.at_most).unwrap_or(i64::MAX);
    let rows = session
        .rows(ENTRIES, &[&connector_no, &cutoff, &wanted.from, &limit])
        .await?;
    let mut found: Vec<(i64, DigestEntry)> = rows.iter().map(entry).collect::<Result<_, _>>()?;
    find_openings(session, &mut found, wanted.expiry).await?;
    fill(session, &mut found, wanted.in_full).await?;
    Ok(Some(DigestBatch {
        space: Arc::new(space),
        connector: Arc::new(connector),
        entries: found.into_iter().map(|(_, entry)| entry).collect(),
    }))
}

/// A delivery with the place of its alert.
fn entry(row: &Row) -> Result<(i64, DigestEntry), StoreError> {
    let (seq, alert_seq): (i64, i64) = (row.at(0)?, row.at(5)?);
    let (severity, status) = (
        Severity::from_code(row.code(7)?),
        AlertStatus::from_code(row.code(8)?),
    );
    let entry = DigestEntry {
        seq,
        id: DeliveryId::from_bytes(row.id(1)?),
        alert_id: AlertId::from_bytes(row.id(6)?),
        kind: delivery_kind(row.code(2)?, seq)?,
        opening: OpeningState::Arrived,
        severity: severity.ok_or_else(|| unreadable("alerts", "severity", alert_seq))?,
        status: status.ok_or_else(|| unreadable("alerts", "status", alert_seq))?,
        attempts: u32::try_from(row.at::<i32>(3)?).unwrap_or(0),
        created_at: time(row.at(4)?),
        alert: None,
    };
    Ok((alert_seq, entry))
}

async fn find_openings(
    session: &Session,
    entries: &mut [(i64, DigestEntry)],
    expiry: Expiry,
) -> Result<(), StoreError> {
    let is_follow_up = |entry: &DigestEntry| entry.kind != DeliveryKind::Opening;
    let follow_ups: Vec<i64> = entries
        .iter()
        .filter(|(_, entry)| is_follow_up(entry))
        .map(|(_, entry)| entry.seq)
        .collect();
    let openings = openings(session, &follow_ups, expiry).await?;
    for (_, entry) in entries {
        if is_follow_up(entry) {
            let opening = openings.get(&entry.seq).copied();
            entry.opening = opening.unwrap_or(OpeningState::Undelivered);
        }
    }
    Ok(())
}

/// Reads the content of the worst alerts, each once.
async fn fill(
    session: &Session,
    entries: &mut [(i64, DigestEntry)],
    in_full: usize,
) -> Result<(), StoreError> {
    let seqs = DigestEntry::worst(entries, in_full);
    let mut alerts: HashMap<i64, Arc<Alert>> = HashMap::new();
    for row in session.rows(CONTENT, &[&seqs]).await? {
        let (seq, content): (i64, String) = (row.at(0)?, row.at(1)?);
        alerts.insert(seq, Arc::new(stored::alert(&content, seq)?));
    }
    for (alert_seq, entry) in entries {
        entry.alert = alerts.get(alert_seq).map(Arc::clone);
    }
    Ok(())
}
