//! The key of webhook fingerprints, which the database keeps sealed.

use alert_connectors_store::Sealing;
use rusqlite::Connection;

pub(crate) const FINGERPRINT_KEY: &str = "SELECT value FROM meta WHERE name = 'fingerprint_key'";
const SET_FINGERPRINT_KEY: &str = "UPDATE meta SET value = ?1 WHERE name = 'fingerprint_key'";

/// Seals the fingerprint key again if it is not sealed under the first key; returns whether it was, as a count.
pub(crate) fn reseal(connection: &Connection, sealing: &Sealing) -> rusqlite::Result<usize> {
    let stored: Vec<u8> = connection.query_row(FINGERPRINT_KEY, [], |row| row.get(0))?;
    if stored.starts_with(&sealing.first_key()) {
        return Ok(0);
    }
    connection.execute(SET_FINGERPRINT_KEY, [sealing.sealed_fingerprint_key()])
}
