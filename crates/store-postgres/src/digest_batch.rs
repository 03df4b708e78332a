//! The pending deliveries of one connector, read in short for a digest.

use std::sync::Arc;

use alert_connectors_model::{AttemptId, Connector, Space};
use alert_connectors_store::{
    BatchQuery, CARRIED_SPANS, DigestBatch, DigestEntry, Expiry, OpeningState, StoreError,
    stored::{ENTRY_COLUMNS, SharedAlerts, digest_entry},
};
use jiff::Timestamp;

use crate::{
    alerts::uuid,
    connection::{Connection, Parameters},
    openings::openings,
};

// By the primary key of pending.
const OLDEST: &str = "SELECT p.connector_no FROM unnest($1::int8[]) AS wanted (no) CROSS JOIN LATERAL
    (SELECT connector_no, seq FROM pending WHERE connector_no = wanted.no AND queued_at > $2 AND seq >= $3 ORDER BY seq LIMIT 1) p
    ORDER BY p.seq LIMIT 1";
// By the primary key of pending, then by primary keys.
const ENTRIES: &str = "FROM (SELECT seq FROM pending WHERE connector_no = $1 AND queued_at > $2 AND seq >= $3 ORDER BY seq LIMIT $4) p
    JOIN deliveries d ON d.seq = p.seq JOIN alerts a ON a.seq = d.alert_seq ORDER BY d.seq";
// By deliveries_by_connector and the primary key of attempts, then by primary keys.
const CARRIED: &str = "FROM deliveries d JOIN alerts a ON a.seq = d.alert_seq
    WHERE d.connector_no = (SELECT connector_no FROM deliveries WHERE seq = $4) AND d.seq BETWEEN $1 AND $2
    AND (d.ended_by = $3 OR EXISTS (SELECT FROM attempts t WHERE t.delivery_seq = d.seq AND t.id = $3)) ORDER BY d.seq";
// By primary key.
const CONTENT: &str = "SELECT seq, content FROM alerts WHERE seq = ANY ($1)";

/// Reads the pending deliveries of the oldest one's connector.
pub(crate) async fn read(
    connection: &Connection,
    mut connectors: Vec<(i64, Connector, Space)>,
    repaired_at: Option<Timestamp>,
    query: BatchQuery,
) -> Result<Option<DigestBatch>, StoreError> {
    connectors.retain(|(_, connector, _)| connector.is_active);
    let numbers: Vec<i64> = connectors.iter().map(|(no, _, _)| *no).collect();
    let cutoff = query.expiry.cutoff(repaired_at).as_millisecond();
    let Some(row) = connection
        .row(OLDEST, &[&numbers, &cutoff, &query.from])
        .await?
    else {
        return Ok(None);
    };
    let oldest: i64 = row.at(0)?;
    let owner = connectors.into_iter().find(|(no, _, _)| *no == oldest);
    let Some((connector_no, connector, space)) = owner else {
        return Ok(None);
    };
    let limit = i64::try_from(query.at_most).unwrap_or(i64::MAX);
    let sql = format!("SELECT {ENTRY_COLUMNS} {ENTRIES}");
    let rows = connection
        .rows(&sql, &[&connector_no, &cutoff, &query.from, &limit])
        .await?;
    let found = rows.iter().map(|row| digest_entry(row));
    let mut found: Vec<(i64, DigestEntry)> = found.collect::<Result<_, _>>()?;
    find_openings(connection, &mut found, query.expiry).await?;
    Ok(Some(DigestBatch {
        space: Arc::new(space),
        connector: Arc::new(connector),
        entries: with_worst(connection, found, query.in_full).await?,
    }))
}

/// The deliveries that one request carried, found around one of them; nothing unless all of them are there.
pub(crate) async fn carried(
    connection: &Connection,
    delivery_seq: i64,
    attempt: AttemptId,
    size: usize,
    in_full: usize,
) -> Result<Vec<DigestEntry>, StoreError> {
    let (sql, attempt) = (
        format!("SELECT {ENTRY_COLUMNS} {CARRIED}"),
        uuid(attempt.as_bytes()),
    );
    for span in CARRIED_SPANS {
        let (first, last) = (delivery_seq - span, delivery_seq + span);
        let parameters: Parameters<'_> = &[&first, &last, &attempt, &delivery_seq];
        let rows = connection.rows(&sql, parameters).await?;
        if rows.len() == size {
            let found = rows.iter().map(|row| digest_entry(row));
            return with_worst(connection, found.collect::<Result<_, _>>()?, in_full).await;
        }
    }
    Ok(Vec::new())
}

/// Entries with the content of the worst alerts among them.
async fn with_worst(
    connection: &Connection,
    found: Vec<(i64, DigestEntry)>,
    in_full: usize,
) -> Result<Vec<DigestEntry>, StoreError> {
    let mut alerts = SharedAlerts::default();
    let worst = DigestEntry::worst(&found, in_full);
    for row in connection.rows(CONTENT, &[&worst]).await? {
        alerts.add(&row)?;
    }
    Ok(alerts.fill(found))
}

async fn find_openings(
    connection: &Connection,
    entries: &mut [(i64, DigestEntry)],
    expiry: Expiry,
) -> Result<(), StoreError> {
    let follow_ups: Vec<i64> = entries
        .iter()
        .filter(|(_, entry)| entry.is_follow_up())
        .map(|(_, entry)| entry.seq)
        .collect();
    let openings = openings(connection, &follow_ups, expiry).await?;
    for (_, entry) in entries {
        if entry.is_follow_up() {
            let opening = openings.get(&entry.seq).copied();
            entry.opening = opening.unwrap_or(OpeningState::Undelivered);
        }
    }
    Ok(())
}
