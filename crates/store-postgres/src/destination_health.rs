//! How destinations stand, as rows.

use std::collections::BTreeMap;

use alert_connectors_model::Fingerprint;
use alert_connectors_store::{
    Block, DestinationHealth, FailingMessages, Report, StoreError, Wait,
    stored::{maybe_time, time},
};
use jiff::{SignedDuration, Timestamp};
use tokio::try_join;
use tokio_postgres::Row;

use crate::{
    error::Columns,
    session::{Change, Parameters, Session},
};

const COLUMNS: &str = "failures, failing_since, recovered_at, last_error, throttles, wait_set_at, wait_ms, wait_asked,
    refused, blocked_at, block_reason, probes, told, repaired_at, quiet, unanswered, failing_messages";
// By primary key.
const READ: &str = "FROM destinations WHERE fingerprint = $1";
// By primary key. Whoever does not know of the last repair says nothing of how things stand after it.
pub(crate) const WRITE: &str = "INSERT INTO destinations AS d (fingerprint, failures, failing_since, recovered_at, last_error,
    throttles, wait_set_at, wait_ms, wait_asked, refused, blocked_at, block_reason, probes, told, repaired_at, quiet,
    unanswered, failing_messages)
    SELECT g.fingerprint, failures, failing_since, recovered_at, last_error, throttles, wait_set_at, wait_ms, wait_asked,
        refused, blocked_at, block_reason, probes, told, repaired_at, quiet, unanswered, failing_messages
    FROM unnest($1::bytea[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::text[], $7::int8[], $8::int8[], $9::int8[],
        $10::bool[], $11::text[], $12::int8[], $13::text[], $14::int8[], $15::bool[], $16::int8[], $17::bool[],
        $18::int8[], $19::text[])
        AS g (fingerprint, lease, failures, failing_since, recovered_at, last_error, throttles, wait_set_at, wait_ms,
        wait_asked, refused, blocked_at, block_reason, probes, told, repaired_at, quiet, unanswered, failing_messages)
    WHERE g.lease IS NULL OR EXISTS (SELECT FROM leases l WHERE l.destination = g.fingerprint AND l.number = g.lease)
    ON CONFLICT (fingerprint) DO UPDATE SET failures = excluded.failures, failing_since = excluded.failing_since,
        recovered_at = excluded.recovered_at, last_error = excluded.last_error, throttles = excluded.throttles,
        wait_set_at = excluded.wait_set_at, wait_noted_at =
        CASE WHEN d.wait_set_at = excluded.wait_set_at THEN d.wait_noted_at ELSE clock_timestamp() END, wait_ms = excluded.wait_ms, wait_asked = excluded.wait_asked,
        refused = excluded.refused, blocked_at = excluded.blocked_at, block_reason = excluded.block_reason,
        probes = excluded.probes, repaired_at = excluded.repaired_at, quiet = excluded.quiet,
        unanswered = excluded.unanswered, failing_messages = excluded.failing_messages
    WHERE d.repaired_at IS NULL OR excluded.repaired_at >= d.repaired_at";
// By primary key. Whether spaces were told is said by the one who told them, whoever repaired it meanwhile.
pub(crate) const TOLD: &str = "UPDATE destinations d SET told = g.told
    FROM unnest($1::bytea[], $2::int8[], $3::bool[]) AS g (fingerprint, lease, told)
    WHERE d.fingerprint = g.fingerprint AND d.told <> g.told AND (g.lease IS NULL
        OR EXISTS (SELECT FROM leases l WHERE l.destination = g.fingerprint AND l.number = g.lease))";
// By primary key.
const AGE: &str = "SELECT (extract(epoch FROM clock_timestamp() - wait_noted_at) * 1000)::int8 FROM destinations WHERE fingerprint = $1";
/// Two clocks that agree within this are the same.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(2);
// By primary key.
const HOLD: &str = "SELECT FROM destinations WHERE fingerprint = $1 FOR UPDATE";

/// How a destination stands.
pub(crate) async fn read(
    session: &Session,
    destination: Fingerprint,
) -> Result<DestinationHealth, StoreError> {
    let sql = format!("SELECT {COLUMNS} {READ}");
    let found = session.row(&sql, &[&&destination.0[..]]).await?;
    found.map_or(Ok(DestinationHealth::default()), |row| health(&row))
}

/// How a destination stands, with its wait told by the caller's clock, which says `now`: where that clock and the database's
/// differ about how long ago it was set, the database's is right.
pub(crate) async fn read_at(
    session: &Session,
    destination: Fingerprint,
    now: Timestamp,
) -> Result<DestinationHealth, StoreError> {
    let mut health = read(session, destination).await?;
    if let Some(wait) = &mut health.wait
        && let Some(row) = session.row(AGE, &[&&destination.0[..]]).await?
    {
        let age = SignedDuration::from_millis(row.at(0)?);
        if (now.duration_since(wait.set_at) - age).abs() > CLOCKS_DIFFER {
            wait.set_at = now.checked_sub(age).unwrap_or(now);
        }
    }
    Ok(health)
}

fn health(row: &Row) -> Result<DestinationHealth, StoreError> {
    let maybe = |column| Ok::<_, StoreError>(maybe_time(row.at(column)?));
    let length = SignedDuration::from_millis(row.at(6)?);
    let asked = row.at(7)?;
    let wait = maybe(5)?.map(|set_at| Wait {
        set_at,
        length,
        asked,
    });
    let refused: String = row.at(8)?;
    let (reason, probes) = (row.at::<Option<String>>(10)?, row.count(11)?);
    let quiet = row.at(14)?;
    let failing: String = row.at(16)?;
    let block = row.at::<Option<i64>>(9)?.map(|since| Block {
        reason: reason.unwrap_or_default(),
        since: time(since),
        probes,
        quiet,
    });
    Ok(DestinationHealth {
        failures: row.count(0)?,
        unanswered: row.count(15)?,
        failing: FailingMessages::from_json(&failing),
        failing_since: maybe(1)?,
        recovered_at: maybe(2)?,
        last_error: row.at(3)?,
        throttles: row.count(4)?,
        wait,
        // Written by us; where it can't be read, counting begins anew.
        refused: serde_json::from_str(&refused).unwrap_or_default(),
        block,
        told: row.at(12)?,
        repaired_at: maybe(13)?,
    })
}

/// Keeps how the destinations of reports stand, where that changed; the last word of each counts.
pub(crate) async fn write_all(session: &Session, reports: &[&Report]) -> Result<(), StoreError> {
    let healths: BTreeMap<&[u8], (Option<i64>, &DestinationHealth)> = reports
        .iter()
        .filter_map(|report| {
            let health = report.health.as_ref()?;
            Some((&report.destination.0[..], (report.fence.lease(), health)))
        })
        .collect();
    write(session, &healths).await
}

async fn write(
    session: &Session,
    healths: &BTreeMap<&[u8], (Option<i64>, &DestinationHealth)>,
) -> Result<(), StoreError> {
    if healths.is_empty() {
        return Ok(());
    }
    let all = || healths.values().map(|(_, health)| *health);
    let millis = |of: fn(&DestinationHealth) -> Option<Timestamp>| -> Vec<Option<i64>> {
        all()
            .map(|one| of(one).map(Timestamp::as_millisecond))
            .collect()
    };
    // Text here can't hold the character zero, which a channel may answer with.
    let text = |text: &str| text.replace('\0', "");
    let fingerprints: Vec<&[u8]> = healths.keys().copied().collect();
    let leases: Vec<Option<i64>> = healths.values().map(|(lease, _)| *lease).collect();
    let failures: Vec<i64> = all().map(|one| one.failures.into()).collect();
    let failing = millis(|one| one.failing_since);
    let recovered = millis(|one| one.recovered_at);
    let errors: Vec<Option<String>> = all()
        .map(|one| one.last_error.as_deref().map(text))
        .collect();
    let throttles: Vec<i64> = all().map(|one| one.throttles.into()).collect();
    let wait_set = millis(|one| one.wait.map(|wait| wait.set_at));
    let lengths: Vec<i64> = all()
        .map(|one| one.wait.map_or(0, |wait| wait.length.as_millis()))
        .map(|length| i64::try_from(length).unwrap_or(i64::MAX))
        .collect();
    let asked: Vec<bool> = all()
        .map(|one| one.wait.is_some_and(|wait| wait.asked))
        .collect();
    let refused: Vec<String> = all()
        .map(|one| serde_json::to_string(&one.refused).expect("numbers always serialise"))
        .collect();
    let blocked = millis(|one| one.block.as_ref().map(|block| block.since));
    let reasons: Vec<Option<String>> = all()
        .map(|one| one.block.as_ref().map(|block| text(&block.reason)))
        .collect();
    let probes: Vec<i64> = all()
        .map(|one| one.block.as_ref().map_or(0, |block| block.probes.into()))
        .collect();
    let told: Vec<bool> = all().map(|one| one.told).collect();
    let repaired = millis(|one| one.repaired_at);
    let quiet: Vec<bool> = all()
        .map(|one| one.block.as_ref().is_some_and(|block| block.quiet))
        .collect();
    let unanswered: Vec<i64> = all().map(|one| one.unanswered.into()).collect();
    let failing_messages: Vec<String> = all().map(|one| one.failing.to_json()).collect();
    // Sent together, since what follows a group may be on its way behind them.
    try_join!(
        biased;
        async {
            let columns: Parameters<'_> = &[
                &fingerprints,
                &leases,
                &failures,
                &failing,
                &recovered,
                &errors,
                &throttles,
                &wait_set,
                &lengths,
                &asked,
                &refused,
                &blocked,
                &reasons,
                &probes,
                &told,
                &repaired,
                &quiet,
                &unanswered,
                &failing_messages,
            ];
            session.run(WRITE, columns).await
        },
        async { session.run(TOLD, &[&fingerprints, &leases, &told]).await },
    )
    .map(drop)
}

/// A connector was given the destination's URL: what made it wait or be held is forgotten, but what it asked for itself.
pub(crate) async fn repair(
    change: &Change,
    destination: Fingerprint,
    now: Timestamp,
) -> Result<(), StoreError> {
    let session = change.session();
    // Whoever works it may be writing at this moment, and waits until this is committed.
    session.run(HOLD, &[&&destination.0[..]]).await?;
    let mut health = read(session, destination).await?;
    health.repair(now);
    write(
        session,
        &BTreeMap::from([(&destination.0[..], (None, &health))]),
    )
    .await
}
