//! Reads deliveries back: their states now, and their attempts.

use std::collections::HashMap;

use alert_connectors_model::Attempt;
use alert_connectors_store::{
    DELIVERIES_LISTED_MAX, StoreError,
    stored::{AttemptRow, DeliveryRow, StoredDelivery},
};
use tokio_postgres::Row;

use crate::{
    error::Columns,
    session::{Parameters, Session},
};

/// What [`StoredDelivery`] is read from.
pub(crate) const COLUMNS: &str =
    "d.seq, d.id, a.id, c.id, c.name, d.kind, d.created_at, d.next_attempt_at, d.state,
    d.reason, d.ended_at, coalesce(d.requeued_at, d.created_at), c.deleted_at,
    CASE WHEN c.is_active THEN NULL ELSE coalesce(c.switched_at, c.updated_at) END, t.repaired_at";
/// Where it is read from: all by primary key but the deliveries, which each query finds by an index of its own.
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

/// A row of [`COLUMNS`].
pub(crate) fn delivery(row: &Row) -> Result<StoredDelivery, StoreError> {
    let reason: Option<i16> = row.at(9)?;
    StoredDelivery::try_from(DeliveryRow {
        seq: row.at(0)?,
        id: row.id(1)?,
        alert_id: row.id(2)?,
        connector_id: row.id(3)?,
        connector_name: row.at(4)?,
        kind: row.code(5)?,
        created_at: row.at(6)?,
        next_attempt_at: row.at(7)?,
        state: row.code(8)?,
        reason: reason.map(|code| u8::try_from(code).unwrap_or(u8::MAX)),
        ended_at: row.at(10)?,
        queued_at: row.at(11)?,
        deleted_at: row.at(12)?,
        inactive_since: row.at(13)?,
        repaired_at: row.at(14)?,
    })
}

/// The deliveries that `from` finds, under the name `d`, and a condition names.
pub(crate) async fn select(
    session: &Session,
    from: &str,
    condition: &str,
    parameters: Parameters<'_>,
) -> Result<Vec<StoredDelivery>, StoreError> {
    let sql = format!("SELECT {COLUMNS} {from} {FROM} {condition}");
    session
        .rows(&sql, parameters)
        .await?
        .iter()
        .map(delivery)
        .collect()
}

/// The deliveries of some alerts, by alert, each oldest first.
pub(crate) async fn of_alerts(
    session: &Session,
    seqs: &[i64],
) -> Result<Vec<StoredDelivery>, StoreError> {
    select(session, OF_ALERTS, OF_ALERTS_WHERE, &[&seqs]).await
}

/// The first deliveries of some alerts, by alert, each oldest first.
pub(crate) async fn first_of_alerts(
    session: &Session,
    seqs: &[i64],
) -> Result<Vec<StoredDelivery>, StoreError> {
    let limit = i64::try_from(DELIVERIES_LISTED_MAX).unwrap_or(i64::MAX);
    select(session, FIRST_OF_ALERTS, "ORDER BY d.seq", &[&seqs, &limit]).await
}

/// How many deliveries some alerts have, by the alert's number.
pub(crate) async fn counts(
    session: &Session,
    seqs: &[i64],
) -> Result<HashMap<i64, usize>, StoreError> {
    let rows = session.rows(COUNT_OF_ALERTS, &[&seqs]).await?;
    let count = |row: &Row| {
        let count: u64 = row.count(1)?;
        Ok((row.at(0)?, usize::try_from(count).unwrap_or(usize::MAX)))
    };
    rows.iter().map(count).collect()
}

/// The attempts of some deliveries, oldest first.
pub(crate) async fn attempts(
    session: &Session,
    seqs: &[i64],
) -> Result<HashMap<i64, Vec<Attempt>>, StoreError> {
    let mut found: HashMap<i64, Vec<Attempt>> = HashMap::new();
    for row in session.rows(ATTEMPTS, &[&seqs]).await? {
        let status: Option<i32> = row.at(5)?;
        let count =
            |column| Ok::<_, StoreError>(u32::try_from(row.at::<i32>(column)?).unwrap_or(0));
        let attempt = AttemptRow {
            delivery_seq: row.at(0)?,
            id: row.id(1)?,
            started_at: row.at(2)?,
            duration_ms: count(3)?,
            outcome: row.code(4)?,
            status_code: status.and_then(|status| u16::try_from(status).ok()),
            error: row.at(6)?,
            digest_size: count(7)?,
        };
        let seq = attempt.delivery_seq;
        found.entry(seq).or_default().push(attempt.try_into()?);
    }
    Ok(found)
}
