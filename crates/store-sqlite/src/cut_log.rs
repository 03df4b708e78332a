//! Detects that the log was cut short while a server uses it: SQLite reads and writes on, and what stood behind the cut
//! is lost.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use crate::{
    file::beside,
    log_loss::{FRAME_HEAD, LOG_HEAD},
};

// Asks how long the log is, and moves nothing.
const FRAMES: &str = "PRAGMA wal_checkpoint(NOOP)";

/// A log, and the size of its frames.
pub(crate) struct WatchedLog {
    path: PathBuf,
    frame_bytes: u64,
}

/// The length of the log, as the writer left it. The next commit would write behind a cut, and nobody could see it any more.
pub(crate) struct LogLength {
    log: WatchedLog,
    bytes: u64,
}

impl LogLength {
    pub(crate) const fn new(log: WatchedLog) -> Self {
        Self { log, bytes: 0 }
    }

    /// What is wrong, in a sentence, if the log was cut since the last commit.
    pub(crate) fn what_happened(&self, connection: &Connection) -> Option<String> {
        if self.log.bytes() >= self.bytes {
            return None;
        }
        self.log.what_happened(connection)
    }

    /// Remembers the length after a commit.
    pub(crate) fn measure(&mut self) {
        self.bytes = self.log.bytes();
    }
}

/// What SQLite says of the log.
#[derive(PartialEq, Eq)]
struct Frames {
    committed: u64,
    /// How many of them are in the database already.
    moved: u64,
}

impl WatchedLog {
    pub(crate) fn of(database: &Path, connection: &Connection) -> rusqlite::Result<Self> {
        let page_bytes: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        Ok(Self {
            path: beside(database, "-wal"),
            frame_bytes: FRAME_HEAD as u64 + page_bytes,
        })
    }

    fn bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |found| found.len())
    }

    /// What is wrong, in a sentence, if the log ends before its last committed frame.
    pub(crate) fn what_happened(&self, connection: &Connection) -> Option<String> {
        // If it can't be asked, what is wrong shows when the database is used.
        let before = Frames::of(connection).ok()?;
        let found = fs::metadata(&self.path).ok()?.len();
        let needed = LOG_HEAD as u64 + before.committed * self.frame_bytes;
        let is_cut = before.moved < before.committed && found < needed;
        // Another program may move the log and shorten it as it should; the frames are others then.
        let is_cut = is_cut && Frames::of(connection).ok()? == before;
        is_cut.then(|| {
            format!(
                "{} was cut short while the server used it; what was accepted last may be missing, and the next start \
                 says what is",
                self.path.display()
            )
        })
    }
}

impl Frames {
    fn of(connection: &Connection) -> rusqlite::Result<Self> {
        connection.query_row(FRAMES, [], |row| {
            Ok(Self {
                committed: row.get::<_, i64>(1)?.try_into().unwrap_or(0),
                moved: row.get::<_, i64>(2)?.try_into().unwrap_or(0),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_another_program_moves_is_not_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let connection = Connection::open(&path).unwrap();
        let sql = "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE test (x)";
        connection.execute_batch(sql).unwrap();
        let log = WatchedLog::of(&path, &connection).unwrap();
        assert_eq!(log.what_happened(&connection), None);
        let other = Connection::open(&path).unwrap();
        other
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
            .unwrap();
        assert_eq!(fs::metadata(&log.path).unwrap().len(), 0);
        assert_eq!(log.what_happened(&connection), None);
        connection
            .execute_batch("INSERT INTO test VALUES (1)")
            .unwrap();
        assert_eq!(log.what_happened(&connection), None);
        let file = fs::File::options().write(true).open(&log.path).unwrap();
        file.set_len(100).unwrap();
        assert!(log.what_happened(&connection).is_some());
    }
}
