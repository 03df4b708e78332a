//! The pending deliveries of one connector, read in short for a digest.

use std::sync::Arc;

use alert_connectors_model::{AttemptId, Connector, Space};
use alert_connectors_store::{
    BatchQuery, CARRIED_SPANS, DigestBatch, DigestEntry,
    stored::{ENTRY_COLUMNS, SharedAlerts, digest_entry},
};
use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::{
    error::Failure,
    openings::opening,
    row::{row, rows},
};

// By deliveries_pending.
const OLDEST: &str = "SELECT seq FROM deliveries WHERE connector_no = ?1 AND state = 0
    AND coalesce(requeued_at, created_at) > ?2 AND seq >= ?3 ORDER BY seq LIMIT 1";
// By deliveries_pending, then by primary key.
const ENTRIES: &str = "FROM deliveries d JOIN alerts a ON a.seq = d.alert_seq
    WHERE d.connector_no = ?1 AND d.state = 0 AND coalesce(d.requeued_at, d.created_at) > ?2
    AND d.seq >= ?3 ORDER BY d.seq LIMIT ?4";
// By the primary key of attempts, then by primary keys.
const CARRIED: &str =
    "FROM attempts t JOIN deliveries d ON d.seq = t.delivery_seq JOIN alerts a ON a.seq = d.alert_seq
    WHERE t.delivery_seq BETWEEN ?1 AND ?2 AND t.id = ?3
    AND d.connector_no = (SELECT connector_no FROM deliveries WHERE seq = ?4) ORDER BY d.seq";
// By primary key.
const CONTENT: &str = "SELECT seq, content FROM alerts WHERE seq = ?1";

/// Reads the pending deliveries of the oldest one's connector.
pub(crate) fn read(
    connection: &Connection,
    connectors: Vec<(i64, Connector, Space)>,
    repaired_at: Option<Timestamp>,
    query: BatchQuery,
) -> Result<Option<DigestBatch>, Failure> {
    let cutoff = query.expiry.cutoff(repaired_at).as_millisecond();
    let mut oldest: Option<(i64, (i64, Connector, Space))> = None;
    for candidate in connectors.into_iter().filter(|(_, one, _)| one.is_active) {
        let parameters = [candidate.0, cutoff, query.from];
        let Some(seq) = row(connection, OLDEST, parameters, |row| row.number(0))? else {
            continue;
        };
        if oldest.as_ref().is_none_or(|(least, _)| seq < *least) {
            oldest = Some((seq, candidate));
        }
    }
    let Some((_, (connector_no, connector, space))) = oldest else {
        return Ok(None);
    };
    let found = entries(connection, connector_no, cutoff, query)?;
    Ok(Some(DigestBatch {
        space: Arc::new(space),
        connector: Arc::new(connector),
        entries: with_worst(connection, found, query.in_full)?,
    }))
}

/// The deliveries that one request carried, found around one of them; nothing unless all of them are there.
pub(crate) fn carried(
    connection: &Connection,
    delivery_seq: i64,
    attempt: AttemptId,
    size: usize,
    in_full: usize,
) -> Result<Vec<DigestEntry>, Failure> {
    let sql = format!("SELECT {ENTRY_COLUMNS} {CARRIED}");
    for span in CARRIED_SPANS {
        let (first, last) = (delivery_seq - span, delivery_seq + span);
        let parameters = params![first, last, &attempt.as_bytes()[..], delivery_seq];
        let found = rows(connection, &sql, parameters, digest_entry)?;
        if found.len() == size {
            return with_worst(connection, found, in_full);
        }
    }
    Ok(Vec::new())
}

/// Entries with the content of the worst alerts among them.
fn with_worst(
    connection: &Connection,
    found: Vec<(i64, DigestEntry)>,
    in_full: usize,
) -> Result<Vec<DigestEntry>, Failure> {
    let mut alerts = SharedAlerts::default();
    for alert_seq in DigestEntry::worst(&found, in_full) {
        row(connection, CONTENT, [alert_seq], |row| alerts.add(row))?;
    }
    Ok(alerts.fill(found))
}

/// Deliveries with the places of their alerts.
fn entries(
    connection: &Connection,
    connector_no: i64,
    cutoff: i64,
    query: BatchQuery,
) -> Result<Vec<(i64, DigestEntry)>, Failure> {
    let limit = i64::try_from(query.at_most).unwrap_or(i64::MAX);
    let sql = format!("SELECT {ENTRY_COLUMNS} {ENTRIES}");
    let parameters = [connector_no, cutoff, query.from, limit];
    let mut found = rows(connection, &sql, parameters, digest_entry)?;
    for (alert_seq, entry) in &mut found {
        if entry.is_follow_up() {
            entry.opening = opening(
                connection,
                *alert_seq,
                connector_no,
                entry.seq,
                query.expiry,
            )?;
        }
    }
    Ok(found)
}
