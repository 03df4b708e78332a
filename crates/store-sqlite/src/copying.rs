//! Reading everything, for a copy in a database of another kind.

use alert_connectors_store::{
    StoreError,
    copying::{CopiedRow, CopiedTable, CopiedValue, CopySource, CopyStep},
};
use async_trait::async_trait;
use rusqlite::{Connection, params, types::ValueRef};

use crate::{SqliteStore, error::Failure, fingerprint_key::FINGERPRINT_KEY};

/// Whatever a server does changes one of these: it accepts, repeats, resolves, sends, ends, removes or changes settings.
const STATE: &str = "SELECT (SELECT version FROM identity)
    || ' ' || (SELECT coalesce(sum(version), 0) FROM spaces)
    || ' ' || (SELECT coalesce(max(seq), 0) || ' ' || coalesce(sum(occurrences), 0) || ' ' || coalesce(sum(status), 0) FROM alerts)
    || ' ' || (SELECT coalesce(max(seq), 0) || ' ' || coalesce(sum(attempts), 0) || ' ' || coalesce(sum(state), 0) FROM deliveries)
    || ' ' || (SELECT count(*) FROM attempts)";

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

    async fn span(&self, table: &'static CopiedTable) -> Result<Option<(i64, i64)>, StoreError> {
        self.read(|connection| {
            let number = table.steps.map_or("0", |(column, _)| column);
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

    async fn rows(
        &self,
        table: &'static CopiedTable,
        step: CopyStep,
    ) -> Result<Vec<CopiedRow>, StoreError> {
        self.read(move |connection| rows(connection, table, step))
            .await
    }
}

fn rows(
    connection: &Connection,
    table: &CopiedTable,
    step: CopyStep,
) -> Result<Vec<CopiedRow>, Failure> {
    let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let number = table.steps.map_or("0", |(column, _)| column);
    let sql = format!(
        "SELECT {} FROM {} WHERE {number} > ?1 AND {number} <= ?2",
        columns.join(", "),
        table.name
    );
    let mut statement = connection.prepare(&sql)?;
    let mut found = statement.query(params![step.after, step.upto])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let values = (0..columns.len()).map(|column| Ok(value(row.get_ref(column)?)?));
        rows.push(values.collect::<Result<_, Failure>>()?);
    }
    Ok(rows)
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
