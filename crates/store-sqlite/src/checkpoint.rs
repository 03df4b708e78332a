//! Moving the log into the database beside the writer, so that no commit has to.
//!
//! A thread of its own moves the bulk while the writer goes on. The writer then moves the little that was committed
//! meanwhile: once nothing is left, SQLite writes the log from its beginning again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::watch;

use crate::{cut_log::WatchedLog, file::DatabaseFile, log_loss::LogUse, thread_watch::ThreadWatch};

/// The log is moved after this many changed rows; a thousand rows make about a megabyte.
const EVERY_ROWS: u64 = 12_000;
/// If this many rows changed while the bulk was moved, they are too many for the writer: the bulk is moved again first.
const LITTLE_ROWS: u64 = 4_000;

/// How often the files of the database are checked for being replaced, removed or cut short.
const LOOK_EVERY: Duration = Duration::from_millis(500);

const MOVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// How far the move of the bulk is.
const NOT_ASKED: u8 = 0;
const UNDER_WAY: u8 = 1;
const MOVED: u8 = 2;

/// The writer's side of it.
pub(crate) struct Checkpoint {
    ask: mpsc::SyncSender<()>,
    bulk: Arc<AtomicU8>,
    /// How many rows had changed when the log was last moved, and when the last move of its bulk began.
    finished_at: u64,
    asked_at: u64,
}

impl Checkpoint {
    /// Starts the thread. It ends with the writer.
    pub(crate) fn start(
        file: &DatabaseFile,
        log_use: LogUse,
        failed: watch::Sender<Option<String>>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let (connection, files) = (Connection::open(file.path())?, file.watched());
        connection.execute_batch(
            "PRAGMA busy_timeout=0; PRAGMA synchronous=FULL; PRAGMA cache_size=-256",
        )?;
        log_use.of(&connection)?;
        let log = WatchedLog::of(file.path(), &connection)?;
        let (ask, asked) = mpsc::sync_channel(1);
        let bulk = Arc::new(AtomicU8::new(NOT_ASKED));
        let state = Arc::clone(&bulk);
        thread::Builder::new()
            .name("sqlite-checkpoint".to_owned())
            .spawn(move || {
                let watching = failed.clone();
                let _watched = ThreadWatch::new("the thread that moves the log", failed);
                loop {
                    match asked.recv_timeout(LOOK_EVERY) {
                        Ok(()) => {
                            // If it fails, there is no room or another program does the same: the next one moves more.
                            drop(connection.execute_batch(MOVE));
                            state.store(MOVED, Ordering::Release);
                        }
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                    let happened = files.what_happened();
                    if let Some(happened) = happened.or_else(|| log.what_happened(&connection)) {
                        watching.send_replace(Some(happened));
                        return;
                    }
                }
            })?;
        Ok(Self {
            ask,
            bulk,
            finished_at: 0,
            asked_at: 0,
        })
    }

    /// Called by the writer after a commit, outside of any transaction.
    pub(crate) fn after_commit(&mut self, connection: &Connection) {
        let rows = connection.total_changes();
        match self.bulk.load(Ordering::Acquire) {
            NOT_ASKED if rows - self.finished_at < EVERY_ROWS => {}
            MOVED if rows - self.asked_at < LITTLE_ROWS => {
                drop(connection.execute_batch(MOVE));
                self.finished_at = rows;
                self.bulk.store(NOT_ASKED, Ordering::Release);
            }
            NOT_ASKED | MOVED => {
                self.asked_at = rows;
                self.bulk.store(UNDER_WAY, Ordering::Release);
                if self.ask.try_send(()).is_err() {
                    self.bulk.store(NOT_ASKED, Ordering::Release);
                }
            }
            _ => {}
        }
    }
}
