//! The rows that a statement finds, read by the rules that both stores share.

use alert_connectors_store::{StoreError, stored::Columns};
use rusqlite::{Connection, Params, types::FromSql};

use crate::error::{Failure, meaning};

/// A row of the driver.
struct Row<'r>(&'r rusqlite::Row<'r>);

impl Row<'_> {
    fn at<T: FromSql>(&self, column: usize) -> Result<T, StoreError> {
        self.0.get(column).map_err(meaning)
    }
}

impl Columns for Row<'_> {
    fn maybe_number(&self, column: usize) -> Result<Option<i64>, StoreError> {
        self.at(column)
    }

    fn maybe_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        self.at(column)
    }

    fn maybe_id(&self, column: usize) -> Result<Option<[u8; 16]>, StoreError> {
        self.at(column)
    }

    fn maybe_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, StoreError> {
        self.at(column)
    }

    fn flag(&self, column: usize) -> Result<bool, StoreError> {
        self.at(column)
    }
}

/// What `read` makes of each row that a statement finds.
pub(crate) fn rows<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    mut read: impl FnMut(&dyn Columns) -> Result<T, StoreError>,
) -> Result<Vec<T>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(&Row(row))?);
    }
    Ok(found)
}

/// What `read` makes of the first row that a statement finds.
pub(crate) fn row<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnOnce(&dyn Columns) -> Result<T, StoreError>,
) -> Result<Option<T>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let found = rows.next()?;
    Ok(found.map(|row| read(&Row(row))).transpose()?)
}
