//! Reads deliveries back: their states now, and their attempts.

use alert_connectors_model::Attempt;
use alert_connectors_store::{
    AcceptedDelivery, DELIVERIES_LISTED_MAX, Expiry,
    stored::{AttemptRow, DeliveryRow, StoredDelivery},
};
use rusqlite::{Connection, Row, ToSql};

use crate::error::Failure;

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
const FIRST_OF_ALERT: &str = "WHERE d.alert_seq = ?1 ORDER BY d.seq LIMIT ?2";
// By deliveries_by_alert.
const COUNT_OF_ALERT: &str = "SELECT count(*) FROM deliveries WHERE alert_seq = ?1";
// By primary key.
const ATTEMPTS: &str =
    "SELECT id, started_at, duration_ms, outcome, status_code, error, digest_size FROM attempts
    WHERE delivery_seq = ?1 ORDER BY id";

fn delivery(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    Ok(DeliveryRow {
        seq: row.get(0)?,
        id: row.get(1)?,
        alert_id: row.get(2)?,
        connector_id: row.get(3)?,
        connector_name: row.get(4)?,
        kind: row.get(5)?,
        created_at: row.get(6)?,
        next_attempt_at: row.get(7)?,
        state: row.get(8)?,
        reason: row.get(9)?,
        ended_at: row.get(10)?,
        queued_at: row.get(11)?,
        deleted_at: row.get(12)?,
        inactive_since: row.get(13)?,
        repaired_at: row.get(14)?,
    })
}

/// The deliveries that a condition names.
pub(crate) fn select(
    connection: &Connection,
    condition: &str,
    parameters: &[&dyn ToSql],
) -> Result<Vec<StoredDelivery>, Failure> {
    let sql = format!("SELECT {COLUMNS} {FROM} {condition}");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(parameters, delivery)?;
    rows.map(|row| Ok(StoredDelivery::try_from(row?)?))
        .collect()
}

/// The deliveries of an alert, oldest first.
pub(crate) fn of_alert(
    connection: &Connection,
    alert_seq: i64,
) -> Result<Vec<StoredDelivery>, Failure> {
    select(connection, OF_ALERT, &[&alert_seq])
}

/// The deliveries of an alert in short.
pub(crate) fn summaries(
    connection: &Connection,
    alert_seq: i64,
    expiry: Expiry,
) -> Result<Vec<AcceptedDelivery>, Failure> {
    Ok(of_alert(connection, alert_seq)?
        .into_iter()
        .map(|stored| stored.summary(expiry))
        .collect())
}

/// The first deliveries of an alert in short, and how many more there are.
pub(crate) fn first_summaries(
    connection: &Connection,
    alert_seq: i64,
    expiry: Expiry,
) -> Result<(Vec<AcceptedDelivery>, usize), Failure> {
    let limit = i64::try_from(DELIVERIES_LISTED_MAX).unwrap_or(i64::MAX);
    let first = select(connection, FIRST_OF_ALERT, &[&alert_seq, &limit])?;
    let left_out = if first.len() < DELIVERIES_LISTED_MAX {
        0
    } else {
        let mut statement = connection.prepare_cached(COUNT_OF_ALERT)?;
        let count: usize = statement.query_row([alert_seq], |row| row.get(0))?;
        count.saturating_sub(first.len())
    };
    let first = first.into_iter().map(|stored| stored.summary(expiry));
    Ok((first.collect(), left_out))
}

/// The attempts of a delivery, oldest first.
pub(crate) fn attempts(
    connection: &Connection,
    delivery_seq: i64,
) -> Result<Vec<Attempt>, Failure> {
    let mut statement = connection.prepare_cached(ATTEMPTS)?;
    let attempt = |row: &Row<'_>| {
        Ok(AttemptRow {
            delivery_seq,
            id: row.get(0)?,
            started_at: row.get(1)?,
            duration_ms: row.get(2)?,
            outcome: row.get(3)?,
            status_code: row.get(4)?,
            error: row.get(5)?,
            digest_size: row.get(6)?,
        })
    };
    let rows = statement.query_map([delivery_seq], attempt)?;
    rows.map(|row| Ok(Attempt::try_from(row?)?)).collect()
}
