//! Reads deliveries back: their states now, and their attempts.

use std::collections::HashMap;

use alert_connectors_model::Attempt;
use alert_connectors_store::{
    DELIVERIES_LISTED_MAX, StoreError,
    stored::{DELIVERY_COLUMNS, StoredDelivery, attempt},
};

use crate::{
    connection::{Connection, Parameters},
    row::Row,
};

/// Where [`DELIVERY_COLUMNS`] are read from: all by primary key but the deliveries, which each query finds by an index of its
/// own.
const FROM: &str = "JOIN alerts a ON a.seq = d.alert_seq JOIN connectors c ON c.no = d.connector_no
    LEFT JOIN destinations t ON t.fingerprint = c.destination";
// By deliveries_by_alert.
const OF_ALERTS: &str = "FROM deliveries d";
const OF_ALERTS_WHERE: &str = "WHERE d.alert_seq = ANY ($1) ORDER BY d.seq";
// By deliveries_by_alert, no deeper for each alert than a page shows.
const FIRST_OF_ALERTS: &str = "FROM unnest($1::int8[]) wanted(seq) CROSS JOIN LATERAL
    (SELECT * FROM deliveries x WHERE x.alert_seq = wanted.seq ORDER BY x.seq LIMIT $2) d";
// By deliveries_by_alert.
const COUNT_OF_ALERTS: &str =
    "SELECT alert_seq, count(*) FROM deliveries WHERE alert_seq = ANY ($1) GROUP BY alert_seq";
// By primary keys.
const ATTEMPTS: &str =
    "SELECT delivery_seq, id, started_at, duration_ms, outcome, status_code, error, digest_size
    FROM attempts WHERE delivery_seq = ANY ($1) UNION ALL
    SELECT seq, ended_by, started_at, duration_ms, outcome, status_code, error, digest_size
    FROM deliveries WHERE seq = ANY ($1) AND ended_by IS NOT NULL ORDER BY 1, 2";

/// The deliveries that `from` finds, under the name `d`, and a condition names.
pub(crate) async fn select(
    connection: &Connection,
    from: &str,
    condition: &str,
    parameters: Parameters<'_>,
) -> Result<Vec<StoredDelivery>, StoreError> {
    let sql = format!("SELECT {DELIVERY_COLUMNS} {from} {FROM} {condition}");
    connection
        .rows(&sql, parameters)
        .await?
        .iter()
        .map(|row| StoredDelivery::of(row))
        .collect()
}

/// The deliveries of some alerts, by alert, each oldest first.
pub(crate) async fn of_alerts(
    connection: &Connection,
    seqs: &[i64],
) -> Result<Vec<StoredDelivery>, StoreError> {
    select(connection, OF_ALERTS, OF_ALERTS_WHERE, &[&seqs]).await
}

/// The first deliveries of some alerts, by alert, each oldest first.
pub(crate) async fn first_of_alerts(
    connection: &Connection,
    seqs: &[i64],
) -> Result<Vec<StoredDelivery>, StoreError> {
    let limit = i64::try_from(DELIVERIES_LISTED_MAX).unwrap_or(i64::MAX);
    select(
        connection,
        FIRST_OF_ALERTS,
        "ORDER BY d.seq",
        &[&seqs, &limit],
    )
    .await
}

/// How many deliveries some alerts have, by the alert's number.
pub(crate) async fn counts(
    connection: &Connection,
    seqs: &[i64],
) -> Result<HashMap<i64, usize>, StoreError> {
    let rows = connection.rows(COUNT_OF_ALERTS, &[&seqs]).await?;
    let count = |row: &Row| Ok((row.at(0)?, row.count(1)?));
    rows.iter().map(count).collect()
}

/// The attempts of some deliveries, oldest first.
pub(crate) async fn attempts(
    connection: &Connection,
    seqs: &[i64],
) -> Result<HashMap<i64, Vec<Attempt>>, StoreError> {
    let mut found: HashMap<i64, Vec<Attempt>> = HashMap::new();
    for row in connection.rows(ATTEMPTS, &[&seqs]).await? {
        let (delivery_seq, attempt) = attempt(&row)?;
        found.entry(delivery_seq).or_default().push(attempt);
    }
    Ok(found)
}
