//! Writing what a group decided: all that is new in one statement, all statements sent together, the commit last.

use std::collections::BTreeSet;

use alert_connectors_model::TraceContext;
use alert_connectors_store::{Idempotency, StoreError};
use jiff::Timestamp;
use tokio::try_join;
use uuid::Uuid;

use super::ledger::{AlertRow, DeliveryRow, GroupRows};
use crate::{
    alerts::uuid,
    audit,
    connection::{Connection, Parameters},
    zones,
};

// By primary key.
const CHANGE_ALERTS: &str =
    "UPDATE alerts a SET severity = g.severity, status = g.status, occurrences = g.occurrences,
    content = g.content, told_at = g.told_at
    FROM unnest($1::int8[], $2::int2[], $3::int2[], $4::int8[], $5::text[], $6::int8[])
    AS g (seq, severity, status, occurrences, content, told_at) WHERE a.seq = g.seq";
// All that is new in one statement, so that a group costs one message for it. Arrays are unnested side by side in the list
// of columns: in FROM, each would be written to a store of its own first.
const INSERT: &str = "WITH numbered AS (UPDATE numbering SET next_alert = $1, next_delivery = $2 WHERE one = 1),
    stored AS (INSERT INTO alerts (seq, id, space_no, severity, status, alert_type, dedup_key, occurrences, received_at, told_at,
        content, warnings, bytes) SELECT unnest($3::int8[]), unnest($4::uuid[]), unnest($5::int8[]), unnest($6::int2[]),
        unnest($7::int2[]), unnest($8::text[]), unnest($9::bytea[]), unnest($10::int8[]), unnest($11::int8[]), unnest($12::int8[]),
        unnest($13::text[]), unnest($14::text[]), unnest($21::int8[])),
    waits AS (INSERT INTO pending (connector_no, seq, queued_at) SELECT unnest($15::int8[]), unnest($16::int8[]), unnest($17::int8[]))
    INSERT INTO deliveries (connector_no, seq, created_at, id, alert_seq, kind, state, trace)
    SELECT unnest($15::int8[]), unnest($16::int8[]), unnest($17::int8[]), unnest($18::uuid[]), unnest($19::int8[]), unnest($20::int2[]), 0,
        unnest($22::bytea[])";
// By primary keys; before the alerts are changed.
const NOTE_GROWTH: &str = "INSERT INTO alert_growth AS noted (seq, bytes)
    SELECT a.seq, g.growth + g.length - octet_length(a.content)
    FROM unnest($1::int8[], $2::int8[], $3::int8[]) AS g (seq, growth, length) JOIN alerts a ON a.seq = g.seq
    ON CONFLICT (seq) DO UPDATE SET bytes = noted.bytes + excluded.bytes";
const KEEP_REVISIONS: &str = "INSERT INTO alert_revisions (alert_seq, first_delivery, content)
    SELECT * FROM unnest($1::int8[], $2::int8[], $3::text[])";
const KEEP_ANSWERS: &str =
    "INSERT INTO idempotency (space_no, route, key, body_hash, created_at, answer)
    SELECT * FROM unnest($1::int8[], $2::int2[], $3::text[], $4::bytea[], $5::int8[], $6::text[])
    ON CONFLICT (space_no, route, key) DO UPDATE
    SET body_hash = excluded.body_hash, created_at = excluded.created_at, answer = excluded.answer";
// By idempotency_by_age; a few at a time, beside each group of new ones.
const FORGET_ANSWERS: &str = "DELETE FROM idempotency WHERE (space_no, route, key) IN
    (SELECT space_no, route, key FROM idempotency WHERE created_at <= $1 ORDER BY created_at LIMIT $2)";

/// Every statement that writes.
pub(super) const STATEMENTS: [&str; 7] = [
    NOTE_GROWTH,
    CHANGE_ALERTS,
    INSERT,
    KEEP_REVISIONS,
    KEEP_ANSWERS,
    FORGET_ANSWERS,
    audit::INSERT,
];

/// Writes what was decided and commits, in one round trip.
pub(super) async fn write(
    connection: &Connection,
    rows: &GroupRows,
    zones: &BTreeSet<zones::ZoneEntry>,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return connection.command("COMMIT").await;
    }
    try_join!(
        biased;
        note_growth(connection, rows),
        // Before what is new, since a problem that is closed makes room for the next of its name.
        change_alerts(connection, rows),
        insert(connection, rows),
        keep_revisions(connection, rows),
        zones::note(connection, zones),
        keep_answers(connection, rows),
        add_audit_entries(connection, rows),
        connection.command("COMMIT"),
    )?;
    Ok(())
}

async fn add_audit_entries(connection: &Connection, rows: &GroupRows) -> Result<(), StoreError> {
    if rows.entries.is_empty() {
        return Ok(());
    }
    audit::insert(connection, &rows.entries).await
}

async fn change_alerts(connection: &Connection, rows: &GroupRows) -> Result<(), StoreError> {
    if rows.changed.is_empty() {
        return Ok(());
    }
    let seqs: Vec<i64> = rows.changed.keys().copied().collect();
    let rows: Vec<_> = rows.changed.values().collect();
    let severities: Vec<i16> = rows
        .iter()
        .map(|row| i16::from(row.alert.severity.code()))
        .collect();
    let statuses: Vec<i16> = rows
        .iter()
        .map(|row| i16::from(row.alert.status.code()))
        .collect();
    let occurrences: Vec<i64> = rows.iter().map(|row| large(row.occurrences)).collect();
    let contents: Vec<&str> = rows.iter().map(|row| &*row.json).collect();
    let notified = rows.iter().map(|row| row.notified_at.as_millisecond());
    let notified: Vec<i64> = notified.collect();
    connection
        .run(
            CHANGE_ALERTS,
            &[
                &seqs,
                &severities,
                &statuses,
                &occurrences,
                &contents,
                &notified,
            ],
        )
        .await
        .map(drop)
}

async fn insert(connection: &Connection, rows: &GroupRows) -> Result<(), StoreError> {
    let alerts = Alerts::of(&rows.alerts);
    let deliveries = Deliveries::of(&rows.deliveries);
    let next_alert = rows.next_alert();
    let columns: Parameters<'_> = &[
        &next_alert,
        &rows.next_delivery,
        &alerts.seqs,
        &alerts.ids,
        &alerts.spaces,
        &alerts.severities,
        &alerts.statuses,
        &alerts.types,
        &alerts.names,
        &alerts.occurrences,
        &alerts.received,
        &alerts.notified,
        &alerts.contents,
        &alerts.warnings,
        &deliveries.connectors,
        &deliveries.seqs,
        &deliveries.created,
        &deliveries.ids,
        &deliveries.alerts,
        &deliveries.kinds,
        &alerts.bytes,
        &deliveries.traces,
    ];
    connection.run(INSERT, columns).await.map(drop)
}

/// The new alerts of a group as columns.
#[derive(Default)]
struct Alerts<'r> {
    seqs: Vec<i64>,
    ids: Vec<Uuid>,
    spaces: Vec<i64>,
    severities: Vec<i16>,
    statuses: Vec<i16>,
    types: Vec<&'r str>,
    names: Vec<Option<&'r [u8]>>,
    occurrences: Vec<i64>,
    received: Vec<i64>,
    notified: Vec<Option<i64>>,
    contents: Vec<&'r str>,
    warnings: Vec<Option<&'r str>>,
    bytes: Vec<i64>,
}

impl<'r> Alerts<'r> {
    fn of(rows: &'r [AlertRow]) -> Self {
        let mut columns = Self::default();
        for row in rows {
            let name = row.alert.dedup_key.as_ref();
            columns.seqs.push(row.seq);
            columns.ids.push(uuid(row.id.as_bytes()));
            columns.spaces.push(row.space_no);
            columns
                .severities
                .push(i16::from(row.alert.severity.code()));
            columns.statuses.push(i16::from(row.alert.status.code()));
            columns.types.push(row.alert.alert_type.as_str());
            columns.names.push(name.map(String::as_bytes));
            columns.occurrences.push(large(row.occurrences));
            columns.received.push(row.received_at.as_millisecond());
            columns
                .notified
                .push(row.notified_at.map(Timestamp::as_millisecond));
            columns.contents.push(&row.json);
            columns.warnings.push(row.warnings.as_deref());
            columns.bytes.push(row.bytes);
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
    traces: Vec<Option<Vec<u8>>>,
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
            let trace = row.trace.map(TraceContext::to_bytes);
            columns.traces.push(trace.map(Vec::from));
        }
        columns
    }
}

async fn note_growth(connection: &Connection, rows: &GroupRows) -> Result<(), StoreError> {
    if rows.changed.is_empty() {
        return Ok(());
    }
    let seqs: Vec<i64> = rows.changed.keys().copied().collect();
    let growth: Vec<i64> = rows.changed.values().map(|row| row.growth).collect();
    let lengths = rows
        .changed
        .values()
        .map(|row| large(row.json.len() as u64));
    let lengths: Vec<i64> = lengths.collect();
    connection
        .run(NOTE_GROWTH, &[&seqs, &growth, &lengths])
        .await
        .map(drop)
}

async fn keep_revisions(connection: &Connection, rows: &GroupRows) -> Result<(), StoreError> {
    let revisions = &rows.revisions;
    if revisions.is_empty() {
        return Ok(());
    }
    let alerts: Vec<i64> = revisions.iter().map(|row| row.alert_seq).collect();
    let firsts: Vec<i64> = revisions.iter().map(|row| row.first_delivery).collect();
    let contents: Vec<&str> = revisions.iter().map(|row| &*row.json).collect();
    connection
        .run(KEEP_REVISIONS, &[&alerts, &firsts, &contents])
        .await
        .map(drop)
}

async fn keep_answers(connection: &Connection, rows: &GroupRows) -> Result<(), StoreError> {
    let answers = &rows.answers;
    let Some(oldest) = answers.values().map(|answer| answer.created_at).min() else {
        return Ok(());
    };
    let spaces: Vec<i64> = answers.keys().map(|key| key.space_no).collect();
    let routes: Vec<i16> = answers.keys().map(|key| key.route).collect();
    let keys: Vec<&str> = answers.keys().map(|key| key.key.as_str()).collect();
    let hashes: Vec<&[u8]> = answers.values().map(|one| &one.body_hash[..]).collect();
    let created = answers.values().map(|one| one.created_at.as_millisecond());
    let created: Vec<i64> = created.collect();
    let jsons: Vec<&str> = answers.values().map(|one| one.json.as_str()).collect();
    let old = oldest.as_millisecond() - Idempotency::KEPT_MS;
    let some = i64::try_from(4 * answers.len()).unwrap_or(i64::MAX);
    try_join!(
        biased;
        async {
            connection
                .run(KEEP_ANSWERS, &[&spaces, &routes, &keys, &hashes, &created, &jsons])
                .await
        },
        async { connection.run(FORGET_ANSWERS, &[&old, &some]).await },
    )
    .map(drop)
}

fn large(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
