//! Connections that only read, beside the writer. WAL lets them see the last commit without waiting for the next.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use alert_connectors_store::StoreError;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::{
    SqliteStore,
    error::{fatal, meaning},
    log_loss::LogUse,
    open::keep_plans,
};

/// Reads that may run at once.
const READERS: usize = 3;

#[derive(Clone)]
pub(crate) struct Readers {
    free: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn open(path: &Path, log_use: LogUse) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connect = |_| {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.execute_batch(
                "PRAGMA query_only=ON; PRAGMA busy_timeout=5000; PRAGMA cache_size=-1024",
            )?;
            log_use.of(&connection)?;
            keep_plans(&connection)?;
            connection.set_prepared_statement_cache_capacity(64);
            Ok(connection)
        };
        let connections: Vec<Connection> =
            (0..READERS).map(connect).collect::<rusqlite::Result<_>>()?;
        Ok(Self {
            free: Arc::new(Mutex::new(connections)),
            permits: Arc::new(Semaphore::new(READERS)),
        })
    }
}

impl SqliteStore {
    /// Reads in one snapshot, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.shared.readers.clone();
        let permit = Arc::clone(&readers.permits)
            .acquire_owned()
            .await
            .map_err(|_closed| StoreError::Stopped)?;
        let work = move || {
            let _permit = permit;
            let free = || readers.free.lock().unwrap_or_else(PoisonError::into_inner);
            let connection = free().pop().ok_or(StoreError::Stopped)?;
            let outcome = in_snapshot(&connection, read);
            free().push(connection);
            outcome
        };
        let read = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| StoreError::Unavailable(error.into()))?;
        if let Err(StoreError::Fatal(reason)) = &read {
            // What one reader meets, others and the writer will meet as well.
            self.shared.failed.send_replace(Some(fatal(reason)));
        }
        read
    }
}

fn in_snapshot<T>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = connection.unchecked_transaction().map_err(meaning)?;
    let outcome = read(&transaction);
    transaction.finish().map_err(meaning)?;
    outcome
}
