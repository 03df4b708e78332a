//! Plans of statements, which are kept once they are made.

use rusqlite::{Connection, config::DbConfig};

/// Lets a prepared statement keep its plan. Otherwise SQLite prepares some of ours again whenever other values are
/// bound, in case another plan suits them, which takes longer than most of them run.
pub(crate) fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(drop)
}
