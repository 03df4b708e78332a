//! Writing what a group decided: a statement for each table, all sent together, the commit last.

use std::collections::BTreeSet;

use alert_connectors_store::{Idempotency, StoreError};
use jiff::Timestamp;
use tokio::try_join;
use uuid::Uuid;

use crate::{
    alerts::uuid,
    group::Desk,
    session::{Parameters, Session},
    zones,
};

pub(crate) const SET_NUMBERING: &str =
    "UPDATE numbering SET next_alert = $1, next_delivery = $2 WHERE one = 1";
// By primary key.
pub(crate) const CHANGE_ALERTS: &str =
    "UPDATE alerts a SET severity = g.severity, status = g.status, occurrences = g.occurrences,
    content = g.content, told_at = g.told_at
    FROM unnest($1::int8[], $2::int2[], $3::int2[], $4::int8[], $5::text[], $6::int8[])
    AS g (seq, severity, status, occurrences, content, told_at) WHERE a.seq = g.seq";
// On the way of every alert, arrays are unnested side by side in the list of columns: in FROM, each would be written to a
// store of its own first.
pub(crate) const INSERT_ALERTS: &str = "INSERT INTO alerts (seq, id, space_no, severity, status, alert_type, dedup_key, occurrences,
    received_at, told_at, content, warnings) SELECT unnest($1::int8[]), unnest($2::uuid[]), unnest($3::int8[]), unnest($4::int2[]),
    unnest($5::int2[]), unnest($6::text[]), unnest($7::bytea[]), unnest($8::int8[]), unnest($9::int8[]), unnest($10::int8[]),
    unnest($11::text[]), unnest($12::text[])";
pub(crate) const INSERT_DELIVERIES: &str = "INSERT INTO deliveries (seq, id, alert_seq, connector_no, kind, state, created_at)
    SELECT unnest($1::int8[]), unnest($2::uuid[]), unnest($3::int8[]), unnest($4::int8[]), unnest($5::int2[]), 0, unnest($6::int8[])";
pub(crate) const INSERT_PENDING: &str = "INSERT INTO pending (connector_no, seq, queued_at)
    SELECT unnest($1::int8[]), unnest($2::int8[]), unnest($3::int8[])";
pub(crate) const REMEMBER: &str =
    "INSERT INTO idempotency (space_no, route, key, body_hash, created_at, answer)
    SELECT * FROM unnest($1::int8[], $2::int2[], $3::text[], $4::bytea[], $5::int8[], $6::text[])
    ON CONFLICT (space_no, route, key) DO UPDATE
    SET body_hash = excluded.body_hash, created_at = excluded.created_at, answer = excluded.answer";
// By idempotency_by_age; a few at a time, beside each group of new ones.
pub(crate) const FORGET_KEYS: &str = "DELETE FROM idempotency WHERE (space_no, route, key) IN
    (SELECT space_no, route, key FROM idempotency WHERE created_at <= $1 ORDER BY created_at LIMIT $2)";

/// Writes what was decided and commits, in one round trip.
pub(crate) async fn write(
    session: &Session,
    desk: &Desk<'_>,
    zones: &BTreeSet<zones::Fact>,
) -> Result<(), StoreError> {
    if desk.alerts.is_empty() && !desk.is_checked {
        return session.command("COMMIT").await;
    }
    try_join!(
        biased;
        async {
            let numbers = [&desk.next_alert, &desk.next_delivery];
            session.run(SET_NUMBERING, &numbers.map(|one| one as _)).await
        },
        // First of all, since a problem that is closed makes room for the next of its name.
        change_alerts(session, desk),
        insert_alerts(session, desk),
        insert_deliveries(session, desk),
        zones::note(session, zones),
        remember(session, desk),
        session.command("COMMIT"),
    )?;
    Ok(())
}

async fn change_alerts(session: &Session, desk: &Desk<'_>) -> Result<(), StoreError> {
    let mut rows: Vec<_> = desk.alerts.values().filter(|row| !row.is_new).collect();
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_unstable_by_key(|row| row.seq);
    let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    let severities: Vec<i16> = rows.iter().map(|row| row.alert.severity as i16).collect();
    let statuses: Vec<i16> = rows.iter().map(|row| row.alert.status as i16).collect();
    let occurrences: Vec<i64> = rows.iter().map(|row| large(row.occurrences)).collect();
    let contents: Vec<&str> = rows.iter().map(|row| &*row.json).collect();
    let told: Vec<Option<i64>> = rows
        .iter()
        .map(|row| row.told_at.map(Timestamp::as_millisecond))
        .collect();
    session
        .run(
            CHANGE_ALERTS,
            &[
                &seqs,
                &severities,
                &statuses,
                &occurrences,
                &contents,
                &told,
            ],
        )
        .await
        .map(drop)
}

async fn insert_alerts(session: &Session, desk: &Desk<'_>) -> Result<(), StoreError> {
    let mut rows: Vec<_> = desk.alerts.values().filter(|row| row.is_new).collect();
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_unstable_by_key(|row| row.seq);
    let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    let ids: Vec<Uuid> = rows.iter().map(|row| uuid(row.id.as_bytes())).collect();
    let spaces: Vec<i64> = rows.iter().map(|row| row.space_no).collect();
    let severities: Vec<i16> = rows.iter().map(|row| row.alert.severity as i16).collect();
    let statuses: Vec<i16> = rows.iter().map(|row| row.alert.status as i16).collect();
    let types: Vec<&str> = rows
        .iter()
        .map(|row| row.alert.alert_type.as_str())
        .collect();
    let names: Vec<Option<&[u8]>> = rows
        .iter()
        .map(|row| row.alert.dedup_key.as_ref().map(String::as_bytes))
        .collect();
    let occurrences: Vec<i64> = rows.iter().map(|row| large(row.occurrences)).collect();
    let received: Vec<i64> = rows
        .iter()
        .map(|row| row.received_at.as_millisecond())
        .collect();
    let told: Vec<Option<i64>> = rows
        .iter()
        .map(|row| row.told_at.map(Timestamp::as_millisecond))
        .collect();
    let contents: Vec<&str> = rows.iter().map(|row| &*row.json).collect();
    let warnings: Vec<Option<&str>> = rows.iter().map(|row| row.warnings.as_deref()).collect();
    session
        .run(
            INSERT_ALERTS,
            &[
                &seqs,
                &ids,
                &spaces,
                &severities,
                &statuses,
                &types,
                &names,
                &occurrences,
                &received,
                &told,
                &contents,
                &warnings,
            ],
        )
        .await
        .map(drop)
}

async fn insert_deliveries(session: &Session, desk: &Desk<'_>) -> Result<(), StoreError> {
    let rows = &desk.deliveries;
    if rows.is_empty() {
        return Ok(());
    }
    let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    let ids: Vec<Uuid> = rows.iter().map(|row| uuid(row.id.as_bytes())).collect();
    let alerts: Vec<i64> = rows.iter().map(|row| row.alert_seq).collect();
    let connectors: Vec<i64> = rows.iter().map(|row| row.connector_no).collect();
    let kinds: Vec<i16> = rows.iter().map(|row| row.kind.code().into()).collect();
    let created: Vec<i64> = rows
        .iter()
        .map(|row| row.created_at.as_millisecond())
        .collect();
    try_join!(
        biased;
        async {
            let columns: Parameters<'_> = &[&seqs, &ids, &alerts, &connectors, &kinds, &created];
            session.run(INSERT_DELIVERIES, columns).await
        },
        async {
            let columns: Parameters<'_> = &[&connectors, &seqs, &created];
            session.run(INSERT_PENDING, columns).await
        },
    )
    .map(drop)
}

async fn remember(session: &Session, desk: &Desk<'_>) -> Result<(), StoreError> {
    let rows = &desk.keys;
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let spaces: Vec<i64> = rows.iter().map(|row| row.space_no).collect();
    let routes: Vec<i16> = rows.iter().map(|row| row.route).collect();
    let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    let hashes: Vec<&[u8]> = rows.iter().map(|row| &row.body_hash[..]).collect();
    let created: Vec<i64> = rows
        .iter()
        .map(|row| row.created_at.as_millisecond())
        .collect();
    let answers: Vec<&str> = rows.iter().map(|row| row.answer.as_str()).collect();
    let old = first.created_at.as_millisecond() - Idempotency::KEPT_MS;
    let some = i64::try_from(4 * rows.len()).unwrap_or(i64::MAX);
    try_join!(
        biased;
        async {
            session
                .run(REMEMBER, &[&spaces, &routes, &keys, &hashes, &created, &answers])
                .await
        },
        async { session.run(FORGET_KEYS, &[&old, &some]).await },
    )
    .map(drop)
}

fn large(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
