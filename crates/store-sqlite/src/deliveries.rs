//! Reads deliveries back: their states now, and their attempts.

use alert_connectors_model::Attempt;
use alert_connectors_store::{
    AcceptedDelivery, DELIVERIES_LISTED_MAX, Expiry,
    stored::{DELIVERY_COLUMNS, StoredDelivery, attempt},
};
use rusqlite::{Connection, ToSql};

use crate::{error::Failure, row::rows};

/// Where [`DELIVERY_COLUMNS`] are read from: all by primary key but the deliveries, which each query finds by an index of its
/// own.
const FROM: &str = "FROM deliveries d JOIN alerts a ON a.seq = d.alert_seq
    JOIN connectors c ON c.no = d.connector_no LEFT JOIN destinations t ON t.fingerprint = c.destination";
// By deliveries_by_alert.
const OF_ALERT: &str = "WHERE d.alert_seq = ?1 ORDER BY d.seq";
const FIRST_OF_ALERT: &str = "WHERE d.alert_seq = ?1 ORDER BY d.seq LIMIT ?2";
// By deliveries_by_alert.
const COUNT_OF_ALERT: &str = "SELECT count(*) FROM deliveries WHERE alert_seq = ?1";
// By primary key.
const ATTEMPTS: &str =
    "SELECT delivery_seq, id, started_at, duration_ms, outcome, status_code, error, digest_size FROM attempts
    WHERE delivery_seq = ?1 ORDER BY id";

/// The deliveries that a condition names.
pub(crate) fn select(
    connection: &Connection,
    condition: &str,
    parameters: &[&dyn ToSql],
) -> Result<Vec<StoredDelivery>, Failure> {
    let sql = format!("SELECT {DELIVERY_COLUMNS} {FROM} {condition}");
    rows(connection, &sql, parameters, StoredDelivery::of)
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
    rows(connection, ATTEMPTS, [delivery_seq], |row| {
        attempt(row).map(|(_, attempt)| attempt)
    })
}
