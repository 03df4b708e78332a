//! Threads that only read, each with a connection of its own, beside the writer. WAL lets them see the last commit without waiting
//! for the next.

use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use alert_connectors_store::StoreError;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use crate::{
    SqliteStore,
    error::{Failure, fatal},
    log_loss::LogUse,
    plans::keep_plans,
};

/// Reads that run at once. Each thread keeps some memory that it has used, so there are few.
const READERS: usize = 3;
/// At most this many reads wait for a thread; further callers wait for room in the queue.
const WAITING_MAX: usize = 256;

type Read = Box<dyn FnOnce(&Connection) + Send>;

pub(crate) struct Readers(mpsc::Sender<Read>);

impl Readers {
    /// Starts the threads. They end when the last handle is gone.
    pub(crate) fn start(
        path: &Path,
        log_use: LogUse,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let (reads, waiting) = mpsc::channel(WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..READERS {
            let connection = connect(path, log_use)?;
            let waiting = Arc::clone(&waiting);
            thread::Builder::new()
                .name(format!("sqlite-reader-{number}"))
                .spawn(move || read_all(&connection, &waiting))?;
        }
        Ok(Self(reads))
    }
}

fn connect(path: &Path, log_use: LogUse) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection
        .execute_batch("PRAGMA query_only=ON; PRAGMA busy_timeout=5000; PRAGMA cache_size=-1024")?;
    log_use.of(&connection)?;
    keep_plans(&connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn read_all(connection: &Connection, waiting: &Mutex<mpsc::Receiver<Read>>) {
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        let Some(read) = next else { return };
        // A read that panics ends alone, and its snapshot with it.
        drop(catch_unwind(AssertUnwindSafe(|| read(connection))));
    }
}

impl SqliteStore {
    /// Reads in one snapshot, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let work: Read = Box::new(move |connection| {
            // If the request was given up, no caller waits for the answer.
            if !answer.is_closed() {
                drop(answer.send(in_snapshot(connection, read).map_err(StoreError::from)));
            }
        });
        let asked = self.shared.readers.0.send(work).await;
        asked.map_err(|_ended| StoreError::Stopped)?;
        let read = answered
            .await
            .map_err(|_panicked| StoreError::Unavailable("a read panicked".into()))?;
        if let Err(StoreError::Fatal(reason)) = &read {
            // A fault that one reader meets, the others and the writer will meet too.
            self.shared.failed.send_replace(Some(fatal(reason)));
        }
        read
    }
}

fn in_snapshot<T>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let transaction = connection.unchecked_transaction()?;
    let outcome = read(&transaction);
    transaction.finish()?;
    outcome
}

#[cfg(test)]
mod tests {
    use alert_connectors_model::SeededRandom;
    use alert_connectors_store::Use;

    use super::*;
    use crate::OpenOptions;

    #[tokio::test]
    async fn a_read_that_panics_ends_alone_and_leaves_its_thread_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(OpenOptions {
            path: folder.path().join("test.db"),
            key_file: folder.path().join("secret.key"),
            used_by: Use::Server,
            random: Arc::new(SeededRandom::new(1)),
        })
        .unwrap();
        let count = |connection: &Connection| {
            let sql = "SELECT count(*) FROM spaces";
            connection.query_row(sql, [], |row| row.get(0))
        };
        for _ in 0..2 * READERS {
            let panics = move |connection: &Connection| -> Result<(), Failure> {
                let count: i64 = count(connection)?;
                unreachable!("a bug, in {count}")
            };
            let failed = store.read(panics).await;
            assert!(matches!(failed, Err(StoreError::Unavailable(_))));
        }
        let read = store.read(move |connection| Ok(count(connection)?));
        assert_eq!(read.await.unwrap(), 0_i64);
    }
}
