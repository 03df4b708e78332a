//! The pending deliveries of one connector, read in short for a digest.

use std::{collections::HashMap, sync::Arc};

use alert_connectors_model::{
    AlertId, AlertStatus, Connector, DeliveryId, DeliveryKind, Severity, Space,
};
use alert_connectors_store::{
    DigestBatch, DigestEntry, Expiry, OpeningState,
    stored::{self, delivery_kind, time, unreadable},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{error::Failure, openings::opening};

// By deliveries_pending.
const OLDEST: &str = "SELECT seq FROM deliveries WHERE connector_no = ?1 AND state = 0
    AND coalesce(requeued_at, created_at) > ?2 AND seq >= ?3 ORDER BY seq LIMIT 1";
// By deliveries_pending, then by primary key.
const ENTRIES: &str =
    "SELECT d.seq, d.id, d.kind, d.attempts, d.created_at, a.seq, a.id, a.severity, a.status
    FROM deliveries d JOIN alerts a ON a.seq = d.alert_seq
    WHERE d.connector_no = ?1 AND d.state = 0 AND coalesce(d.requeued_at, d.created_at) > ?2
    AND d.seq >= ?3 ORDER BY d.seq LIMIT ?4";
// By primary key.
const CONTENT: &str = "SELECT content FROM alerts WHERE seq = ?1";

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
pub(crate) fn read(
    connection: &Connection,
    connectors: Vec<(i64, Connector, Space)>,
    wanted: BatchQuery,
) -> Result<Option<DigestBatch>, Failure> {
    let cutoff = wanted.cutoff.as_millisecond();
    let mut oldest: Option<(i64, (i64, Connector, Space))> = None;
    for candidate in connectors.into_iter().filter(|(_, one, _)| one.is_active) {
        let first: Option<i64> = connection
            .prepare_cached(OLDEST)
            .and_then(|mut statement| {
                statement
                    .query_row([candidate.0, cutoff, wanted.from], |row| row.get(0))
                    .optional()
            })?;
        let Some(seq) = first else { continue };
        if oldest.as_ref().is_none_or(|(least, _)| seq < *least) {
            oldest = Some((seq, candidate));
        }
    }
    let Some((_, (connector_no, connector, space))) = oldest else {
        return Ok(None);
    };
    let mut found = entries(connection, connector_no, wanted)?;
    fill(connection, &mut found, wanted.in_full)?;
    Ok(Some(DigestBatch {
        space: Arc::new(space),
        connector: Arc::new(connector),
        entries: found.into_iter().map(|(_, entry)| entry).collect(),
    }))
}

/// Deliveries with the places of their alerts.
fn entries(
    connection: &Connection,
    connector_no: i64,
    wanted: BatchQuery,
) -> Result<Vec<(i64, DigestEntry)>, Failure> {
    let limit = i64::try_from(wanted.at_most).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(ENTRIES)?;
    let mut rows = statement.query(params![
        connector_no,
        wanted.cutoff.as_millisecond(),
        wanted.from,
        limit
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (alert_seq, mut entry) = entry(row)?;
        if entry.kind != DeliveryKind::Opening {
            entry.opening = opening(
                connection,
                alert_seq,
                connector_no,
                entry.seq,
                wanted.expiry,
            )?;
        }
        found.push((alert_seq, entry));
    }
    Ok(found)
}

fn entry(row: &Row<'_>) -> Result<(i64, DigestEntry), Failure> {
    let number = |at| row.get::<_, i64>(at).map_err(Failure::from);
    let (seq, alert_seq) = (number(0)?, number(5)?);
    let (severity, status) = (
        Severity::from_code(row.get(7)?),
        AlertStatus::from_code(row.get(8)?),
    );
    let entry = DigestEntry {
        seq,
        id: DeliveryId::from_bytes(row.get(1)?),
        alert_id: AlertId::from_bytes(row.get(6)?),
        kind: delivery_kind(row.get(2)?, seq)?,
        opening: OpeningState::Arrived,
        severity: severity.ok_or_else(|| unreadable("alerts", "severity", alert_seq))?,
        status: status.ok_or_else(|| unreadable("alerts", "status", alert_seq))?,
        attempts: row.get(3)?,
        created_at: time(number(4)?),
        alert: None,
    };
    Ok((alert_seq, entry))
}

/// Reads the content of the worst alerts, each once.
fn fill(
    connection: &Connection,
    entries: &mut [(i64, DigestEntry)],
    in_full: usize,
) -> Result<(), Failure> {
    let mut alerts = HashMap::new();
    for alert_seq in DigestEntry::worst(entries, in_full) {
        let content: String = connection
            .prepare_cached(CONTENT)
            .and_then(|mut statement| statement.query_row([alert_seq], |row| row.get(0)))?;
        alerts.insert(alert_seq, Arc::new(stored::alert(&content, alert_seq)?));
    }
    for (alert_seq, entry) in entries {
        entry.alert = alerts.get(alert_seq).map(Arc::clone);
    }
    Ok(())
}
