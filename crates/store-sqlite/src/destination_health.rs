//! The health of destinations, as rows.

use alert_connectors_model::Fingerprint;
use alert_connectors_store::{
    DestinationHealth,
    stored::{HEALTH_COLUMNS, health, time},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{error::Failure, row::row};

const WRITE: &str = "INSERT OR REPLACE INTO destinations (fingerprint, failures, failing_since, recovered_at, last_error,
    throttles, wait_set_at, wait_ms, wait_asked, refused, blocked_at, block_reason, probes, told, repaired_at, quiet,
    unanswered, failing_messages)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
// By primary key.
const ANNOUNCED: &str = "UPDATE destinations SET told = ?2 WHERE fingerprint = ?1";
// By primary key.
const REPAIRED: &str =
    "SELECT repaired_at FROM destinations WHERE fingerprint = ?1 AND repaired_at IS NOT NULL";

/// The health of a destination, by primary key.
pub(crate) fn read(
    connection: &Connection,
    destination: Fingerprint,
) -> Result<DestinationHealth, Failure> {
    let sql = format!("SELECT {HEALTH_COLUMNS} FROM destinations WHERE fingerprint = ?1");
    let found = row(connection, &sql, [&destination.0[..]], health)?;
    Ok(found.unwrap_or_default())
}

/// When a destination was repaired last.
pub(crate) fn repaired_at(
    connection: &Connection,
    destination: Fingerprint,
) -> rusqlite::Result<Option<Timestamp>> {
    let found = connection
        .prepare_cached(REPAIRED)?
        .query_row([&destination.0[..]], |row| row.get(0))
        .optional()?;
    Ok(found.map(time))
}

/// Writes the health that a report brings. A report that does not know of the last repair only says whether the spaces were
/// notified.
pub(crate) fn record(
    connection: &Connection,
    destination: Fingerprint,
    health: &DestinationHealth,
) -> Result<(), Failure> {
    let repaired_at = repaired_at(connection, destination)?;
    if health.repaired_at >= repaired_at {
        return Ok(write(connection, destination, health)?);
    }
    connection
        .prepare_cached(ANNOUNCED)?
        .execute(params![&destination.0[..], health.announced])?;
    Ok(())
}

/// Writes the health of a destination.
fn write(
    connection: &Connection,
    destination: Fingerprint,
    health: &DestinationHealth,
) -> rusqlite::Result<()> {
    let millis = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    let length = health.wait.map_or(0, |wait| wait.length.as_millis());
    let refused = serde_json::to_string(&health.refused).expect("numbers always serialise");
    let block = health.block.as_ref();
    connection.prepare_cached(WRITE)?.execute(params![
        &destination.0[..],
        health.failures,
        millis(health.failing_since),
        millis(health.recovered_at),
        health.last_error,
        health.throttles,
        millis(health.wait.map(|wait| wait.set_at)),
        i64::try_from(length).unwrap_or(i64::MAX),
        health.wait.is_some_and(|wait| wait.asked),
        refused,
        millis(block.map(|block| block.since)),
        block.map(|block| block.reason.as_str()),
        block.map_or(0, |block| block.probes),
        health.announced,
        millis(health.repaired_at),
        block.is_some_and(|block| block.quiet),
        health.unanswered,
        health.failing.to_json(),
    ])?;
    Ok(())
}

/// A connector was given the destination's URL or switched on: forgets its failures and its block, but not a wait that
/// the channel asked for.
pub(crate) fn repair(
    connection: &Connection,
    destination: Fingerprint,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut health = read(connection, destination)?;
    health.repair(now);
    Ok(write(connection, destination, &health)?)
}
