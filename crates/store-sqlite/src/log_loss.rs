//! Detects that the log was cut, damaged or removed while no program used the database. SQLite itself reads a log as
//! far as it is sound, and says nothing of the rest.
//!
//! Two things remember what the log held, and neither costs a write when an alert is accepted. SQLite keeps the number
//! of committed frames in the `-shm` file, which outlives a killed process but not a power cut. The database itself
//! says that a server uses it, in which file, and on which boot of the machine.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension, config::DbConfig};

use crate::{
    Use,
    file::{DatabaseFile, beside},
};

// By primary key.
const IN_USE: &str = "SELECT value FROM meta WHERE name = 'in_use'";
const SET_IN_USE: &str = "INSERT OR REPLACE INTO meta VALUES ('in_use', ?1)";
const CLEAR_IN_USE: &str = "DELETE FROM meta WHERE name = 'in_use'";
const MOVE_ALL: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
const MOVE_SOME: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// The sizes and places of the log's format (<https://sqlite.org/walformat.html>).
pub(crate) const LOG_HEAD: usize = 32;
pub(crate) const FRAME_HEAD: usize = 24;
/// Pages have at most this many bytes.
const PAGE_MAX: usize = 65_536;
/// The version that the index begins with.
const INDEX_VERSION: u32 = 3_007_000;
/// Two copies of the index's head, and how many frames were moved.
const INDEX_HEAD: usize = 48;
const INDEX_BYTES: usize = 2 * INDEX_HEAD + 4;

/// What the two files beside a database say before it is opened.
pub(crate) struct Evidence {
    log: PathBuf,
    index: Option<Index>,
    frames: Option<Frames>,
}

/// What SQLite knew of the log when it committed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Index {
    committed: u32,
    moved: u32,
    salt: [u8; 8],
}

/// What stands in the log.
struct Frames {
    salt: [u8; 8],
    /// How many are sound, from the beginning on.
    sound: u32,
    /// How many transactions of the same log end after the first frame that is not sound.
    commits_behind: u32,
}

impl Evidence {
    /// Looks at the files. Another program may use the database at the same time.
    pub(crate) fn of(database: &Path) -> Self {
        let (log, index) = (beside(database, "-wal"), beside(database, "-shm"));
        let before = Index::read(&index);
        let frames = Frames::read(&log).ok().flatten();
        // A program that starts the log again says so in the index first.
        let index = before.filter(|before| Index::read(&index) == Some(*before));
        Self { log, index, frames }
    }

    /// What is missing, in a sentence.
    pub(crate) fn loss(
        &self,
        connection: &Connection,
        file: &DatabaseFile,
    ) -> rusqlite::Result<Option<String>> {
        // After a power cut the index is of any age, and a copy of the database has no log to miss.
        let is_same_use = use_of(connection)?.is_some_and(|stored| stored == this_use(file));
        let loss = match (self.index, &self.frames) {
            (Some(index), frames) if is_same_use => index.contradicts(frames.as_ref()),
            (None, None) if is_same_use => Some(Loss::Gone),
            (_, Some(frames)) if frames.commits_behind > 1 => Some(Loss::Broken {
                sound: frames.sound,
                committed: None,
            }),
            _ => None,
        };
        Ok(loss.map(|loss| loss.sentence(&self.log)))
    }
}

fn use_of(connection: &Connection) -> rusqlite::Result<Option<String>> {
    connection
        .query_row(IN_USE, [], |row| row.get(0))
        .optional()
}

/// What becomes of the log when the last connection closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogUse {
    /// It is moved into the database, and its file goes.
    Moves,
    /// It stays: a server uses it, or did so until it was killed. A clean stop moves it, and the next start reports
    /// what is missing.
    Leaves,
}

impl LogUse {
    /// A server notes in the database that it uses it; other programs then leave the log to it.
    pub(crate) fn begin(
        connection: &Connection,
        file: &DatabaseFile,
        used_by: Use,
    ) -> rusqlite::Result<Self> {
        if used_by == Use::Server {
            begin_use(connection, file)?;
        }
        let log_use = match use_of(connection)? {
            Some(_) => Self::Leaves,
            None => Self::Moves,
        };
        log_use.of(connection)?;
        Ok(log_use)
    }

    /// The same for a further connection.
    pub(crate) fn of(self, connection: &Connection) -> rusqlite::Result<()> {
        let leaves = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        connection
            .set_db_config(leaves, self == Self::Leaves)
            .map(drop)
    }
}

/// Says in the database that a server uses it now.
fn begin_use(connection: &Connection, file: &DatabaseFile) -> rusqlite::Result<()> {
    let this_use = this_use(file);
    // Once for the database file itself, and once so that the log is not empty while the database is used. SQLite writes nothing
    // where a row is replaced by the same one, so the row goes in between.
    connection.execute(SET_IN_USE, [&this_use])?;
    move_all(connection)?;
    let again = connection.unchecked_transaction()?;
    again.execute(CLEAR_IN_USE, [])?;
    again.execute(SET_IN_USE, [&this_use])?;
    again.commit()
}

/// Notes that no server uses it any more, and moves the log. Returns whether all of it was moved.
pub(crate) fn end_use(connection: &Connection) -> rusqlite::Result<bool> {
    connection.execute(CLEAR_IN_USE, [])?;
    move_all(connection)
}

/// Where a reader or another program is in the way, some of the log stays.
fn move_all(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row(MOVE_ALL, [], all_moved)
}

/// Moves as much of the log as can be moved without waiting for anybody. Returns whether that was all.
pub(crate) fn move_what_can_be(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row(MOVE_SOME, [], all_moved)
}

/// SQLite answers whether it was in the way of others, how many frames there are, and how many were moved.
fn all_moved(row: &rusqlite::Row<'_>) -> rusqlite::Result<bool> {
    let (was_busy, frames, moved): (bool, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(!was_busy && frames == moved)
}

/// This file, on this boot of the machine.
fn this_use(file: &DatabaseFile) -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{} {file}", boot.trim(), file = file.identity())
}

enum Loss {
    Gone,
    Replaced,
    Broken { sound: u32, committed: Option<u32> },
}

impl Loss {
    fn sentence(&self, log: &Path) -> String {
        let log = log.display();
        let last = "what was accepted last is missing";
        match self {
            Self::Gone => format!(
                "{log} is not there, although the server did not stop cleanly: unless another program moved it into the \
                 database, {last}"
            ),
            Self::Replaced => format!("{log} is not the one that the server wrote: {last}"),
            Self::Broken {
                sound,
                committed: Some(committed),
            } => format!("{log} is sound for {sound} of {committed} pages: {last}"),
            Self::Broken {
                sound,
                committed: None,
            } => format!("{log} is sound for its first {sound} pages only: {last}"),
        }
    }
}

impl Index {
    fn read(path: &Path) -> Option<Self> {
        let mut bytes = [0; INDEX_BYTES];
        File::open(path).ok()?.read_exact(&mut bytes).ok()?;
        let (first, rest) = bytes.split_at(INDEX_HEAD);
        let (second, moved) = rest.split_at(INDEX_HEAD);
        let number = |from: &[u8], at: usize| {
            let bytes = from.get(at..at + 4)?;
            Some(u32::from_ne_bytes(bytes.try_into().ok()?))
        };
        let is_sound =
            first == second && number(first, 0)? == INDEX_VERSION && first.get(12) == Some(&1);
        is_sound.then_some(Self {
            committed: number(first, 16)?,
            moved: number(moved, 0)?,
            salt: first.get(32..40)?.try_into().ok()?,
        })
    }

    fn contradicts(self, frames: Option<&Frames>) -> Option<Loss> {
        let is_moved = self.moved >= self.committed;
        match frames {
            None => (!is_moved).then_some(Loss::Gone),
            Some(frames) if frames.salt != self.salt => (!is_moved).then_some(Loss::Replaced),
            Some(frames) => (frames.sound < self.committed).then_some(Loss::Broken {
                sound: frames.sound,
                committed: Some(self.committed),
            }),
        }
    }
}

impl Frames {
    /// The frames of a log, or nothing if it has none.
    fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut log = BufReader::with_capacity(1 << 20, File::open(path)?);
        let mut head = [0; LOG_HEAD];
        if !fills(&mut log, &mut head)? {
            return Ok(None);
        }
        let word = |at| word(&head, at);
        let (magic, page) = (word(0), word(8) as usize);
        let salt: [u8; 8] = head
            .get(16..24)
            .and_then(|salt| salt.try_into().ok())
            .unwrap_or_default();
        let mut sum = Sum::new(magic & 1 == 1);
        sum.add(head.get(..24).unwrap_or_default());
        let is_log = magic & !1 == 0x377f_0682
            && (512..=PAGE_MAX).contains(&page)
            && sum.is(word(24), word(28));
        let mut found = Self {
            salt,
            sound: 0,
            commits_behind: 0,
        };
        if !is_log {
            return Ok(Some(found));
        }
        let (mut frame, mut is_sound) = (vec![0; FRAME_HEAD + page], true);
        while fills(&mut log, &mut frame)? {
            let is_of_this_log = frame.get(8..16) == Some(&salt[..]);
            if is_sound {
                sum.add(frame.get(..8).unwrap_or_default());
                sum.add(frame.get(FRAME_HEAD..).unwrap_or_default());
                is_sound = is_of_this_log && sum.is(self::word(&frame, 16), self::word(&frame, 20));
            }
            match is_sound {
                true => found.sound += 1,
                false if is_of_this_log && self::word(&frame, 4) > 0 => found.commits_behind += 1,
                false => {}
            }
        }
        Ok(Some(found))
    }
}

/// Fills a buffer; returns whether the file was long enough.
fn fills(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes
        .get(at..at + 4)
        .and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u32::from_be_bytes)
}

/// The running checksum of a log.
struct Sum {
    is_big_endian: bool,
    one: u32,
    two: u32,
}

impl Sum {
    const fn new(is_big_endian: bool) -> Self {
        Self {
            is_big_endian,
            one: 0,
            two: 0,
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let (pairs, _) = bytes.as_chunks::<8>();
        for [a, b, c, d, e, f, g, h] in pairs.iter().copied() {
            let number = |bytes| {
                if self.is_big_endian {
                    u32::from_be_bytes(bytes)
                } else {
                    u32::from_le_bytes(bytes)
                }
            };
            let (first, second) = (number([a, b, c, d]), number([e, f, g, h]));
            self.one = self.one.wrapping_add(first).wrapping_add(self.two);
            self.two = self.two.wrapping_add(second).wrapping_add(self.one);
        }
    }

    const fn is(&self, one: u32, two: u32) -> bool {
        self.one == one && self.two == two
    }
}
