//! Writing what a group decided: all that is new in one statement, all statements sent together, the commit last.

use std::collections::BTreeSet;

use alert_connectors_store::{Idempotency, StoreError};
use jiff::Timestamp;
use tokio::try_join;
use uuid::Uuid;

use crate::{
    alerts::uuid,
    group::{DeliveryRow, Desk},
    session::{Parameters, Session},
    zones,
};

// By primary key.
pub(crate) const CHANGE_ALERTS: &str =
    "UPDATE alerts a SET severity = g.severity, status = g.status, occurrences = g.occurrences,
    content = g.content, told_at = g.told_at
    FROM unnest($1::int8[], $2::int2[], $3::int2[], $4::int8[], $5::text[], $6::int8[])
    AS g (seq, severity, status, occurrences, content, told_at) WHERE a.seq = g.seq";
// All that is new in one statement, so that a group costs one message for it. Arrays are unnested side by side in the list
// of columns: in FROM, each would be written to a store of its own first.
pub(crate) const INSERT: &str = "WITH numbered AS (UPDATE numbering SET next_alert = $1, next_delivery = $2 WHERE one = 1),
    stored AS (INSERT INTO alerts (seq, id, space_no, severity, status, alert_type, dedup_key, occurrences, received_at, told_at,
        content, warnings) SELECT unnest($3::int8[]), unnest($4::uuid[]), unnest($5::int8[]), unnest($6::int2[]),
        unnest($7::int2[]), unnest($8::text[]), unnest($9::bytea[]), unnest($10::int8[]), unnest($11::int8[]), unnest($12::int8[]),
        unnest($13::text[]), unnest($14::text[])),
    waits AS (INSERT INTO pending (connector_no, seq, queued_at) SELECT unnest($15::int8[]), unnest($16::int8[]), unnest($17::int8[]))
    INSERT INTO deliveries (connector_no, seq, created_at, id, alert_seq, kind, state)
    SELECT unnest($15::int8[]), unnest($16::int8[]), unnest($17::int8[]), unnest($18::uuid[]), unnest($19::int8[]), unnest($20::int2[]), 0";
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
        // First of all, since a problem that is closed makes room for the next of its name.
        change_alerts(session, desk),
        insert(session, desk),
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

async fn insert(session: &Session, desk: &Desk<'_>) -> Result<(), StoreError> {
    let alerts = Alerts::of(desk);
    let deliveries = Deliveries::of(&desk.deliveries);
    let columns: Parameters<'_> = &[
        &desk.next_alert,
        &desk.next_delivery,
        &alerts.seqs,
        &alerts.ids,
        &alerts.spaces,
        &alerts.severities,
        &alerts.statuses,
        &alerts.types,
        &alerts.names,
        &alerts.occurrences,
        &alerts.received,
        &alerts.told,
        &alerts.contents,
        &alerts.warnings,
        &deliveries.connectors,
        &deliveries.seqs,
        &deliveries.created,
        &deliveries.ids,
        &deliveries.alerts,
        &deliveries.kinds,
    ];
    session.run(INSERT, columns).await.map(drop)
}

/// The new alerts of a group as columns.
#[derive(Default)]
struct Alerts<'d> {
    seqs: Vec<i64>,
    ids: Vec<Uuid>,
    spaces: Vec<i64>,
    severities: Vec<i16>,
    statuses: Vec<i16>,
    types: Vec<&'d str>,
    names: Vec<Option<&'d [u8]>>,
    occurrences: Vec<i64>,
    received: Vec<i64>,
    told: Vec<Option<i64>>,
    contents: Vec<&'d str>,
    warnings: Vec<Option<&'d str>>,
}

impl<'d> Alerts<'d> {
    fn of(desk: &'d Desk<'_>) -> Self {
        let mut rows: Vec<_> = desk.alerts.values().filter(|row| row.is_new).collect();
        rows.sort_unstable_by_key(|row| row.seq);
        let mut columns = Self::default();
        for row in rows {
            let name = row.alert.dedup_key.as_ref();
            columns.seqs.push(row.seq);
            columns.ids.push(uuid(row.id.as_bytes()));
            columns.spaces.push(row.space_no);
            columns.severities.push(row.alert.severity as i16);
            columns.statuses.push(row.alert.status as i16);
            columns.types.push(row.alert.alert_type.as_str());
            columns.names.push(name.map(String::as_bytes));
            columns.occurrences.push(large(row.occurrences));
            columns.received.push(row.received_at.as_millisecond());
            columns
                .told
                .push(row.told_at.map(Timestamp::as_millisecond));
            columns.contents.push(&row.json);
            columns.warnings.push(row.warnings.as_deref());
        }
        columns
    }
}

/// The new deliveries of a group as columns.
#[derive(Default)]
struct Deliveries {
    connectors: Vec<i64>,
    seqs: Vec<i64>,
    created: Vec<i64>,
    ids: Vec<Uuid>,
    alerts: Vec<i64>,
    kinds: Vec<i16>,
}

impl Deliveries {
    fn of(rows: &[DeliveryRow]) -> Self {
        let mut columns = Self::default();
        for row in rows {
            columns.connectors.push(row.connector_no);
            columns.seqs.push(row.seq);
            columns.created.push(row.created_at.as_millisecond());
            columns.ids.push(uuid(row.id.as_bytes()));
            columns.alerts.push(row.alert_seq);
            columns.kinds.push(row.kind.code().into());
        }
        columns
    }
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
