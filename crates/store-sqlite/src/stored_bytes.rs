//! Measures alerts a little after they came or changed, and sums them up by space. What removes an alert takes it off again.

use alert_connectors_store::{storage::MEASURED_A_STEP, stored::Columns};
use rusqlite::Connection;

use crate::{
    error::Failure,
    row::{row, rows},
};

// By primary key: up to where the next step measures.
const NEXT: &str = "SELECT measured, min(counted, measured + ?1) FROM counting WHERE one = 1";
// By primary key.
const ADD: &str = "INSERT INTO stored_bytes (space_no, bytes)
    SELECT a.space_no, sum(a.bytes) FROM alerts a JOIN spaces s ON s.no = a.space_no
    WHERE a.seq > ?1 AND a.seq <= ?2 GROUP BY 1
    ON CONFLICT (space_no) DO UPDATE SET bytes = bytes + excluded.bytes";
// By primary key.
const MEASURED: &str = "UPDATE counting SET measured = ?1 WHERE one = 1";
// By primary keys.
const GROWN: &str =
    "SELECT a.seq, a.space_no, g.bytes FROM alert_growth g JOIN alerts a ON a.seq = g.seq
    WHERE g.seq <= ?1 ORDER BY g.seq LIMIT ?2";
// By primary key.
const GROW: &str = "UPDATE alerts SET bytes = bytes + ?2 WHERE seq = ?1";
// By primary keys.
const GROW_SPACE: &str =
    "INSERT INTO stored_bytes (space_no, bytes) SELECT no, ?2 FROM spaces WHERE no = ?1
    ON CONFLICT (space_no) DO UPDATE SET bytes = bytes + excluded.bytes";
// By primary key.
const FORGET: &str = "DELETE FROM alert_growth WHERE seq = ?1";

/// Measures some alerts that are counted, and some that grew; returns whether there may be more.
pub(crate) fn measure(connection: &Connection) -> Result<bool, Failure> {
    let bounds = |row: &dyn Columns| Ok((row.number(0)?, row.number(1)?));
    let bounds = row(connection, NEXT, [MEASURED_A_STEP], bounds)?;
    let (measured, next) = bounds.unwrap_or_default();
    if next > measured {
        connection.prepare_cached(ADD)?.execute([measured, next])?;
        connection.prepare_cached(MEASURED)?.execute([next])?;
    }
    let read = |row: &dyn Columns| Ok((row.number(0)?, row.number(1)?, row.number(2)?));
    let grown = rows(connection, GROWN, [next, MEASURED_A_STEP], read)?;
    for (seq, space_no, growth) in &grown {
        connection.prepare_cached(GROW)?.execute([seq, growth])?;
        connection
            .prepare_cached(GROW_SPACE)?
            .execute([space_no, growth])?;
        connection.prepare_cached(FORGET)?.execute([seq])?;
    }
    let is_some = |count: usize| i64::try_from(count) == Ok(MEASURED_A_STEP);
    Ok(next - measured == MEASURED_A_STEP || is_some(grown.len()))
}
