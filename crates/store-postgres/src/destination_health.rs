//! The health of destinations, as rows.

use std::collections::BTreeMap;

use alert_connectors_model::Fingerprint;
use alert_connectors_store::{
    DestinationHealth, Report, StoreError,
    stored::{HEALTH_COLUMNS, health},
};
use jiff::{SignedDuration, Timestamp};
use tokio::try_join;

use crate::connection::{Change, Connection, Parameters};

// By primary key.
const READ: &str = "FROM destinations WHERE fingerprint = $1";
// By primary key. A report that does not know of the last repair does not overwrite the health.
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
// By primary key. The server that notified the spaces writes this, even if a repair came in between.
pub(crate) const ANNOUNCED: &str = "UPDATE destinations d SET told = g.told
    FROM unnest($1::bytea[], $2::int8[], $3::bool[]) AS g (fingerprint, lease, told)
    WHERE d.fingerprint = g.fingerprint AND d.told <> g.told AND (g.lease IS NULL
        OR EXISTS (SELECT FROM leases l WHERE l.destination = g.fingerprint AND l.number = g.lease))";
// By primary key.
const AGE: &str = "SELECT (extract(epoch FROM clock_timestamp() - wait_noted_at) * 1000)::int8 FROM destinations WHERE fingerprint = $1";
/// Clocks that differ by no more than this count as equal.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(2);
// By primary key.
const HOLD: &str = "SELECT FROM destinations WHERE fingerprint = $1 FOR UPDATE";

/// The health of a destination.
pub(crate) async fn read(
    connection: &Connection,
    destination: Fingerprint,
) -> Result<DestinationHealth, StoreError> {
    let sql = format!("SELECT {HEALTH_COLUMNS} {READ}");
    let found = connection.row(&sql, &[&&destination.0[..]]).await?;
    found.map_or(Ok(DestinationHealth::default()), |row| health(&row))
}

/// The health of a destination, with its wait converted to the caller's clock, which says `now`: where that clock and
/// the database's differ about how long ago it was set, the database's is right.
pub(crate) async fn read_at(
    connection: &Connection,
    destination: Fingerprint,
    now: Timestamp,
) -> Result<DestinationHealth, StoreError> {
    let mut health = read(connection, destination).await?;
    if let Some(wait) = &mut health.wait
        && let Some(row) = connection.row(AGE, &[&&destination.0[..]]).await?
    {
        let age = SignedDuration::from_millis(row.at(0)?);
        if (now.duration_since(wait.set_at) - age).abs() > CLOCKS_DIFFER {
            wait.set_at = now.checked_sub(age).unwrap_or(now);
        }
    }
    Ok(health)
}

/// Writes the health of the reports' destinations, where it changed; the last report of each counts.
pub(crate) async fn write_all(
    connection: &Connection,
    reports: &[&Report],
) -> Result<(), StoreError> {
    let healths: BTreeMap<&[u8], (Option<i64>, &DestinationHealth)> = reports
        .iter()
        .filter_map(|report| {
            let health = report.health.as_ref()?;
            Some((&report.destination.0[..], (report.fence.lease(), health)))
        })
        .collect();
    write(connection, &healths).await
}

async fn write(
    connection: &Connection,
    healths: &BTreeMap<&[u8], (Option<i64>, &DestinationHealth)>,
) -> Result<(), StoreError> {
    if healths.is_empty() {
        return Ok(());
    }
    let columns = HealthColumns::of(healths);
    // Sent together, since a group's COMMIT may follow right behind them.
    try_join!(
        biased;
        columns.write(connection),
        async {
            let announced: Parameters<'_> = &[&columns.fingerprints, &columns.leases, &columns.announced];
            connection.run(ANNOUNCED, announced).await
        },
    )
    .map(drop)
}

/// Healths as columns, one value for each destination.
#[derive(Default)]
struct HealthColumns<'h> {
    fingerprints: Vec<&'h [u8]>,
    leases: Vec<Option<i64>>,
    failures: Vec<i64>,
    failing_since: Vec<Option<i64>>,
    recovered_at: Vec<Option<i64>>,
    last_errors: Vec<Option<String>>,
    throttles: Vec<i64>,
    waits_set_at: Vec<Option<i64>>,
    wait_lengths: Vec<i64>,
    waits_asked: Vec<bool>,
    refused: Vec<String>,
    blocked_since: Vec<Option<i64>>,
    block_reasons: Vec<Option<String>>,
    probes: Vec<i64>,
    announced: Vec<bool>,
    repaired_at: Vec<Option<i64>>,
    quiet: Vec<bool>,
    unanswered: Vec<i64>,
    failing_messages: Vec<String>,
}

impl<'h> HealthColumns<'h> {
    fn of(healths: &BTreeMap<&'h [u8], (Option<i64>, &DestinationHealth)>) -> Self {
        let mut columns = Self::default();
        for (fingerprint, (lease, health)) in healths {
            columns.fingerprints.push(fingerprint);
            columns.leases.push(*lease);
            columns.push(health);
        }
        columns
    }

    fn push(&mut self, health: &DestinationHealth) {
        let millis = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
        // PostgreSQL's text can't hold the character zero, which a channel may answer with.
        let text = |text: &str| text.replace('\0', "");
        let (wait, block) = (health.wait, health.block.as_ref());
        let length = wait.map_or(0, |wait| wait.length.as_millis());
        let refused = serde_json::to_string(&health.refused);
        self.failures.push(health.failures.into());
        self.failing_since.push(millis(health.failing_since));
        self.recovered_at.push(millis(health.recovered_at));
        self.last_errors
            .push(health.last_error.as_deref().map(text));
        self.throttles.push(health.throttles.into());
        self.waits_set_at.push(millis(wait.map(|wait| wait.set_at)));
        self.wait_lengths
            .push(i64::try_from(length).unwrap_or(i64::MAX));
        self.waits_asked.push(wait.is_some_and(|wait| wait.asked));
        self.refused
            .push(refused.expect("numbers always serialise"));
        self.blocked_since
            .push(millis(block.map(|block| block.since)));
        self.block_reasons
            .push(block.map(|block| text(&block.reason)));
        self.probes
            .push(block.map_or(0, |block| block.probes.into()));
        self.announced.push(health.announced);
        self.repaired_at.push(millis(health.repaired_at));
        self.quiet.push(block.is_some_and(|block| block.quiet));
        self.unanswered.push(health.unanswered.into());
        self.failing_messages.push(health.failing.to_json());
    }

    async fn write(&self, connection: &Connection) -> Result<u64, StoreError> {
        let columns: Parameters<'_> = &[
            &self.fingerprints,
            &self.leases,
            &self.failures,
            &self.failing_since,
            &self.recovered_at,
            &self.last_errors,
            &self.throttles,
            &self.waits_set_at,
            &self.wait_lengths,
            &self.waits_asked,
            &self.refused,
            &self.blocked_since,
            &self.block_reasons,
            &self.probes,
            &self.announced,
            &self.repaired_at,
            &self.quiet,
            &self.unanswered,
            &self.failing_messages,
        ];
        connection.run(WRITE, columns).await
    }
}

/// A connector was given the destination's URL or switched on: forgets its failures and its block, but not a wait that
/// the channel asked for.
pub(crate) async fn repair(
    change: &Change,
    destination: Fingerprint,
    now: Timestamp,
) -> Result<(), StoreError> {
    let connection = change.connection();
    // The server that works it may be writing at this moment, and waits until this is committed.
    connection.run(HOLD, &[&&destination.0[..]]).await?;
    let mut health = read(connection, destination).await?;
    health.repair(now);
    write(
        connection,
        &BTreeMap::from([(&destination.0[..], (None, &health))]),
    )
    .await
}
