//! Reading everything, for a copy in a database of another kind.

use alert_connectors_store::{
    StoreError,
    copying::{
        BEFORE_ALL, BEHIND_ALL, CopiedRow, CopiedTable, CopiedValue, CopySource, CopyStep,
        LastNumbers,
    },
};
use async_trait::async_trait;
use rusqlite::{Connection, Row, types::ValueRef};

use crate::{SqliteStore, error::Failure, fingerprint_key::FINGERPRINT_KEY};

/// Whatever a server does changes one of these: it accepts, repeats, resolves, sends, ends, removes or changes settings.
const STATE: &str = "SELECT (SELECT version FROM identity)
    || ' ' || (SELECT coalesce(sum(version), 0) FROM spaces)
    || ' ' || (SELECT coalesce(max(seq), 0) || ' ' || coalesce(sum(occurrences), 0) || ' ' || coalesce(sum(status), 0) FROM alerts)
    || ' ' || (SELECT coalesce(max(seq), 0) || ' ' || coalesce(sum(attempts), 0) || ' ' || coalesce(sum(state), 0) FROM deliveries)
    || ' ' || (SELECT count(*) FROM attempts) || ' ' || (SELECT count(*) FROM users) || ' ' || (SELECT count(*) FROM tokens)
    || ' ' || (SELECT count(*) FROM api_keys) || ' ' || (SELECT count(*) FROM ingest_sources)
    || ' ' || (SELECT counted || ' ' || measured FROM counting) || ' ' || (SELECT coalesce(sum(bytes), 0) FROM alert_growth)";
const LAST_NUMBER: &str = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?1), 0)";

/// A step ends after so many rows or bytes, with all that share the last number.
const STEP_ROWS: usize = 5_000;
const STEP_BYTES: usize = 8 * 1_024 * 1_024;

#[async_trait]
impl CopySource for SqliteStore {
    async fn fingerprint_key(&self) -> Result<Vec<u8>, StoreError> {
        self.read(|connection| Ok(connection.query_row(FINGERPRINT_KEY, [], |row| row.get(0))?))
            .await
    }

    async fn state(&self) -> Result<String, StoreError> {
        self.read(|connection| Ok(connection.query_row(STATE, [], |row| row.get(0))?))
            .await
    }

    async fn count(&self, table: &'static CopiedTable) -> Result<u64, StoreError> {
        self.read(|connection| {
            let sql = format!("SELECT count(*) FROM {}", table.name);
            Ok(connection.query_row(&sql, [], |row| row.get(0))?)
        })
        .await
    }

    async fn last_numbers(&self) -> Result<LastNumbers, StoreError> {
        self.read(|connection| {
            let last = |table: &str| {
                connection.query_row(LAST_NUMBER, [table], |row| row.get::<_, i64>(0))
            };
            Ok(LastNumbers {
                user: last("users")?,
                space: last("spaces")?,
                connector: last("connectors")?,
            })
        })
        .await
    }

    async fn span(&self, table: &'static CopiedTable) -> Result<Option<(i64, i64)>, StoreError> {
        let Some(number) = table.number else {
            return Ok(None);
        };
        self.read(move |connection| {
            let name = table.name;
            // Two queries, each of which looks at one end of the index.
            let sql = format!(
                "SELECT (SELECT min({number}) FROM {name}), (SELECT max({number}) FROM {name})"
            );
            let ends = connection.query_row(&sql, [], |row| {
                Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?))
            })?;
            Ok(ends)
        })
        .await
    }

    async fn step(
        &self,
        table: &'static CopiedTable,
        after: i64,
    ) -> Result<Option<CopyStep>, StoreError> {
        self.read(move |connection| {
            let step = match table.number {
                Some(number) => numbered(connection, table, number, after)?,
                None if after == BEFORE_ALL => whole(connection, table)?,
                None => None,
            };
            Ok(step)
        })
        .await
    }
}

/// All rows of a table without numbers.
fn whole(connection: &Connection, table: &CopiedTable) -> Result<Option<CopyStep>, Failure> {
    let sql = format!("SELECT {} FROM {}", table.column_list(), table.name);
    let mut statement = connection.prepare(&sql)?;
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(values(row, table)?);
    }
    let (after, upto) = (BEFORE_ALL, BEHIND_ALL);
    Ok((!rows.is_empty()).then_some(CopyStep { after, upto, rows }))
}

/// The next rows by their number.
fn numbered(
    connection: &Connection,
    table: &CopiedTable,
    number: &str,
    after: i64,
) -> Result<Option<CopyStep>, Failure> {
    let (columns, name) = (table.column_list(), table.name);
    let sql =
        format!("SELECT {columns}, {number} FROM {name} WHERE {number} > ?1 ORDER BY {number}");
    let mut statement = connection.prepare(&sql)?;
    let mut found = statement.query([after])?;
    let (mut rows, mut bytes, mut upto) = (Vec::new(), 0, after);
    while let Some(row) = found.next()? {
        let at = row.get(table.columns.len())?;
        let is_full = rows.len() >= STEP_ROWS || bytes >= STEP_BYTES;
        if is_full && at != upto {
            break;
        }
        let values = values(row, table)?;
        bytes += values.iter().map(CopiedValue::weight).sum::<usize>();
        rows.push(values);
        upto = at;
    }
    Ok((!rows.is_empty()).then_some(CopyStep { after, upto, rows }))
}

fn values(row: &Row<'_>, table: &CopiedTable) -> rusqlite::Result<CopiedRow> {
    let columns = 0..table.columns.len();
    columns.map(|column| value(row.get_ref(column)?)).collect()
}

fn value(value: ValueRef<'_>) -> rusqlite::Result<CopiedValue> {
    Ok(match value {
        ValueRef::Null => CopiedValue::Null,
        ValueRef::Integer(number) => CopiedValue::Number(number),
        ValueRef::Blob(bytes) => CopiedValue::Bytes(bytes.to_owned()),
        ValueRef::Text(_) => CopiedValue::Text(value.as_str()?.to_owned()),
        ValueRef::Real(_) => return Err(rusqlite::Error::InvalidQuery),
    })
}
