//! From times to places in the order. Both grow together, except where a clock steps.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

/// The first place in the order at a time or later, by binary search. `from` reads the place and the time of the first
/// row at or after a place, `newest` the last place.
pub(crate) fn first_since(
    connection: &Connection,
    from: &str,
    newest: &str,
    since: Timestamp,
) -> rusqlite::Result<i64> {
    let since = since.as_millisecond();
    let mut statement = connection.prepare_cached(from)?;
    let end: i64 = connection.query_row(newest, [], |row| row.get(0))?;
    let (mut low, mut high) = (1, end + 1);
    while low < high {
        let middle = i64::midpoint(low, high);
        let found: Option<(i64, i64)> = statement
            .query_row([middle], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match found {
            Some((seq, time)) if time < since => low = seq + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
