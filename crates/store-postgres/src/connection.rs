//! Connections in use: bounded in number and in time. One whose state is unknown is closed, never returned to the pool.

use std::{pin::pin, time::Duration};

use alert_connectors_store::{Mandate, StoreError};
use bytes::Bytes;
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, RecyclingMethod, Runtime, Timeouts,
};
use futures_util::{SinkExt, TryStreamExt, future::try_join_all};
use tokio::{sync::watch, time};
use tokio_postgres::types::ToSql;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    PostgresStore,
    error::{fatal, meaning, no_connection},
    row::Row,
    warnings::{Connector, Warnings},
};

// By primary key. Held until the commit.
pub(crate) const NUMBERING: &str =
    "SELECT next_alert, next_delivery FROM numbering WHERE one = 1 FOR UPDATE";

/// Only one program at a time migrates the database, opens it, or begins a copy into it. The number only has to be the same everywhere.
pub(crate) const MIGRATE_LOCK: &str = "SELECT pg_advisory_xact_lock(8317492650011)";

/// Connections for everything but the hot path.
const WORKERS: usize = 4;
/// How long to wait for a connection, or for one to be made.
const CONNECT_LIMIT: Duration = Duration::from_millis(900);
/// How long a read, a group of a writer or one statement of a change may take.
const USE_LIMIT: Duration = Duration::from_millis(1_700);

/// The bytes of rows that are sent in one message.
const COPIED_AT_ONCE: usize = 64 * 1_024;

pub(crate) type Parameters<'p> = &'p [&'p (dyn ToSql + Sync)];

/// The connections of a replica. Each writer has one of its own, on which its statements are prepared from the
/// beginning: one that had to be prepared first would be sent after those that are meant to follow it.
pub(crate) struct Pools {
    work: Pool,
    intake: Pool,
    record: Pool,
    broken: watch::Sender<Option<String>>,
}

/// Connections, who hears that what they read is broken, and their warnings.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: deadpool_postgres::Pool,
    broken: watch::Sender<Option<String>>,
    warnings: Warnings,
}

/// The statements that the writers' connections prepare when they are opened.
#[derive(Clone, Copy)]
pub(crate) struct WriterStatements {
    pub(crate) intake: fn() -> Vec<&'static str>,
    pub(crate) record: fn() -> Vec<&'static str>,
}

impl Pools {
    pub(crate) fn new(
        config: &tokio_postgres::Config,
        tls: &MakeRustlsConnect,
        statements: WriterStatements,
    ) -> Result<Self, deadpool_postgres::BuildError> {
        let (broken, _) = watch::channel(None);
        let pool = |size, prepared: fn() -> Vec<&'static str>| {
            let warnings = Warnings::default();
            let connector = Connector {
                tls: tls.clone(),
                warnings: warnings.clone(),
            };
            let manager = Manager::from_connect(
                config.clone(),
                connector,
                ManagerConfig {
                    recycling_method: RecyclingMethod::Fast,
                },
            );
            let connections = deadpool_postgres::Pool::builder(manager)
                .max_size(size)
                .timeouts(Timeouts {
                    wait: Some(CONNECT_LIMIT),
                    create: Some(CONNECT_LIMIT),
                    recycle: Some(CONNECT_LIMIT),
                })
                .runtime(Runtime::Tokio1)
                .post_create(Hook::async_fn(
                    move |client: &mut deadpool_postgres::ClientWrapper, _| {
                        Box::pin(async move {
                            client
                                .batch_execute(SETTINGS)
                                .await
                                .map_err(HookError::Backend)?;
                            let client = &*client;
                            let prepared =
                                prepared().into_iter().map(|sql| client.prepare_cached(sql));
                            let prepared = try_join_all(prepared).await;
                            prepared.map(drop).map_err(HookError::Backend)
                        })
                    },
                ))
                .build()?;
            let broken = broken.clone();
            Ok(Pool {
                connections,
                broken,
                warnings,
            })
        };
        Ok(Self {
            work: pool(WORKERS, Vec::new)?,
            intake: pool(1, statements.intake)?,
            record: pool(1, statements.record)?,
            broken,
        })
    }

    /// Whether a query met what is broken in the database.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.borrow().is_some()
    }

    /// Waits until a query meets what is broken in the database, and says what in a sentence.
    pub(crate) async fn met_broken(&self) -> String {
        let mut broken = self.broken.subscribe();
        let found = broken.wait_for(Option::is_some).await;
        match found.ok().and_then(|found| found.clone()) {
            Some(reason) => reason,
            // The sender is here.
            None => std::future::pending().await,
        }
    }

    /// Makes the writers' connections.
    pub(crate) async fn open_writers(&self) -> Result<(), StoreError> {
        for pool in [&self.intake, &self.record] {
            Connection::of(pool).await?.done()?;
        }
        Ok(())
    }

    pub(crate) const fn work(&self) -> &Pool {
        &self.work
    }

    pub(crate) const fn intake(&self) -> &Pool {
        &self.intake
    }

    pub(crate) const fn record(&self) -> &Pool {
        &self.record
    }
}

/// Every query here uses an index; the planner gets no choice, since it may not know yet how large a table has grown.
/// No transaction may hold a lock for long, least of all one whose client was stopped in the middle.
const SETTINGS: &str = "SET synchronous_commit = on; SET jit = off; SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET statement_timeout = '1500ms'; SET lock_timeout = '1200ms';
    SET idle_in_transaction_session_timeout = '1s'; SET default_transaction_isolation = 'read committed'";

/// A connection in use. Unless it is returned to the pool, it is closed: something may still be under way on it.
pub(crate) struct Connection {
    object: Option<Object>,
    broken: watch::Sender<Option<String>>,
    warnings: Warnings,
    /// How many warnings there were before it was used.
    warnings_before: u64,
}

impl Connection {
    pub(crate) async fn of(pool: &Pool) -> Result<Self, StoreError> {
        let object = pool.connections.get().await.map_err(no_connection)?;
        Ok(Self {
            object: Some(object),
            broken: pool.broken.clone(),
            warnings: pool.warnings.clone(),
            warnings_before: pool.warnings.count(),
        })
    }

    /// What an error means for the caller. An error of a broken database also ends the service.
    fn meaning(&self, error: tokio_postgres::Error) -> StoreError {
        let meaning = meaning(error);
        if let StoreError::Fatal(reason) = &meaning {
            self.broken.send_replace(Some(fatal(reason)));
        }
        meaning
    }

    fn client(&self) -> Result<&Object, StoreError> {
        self.object.as_ref().ok_or(StoreError::Stopped)
    }

    /// The rows of a query.
    pub(crate) async fn rows(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let client = self.client()?;
        let statement = client
            .prepare_cached(sql)
            .await
            .map_err(|error| self.meaning(error))?;
        let rows = client
            .query(&statement, parameters)
            .await
            .map_err(|error| self.meaning(error))?;
        Ok(rows.into_iter().map(Row::from).collect())
    }

    /// The first row of a query, if there is one.
    pub(crate) async fn row(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, parameters).await?.into_iter().next())
    }

    /// Runs a statement; says how many rows it touched.
    pub(crate) async fn run(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<u64, StoreError> {
        let client = self.client()?;
        let statement = client
            .prepare_cached(sql)
            .await
            .map_err(|error| self.meaning(error))?;
        client
            .execute(&statement, parameters)
            .await
            .map_err(|error| self.meaning(error))
    }

    /// Sends rows to a `COPY … FROM STDIN`.
    pub(crate) async fn copy_in(&self, sql: &str, rows: String) -> Result<(), StoreError> {
        let sink = self.client()?.copy_in::<_, Bytes>(sql).await;
        let mut sink = pin!(sink.map_err(|error| self.meaning(error))?);
        let mut rows = Bytes::from(rows);
        // In pieces: a message of PostgreSQL's has less than a gigabyte.
        while !rows.is_empty() {
            let piece = rows.split_to(COPIED_AT_ONCE.min(rows.len()));
            let sent = sink.send(piece).await;
            sent.map_err(|error| self.meaning(error))?;
        }
        let stored = sink.finish().await;
        stored.map(drop).map_err(|error| self.meaning(error))
    }

    /// The rows that a `COPY … TO STDOUT` writes.
    pub(crate) async fn copy_out(&self, sql: &str) -> Result<String, StoreError> {
        let rows = self.client()?.copy_out(sql).await;
        let rows = rows.map_err(|error| self.meaning(error))?;
        let parts: Vec<Bytes> = rows
            .try_collect()
            .await
            .map_err(|error| self.meaning(error))?;
        String::from_utf8(parts.concat())
            .map_err(|_bytes| StoreError::Unavailable("PostgreSQL sent no UTF-8".into()))
    }

    /// Runs a statement without parameters or rows, such as the beginning of a transaction.
    pub(crate) async fn command(&self, sql: &str) -> Result<(), StoreError> {
        self.client()?
            .batch_execute(sql)
            .await
            .map_err(|error| self.meaning(error))
    }

    /// Returns the connection to the pool: nothing is under way on it. Fails where PostgreSQL warned of a commit, on this connection or
    /// on another of the pool: it is not known whether the standby has it.
    pub(crate) fn done(mut self) -> Result<(), StoreError> {
        drop(self.object.take());
        if self.warnings.count() == self.warnings_before {
            return Ok(());
        }
        let what = "PostgreSQL committed without waiting for its standby";
        Err(StoreError::Unavailable(what.into()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}

/// Bounds how long something may take.
pub(crate) async fn within<T>(
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    time::timeout(USE_LIMIT, work)
        .await
        .unwrap_or_else(|_late| {
            let text = format!("PostgreSQL did not answer within {USE_LIMIT:?}");
            Err(StoreError::Unavailable(text.into()))
        })
}

// By primary key.
const LOCKED_VERSION: &str = "SELECT version FROM identity WHERE one = 1 FOR UPDATE";

/// A transaction. Unless it is committed, closing its connection rolls it back.
pub(crate) struct Change {
    connection: Connection,
    /// On whose behalf.
    mandate: Mandate,
}

impl Change {
    pub(crate) async fn rows(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        within(self.connection.rows(sql, parameters)).await
    }

    pub(crate) async fn row(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Option<Row>, StoreError> {
        within(self.connection.row(sql, parameters)).await
    }

    pub(crate) async fn run(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<u64, StoreError> {
        within(self.connection.run(sql, parameters)).await
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Waits until no group of alerts is under way, and lets none begin before the end of this transaction.
    pub(crate) async fn block_intake(&self) -> Result<(), StoreError> {
        self.row(NUMBERING, &[]).await.map(drop)
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        within(self.connection.command("COMMIT")).await?;
        self.connection.done()
    }

    /// On whose behalf it is made.
    pub(crate) const fn mandate(&self) -> &Mandate {
        &self.mandate
    }

    /// Ends it where nothing was changed.
    pub(crate) async fn nothing<T>(self, answer: T) -> Result<T, StoreError> {
        self.commit().await.map(|()| answer)
    }
}

impl PostgresStore {
    /// Reads, each query in a snapshot of its own.
    pub(crate) async fn read<T>(
        &self,
        read: impl AsyncFnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        within(async {
            let connection = Connection::of(&self.shared.pools.work).await?;
            let read = read(&connection).await?;
            connection.done()?;
            Ok(read)
        })
        .await
    }

    /// Begins a change of what people configure. All replicas together make one at a time: what it finds stays true
    /// until it is committed.
    pub(crate) async fn change(&self) -> Result<Change, StoreError> {
        let change = self.step().await?;
        if self.mandate.identity_version.is_none() {
            change.row(LOCKED_VERSION, &[]).await?;
        }
        Ok(change)
    }

    /// Begins a transaction beside others; for a caller who was authorised, only while that still holds.
    pub(crate) async fn step(&self) -> Result<Change, StoreError> {
        let change = within(async {
            let connection = Connection::of(&self.shared.pools.work).await?;
            connection.command("BEGIN").await?;
            let mandate = self.mandate.clone();
            Ok(Change {
                connection,
                mandate,
            })
        })
        .await?;
        let Some(at_identity_version) = self.mandate.identity_version else {
            return Ok(change);
        };
        let found = change.row(LOCKED_VERSION, &[]).await?;
        let version: Option<i64> = found.map(|row| row.at(0)).transpose()?;
        if version != Some(at_identity_version) {
            change.nothing(()).await?;
            return Err(StoreError::Stale);
        }
        Ok(change)
    }
}
