//! Inspecting a database: its pages and indexes, its references, its log and its sealed URLs.

use std::path::Path;

use alert_connectors_model::SpaceId;
use alert_connectors_store::{
    Inspection, Sealing,
    stored::{self, StoredConnector},
};
use rusqlite::{Connection, OpenFlags, Row, types::ValueRef};

use crate::{connectors, error::Failure, row::rows, sources};

// SQLite's own: every page, every index against its table, every constraint.
const INTEGRITY: &str = "PRAGMA integrity_check(1000)";
const REFERENCES: &str = "PRAGMA foreign_key_check";
const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name";

/// Inspects the whole database in one snapshot.
pub(crate) fn inspect(
    connection: &Connection,
    sealing: &Sealing,
    log_loss: Option<&str>,
) -> Result<Inspection, Failure> {
    let mut inspection = Inspection::default();
    if let Some(loss) = log_loss {
        inspection.finds(loss.to_owned());
    }
    look_at_pages(connection, &mut inspection)?;
    if inspection.findings.is_empty() {
        look_at_references(connection, &mut inspection)?;
        look_at_texts(connection, &mut inspection)?;
    }
    if inspection.findings.is_empty() {
        rows(connection, &stored::every_health(), [], |row| {
            inspection.health(row)
        })?;
        open_urls(connection, sealing, &mut inspection)?;
    } else {
        // A broken database can't be read far enough.
        inspection.leaves_webhook_urls();
    }
    Ok(inspection)
}

fn look_at_pages(connection: &Connection, inspection: &mut Inspection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(INTEGRITY)?;
    for found in statement.query_map([], |row| row.get::<_, String>(0))? {
        match found {
            Ok(good) if good == "ok" => {}
            // A finding of SQLite's may have lines of its own.
            Ok(found) => inspection.finds(found.replace('\n', " ")),
            // It gives up where a page that it needs itself is broken.
            Err(error) => inspection.finds(error.to_string()),
        }
    }
    Ok(())
}

fn look_at_references(
    connection: &Connection,
    inspection: &mut Inspection,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(REFERENCES)?;
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(2)?));
    for found in statement.query_map([], read)? {
        let (table, parent) = found?;
        inspection.finds(format!(
            "a row of {table} refers to a row of {parent} that is not there"
        ));
    }
    Ok(())
}

/// SQLite keeps any bytes as text, and its own check says nothing of them.
fn look_at_texts(connection: &Connection, inspection: &mut Inspection) -> rusqlite::Result<()> {
    let mut tables = connection.prepare(TABLES)?;
    let tables = tables.query_map([], |row| row.get::<_, String>(0))?;
    for table in tables {
        let table = table?;
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\""))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        let mut at = 0_u64;
        while let Some(row) = rows.next()? {
            at += 1;
            for column in 0..columns {
                let value = row.get_ref(column)?;
                if matches!(value, ValueRef::Text(text) if str::from_utf8(text).is_err()) {
                    let name = row.as_ref().column_name(column)?;
                    inspection.finds(format!("{table}: {name} of row {at} is no text"));
                }
            }
        }
    }
    Ok(())
}

/// At most this many findings are told where the database can't be opened.
const FIRST_FINDINGS: &str = "PRAGMA integrity_check(5)";

/// What is broken, of a database that can't be opened as a store.
pub(crate) fn first_findings(path: &Path) -> rusqlite::Result<String> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare(FIRST_FINDINGS)?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?;
    let found: Vec<String> = found.collect::<rusqlite::Result<_>>()?;
    // A finding of SQLite's may have lines of its own.
    Ok(found.join("; ").replace('\n', " "))
}

fn open_urls(
    connection: &Connection,
    sealing: &Sealing,
    inspection: &mut Inspection,
) -> Result<(), Failure> {
    let (columns, every) = (StoredConnector::COLUMNS, connectors::EVERY);
    let sql = format!("SELECT {columns}, s.slug, s.id {every}");
    rows(connection, &sql, [], |row| {
        let (slug, space) = (row.text(13)?, SpaceId::from_bytes(row.id(14)?));
        inspection.connector(sealing, StoredConnector::of(row)?, &slug, space);
        Ok(())
    })?;
    rows(connection, sources::EVERY_SECRET, [], |row| {
        let (space, slug) = (SpaceId::from_bytes(row.id(3)?), row.text(4)?);
        inspection.source(sealing, row, &slug, space)
    })
    .map(drop)
}
