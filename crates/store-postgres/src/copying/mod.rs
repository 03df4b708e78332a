//! Storing what is copied from a database of another kind, by `COPY` (<https://www.postgresql.org/docs/15/sql-copy.html>).

mod line;

use std::collections::{HashMap, HashSet};

use alert_connectors_store::{
    StoreError,
    copying::{COPIED_TABLES, CopiedTable, CopyError, CopyStep, CopyTarget, LastNumbers},
};
use async_trait::async_trait;

use crate::{
    PostgresStore,
    connection::{Connection, MIGRATE_LOCK},
};

use self::line::lines;

/// The name in `meta` of the source's state, while a copy is under way. Servers don't start where there is one.
pub(crate) const COPYING: &str = "copying";
/// The same once the copy is finished.
const FINISHED: &str = "copy_finished";
/// How the names in `meta` begin by which a copy finds how far a table is.
const COPIED: &str = "copied:";

/// A copy takes as long as it takes.
const SETTINGS: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET enable_seqscan = on;
    SET enable_hashjoin = on; SET bytea_output = hex";
/// Held until the connection is closed. The number only has to be the same everywhere.
const LOCK: &str = "SELECT pg_try_advisory_lock(8317492650013)";
/// Replicas say every few seconds that they are there.
const SERVERS: &str = "SELECT count(*) FROM replicas WHERE seen_at > now() - interval '30 seconds'";
const META: &str = "SELECT name, value FROM meta";
const SET_META: &str = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// What the store makes of other rows. A wait was noted when it was set, and no alert gets a number that was counted already.
const DERIVED: &str = "
    INSERT INTO pending (connector_no, seq, queued_at)
        SELECT connector_no, seq, coalesce(requeued_at, created_at) FROM deliveries WHERE state = 0;
    INSERT INTO missed (connector_no, state, seq) SELECT connector_no, state, seq FROM deliveries WHERE state >= 3;
    INSERT INTO type_zones (space_no, alert_type, zone) SELECT DISTINCT space_no, alert_type, seq / 1024 FROM alerts;
    SELECT setval(pg_get_serial_sequence('audit_entries', 'seq'), (SELECT max(seq) FROM audit_entries)) WHERE EXISTS (SELECT FROM audit_entries);
    UPDATE destinations SET wait_noted_at = to_timestamp(wait_set_at / 1000.0) WHERE wait_set_at IS NOT NULL;
    UPDATE numbering SET next_alert = greatest((SELECT coalesce(max(seq), 0) FROM alerts), (SELECT counted FROM counting)) + 1,
        next_delivery = (SELECT coalesce(max(seq), 0) + 1 FROM deliveries)";
/// Numbers of what was removed are not given again: its history may still be there.
const LAST_NUMBER: &str = "SELECT setval(pg_get_serial_sequence($1, 'no'), $2) WHERE $2 > 0";
const RENAME_META: &str = "UPDATE meta SET name = $2 WHERE name = $1";
const FORGET_META: &str = "DELETE FROM meta WHERE starts_with(name, $1)";

/// A database that is being copied into.
pub struct Copying {
    connection: Connection,
}

impl PostgresStore {
    /// Makes the database ready to be copied into.
    pub async fn copying(&self) -> Result<Copying, StoreError> {
        // The connection is not returned to the pool, since its settings differ.
        let connection = Connection::of(self.shared.pools.work()).await?;
        connection.command(SETTINGS).await?;
        Ok(Copying { connection })
    }
}

impl Copying {
    /// Only one copy goes on at a time.
    async fn lock(&self) -> Result<(), CopyError> {
        let locked = self.connection.row(LOCK, &[]).await?;
        if locked.is_some_and(|row| row.at(0).unwrap_or(false)) {
            return Ok(());
        }
        let what = "another copy into the database is under way";
        Err(CopyError::InUse(what))
    }

    async fn refuse_in_use(&self) -> Result<(), CopyError> {
        let servers = self.connection.row(SERVERS, &[]).await?;
        match servers.map(|row| row.at::<i64>(0)).transpose()? {
            None | Some(0) => Ok(()),
            Some(_) => Err(CopyError::InUse(
                "a server runs on the database that is copied into",
            )),
        }
    }

    async fn refuse_if_not_empty(&self) -> Result<(), CopyError> {
        for table in &COPIED_TABLES {
            if self.count(table).await? > 0 {
                return Err(CopyError::NotEmpty(table.name.replace('_', " ")));
            }
        }
        Ok(())
    }

    /// Stores values in `meta`.
    async fn set(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.connection
            .run(SET_META, &[&name, &value])
            .await
            .map(drop)
    }

    /// Under the lock of those who open the database: no server begins between the look and the mark that keeps it away.
    async fn begin_anew(&self, fingerprint_key: &[u8], state: &str) -> Result<(), CopyError> {
        let begin = format!("BEGIN; {MIGRATE_LOCK}; DELETE FROM counting");
        self.connection.command(&begin).await?;
        self.refuse_in_use().await?;
        self.refuse_if_not_empty().await?;
        self.set(COPYING, state.as_bytes()).await?;
        self.set("fingerprint_key", fingerprint_key).await?;
        self.connection.command("COMMIT").await?;
        Ok(())
    }
}

#[async_trait]
impl CopyTarget for Copying {
    async fn begin(
        &self,
        fingerprint_key: &[u8],
        state: &str,
    ) -> Result<HashMap<String, i64>, CopyError> {
        self.lock().await?;
        let mut meta = HashMap::new();
        for row in self.connection.rows(META, &[]).await? {
            meta.insert(row.at::<String>(0)?, row.at::<Vec<u8>>(1)?);
        }
        let is_this = meta.get("fingerprint_key").map(Vec::as_slice) == Some(fingerprint_key);
        if let Some(finished_with) = meta.get(FINISHED).filter(|_| is_this) {
            return Err(if finished_with == state.as_bytes() {
                CopyError::Finished
            } else {
                CopyError::ChangedSinceFinished
            });
        }
        let Some(begun_with) = meta.get(COPYING) else {
            self.begin_anew(fingerprint_key, state).await?;
            return Ok(HashMap::new());
        };
        if !is_this {
            return Err(CopyError::OtherCopy);
        }
        if begun_with != state.as_bytes() {
            return Err(CopyError::SourceChanged);
        }
        let upto = |(name, value): (&String, &Vec<u8>)| {
            let table = name.strip_prefix(COPIED)?.to_owned();
            Some((table, str::from_utf8(value).ok()?.parse().ok()?))
        };
        Ok(meta.iter().filter_map(upto).collect())
    }

    async fn store(&self, table: &'static CopiedTable, step: &CopyStep) -> Result<(), StoreError> {
        let sql = format!("COPY {} ({}) FROM STDIN", table.name, table.column_list());
        self.connection.command("BEGIN").await?;
        let lines = lines(table, &step.rows)?;
        self.connection.copy_in(&sql, lines).await?;
        let name = format!("{COPIED}{}", table.name);
        self.set(&name, step.upto.to_string().as_bytes()).await?;
        self.connection.command("COMMIT").await
    }

    async fn count(&self, table: &'static CopiedTable) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let row = self.connection.row(&sql, &[]).await?;
        row.map_or(Ok(0), |row| row.count(0))
    }

    async fn differing(
        &self,
        table: &'static CopiedTable,
        step: &CopyStep,
    ) -> Result<u64, StoreError> {
        let number = table.number.unwrap_or("0");
        let (columns, name) = (table.column_list(), table.name);
        let CopyStep { after, upto, rows } = step;
        let sql = format!(
            "COPY (SELECT {columns} FROM {name} WHERE {number} > {after} AND {number} <= {upto}) TO STDOUT"
        );
        // PostgreSQL writes its rows as they were sent to it.
        let stored = self.connection.copy_out(&sql).await?;
        let stored: HashSet<&str> = stored.lines().collect();
        let lines = lines(table, rows)?;
        let missing = lines.lines().filter(|line| !stored.contains(line));
        Ok(missing.count() as u64)
    }

    async fn finish(&self, last: LastNumbers) -> Result<(), StoreError> {
        self.connection
            .command(&format!("BEGIN; {DERIVED}"))
            .await?;
        for (table, number) in [
            ("users", last.user),
            ("spaces", last.space),
            ("connectors", last.connector),
        ] {
            self.connection.row(LAST_NUMBER, &[&table, &number]).await?;
        }
        let connection = &self.connection;
        connection.run(RENAME_META, &[&COPYING, &FINISHED]).await?;
        connection.run(FORGET_META, &[&COPIED]).await?;
        connection.command("COMMIT").await?;
        for table in &COPIED_TABLES {
            // What can't be analysed now, PostgreSQL analyses by itself later.
            let analyse = format!("ANALYZE {}", table.name);
            drop(self.connection.command(&analyse).await);
        }
        Ok(())
    }
}
