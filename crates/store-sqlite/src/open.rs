//! Opening a database: its folder, its lock, its schema and its key.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use alert_connectors_model::Random;
use alert_connectors_store::{
    GroupMeters, Mandate, Sealing, UnsealError, Use, make_key_file_if_missing,
};
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior};
use tokio::sync::{Mutex, watch};

use crate::{
    Shared, SqliteStore,
    checkpoint::Checkpoint,
    cut_log::{LogLength, WatchedLog},
    file::DatabaseFile,
    fingerprint_key::FINGERPRINT_KEY,
    inspection,
    log_loss::{self, LogUse},
    plans::keep_plans,
    reader::Readers,
    writer::Writer,
};

/// The migrations in their order; a database's `user_version` counts those it has.
const MIGRATIONS: [&str; 12] = [
    include_str!("../migrations/20261123120000_init.sql"),
    include_str!("../migrations/20261123180000_through_anything.sql"),
    include_str!("../migrations/20261126150000_failing_messages.sql"),
    include_str!("../migrations/20261127220000_alert_counts.sql"),
    include_str!("../migrations/20261128060000_alert_revisions.sql"),
    include_str!("../migrations/20261128090000_ingest_sources.sql"),
    include_str!("../migrations/20261128120000_pauses.sql"),
    include_str!("../migrations/20261128160000_connectors_by_space.sql"),
    include_str!("../migrations/20261128220000_audit_entries.sql"),
    include_str!("../migrations/20261128230000_invitations.sql"),
    include_str!("../migrations/20261129130000_stored_bytes.sql"),
    include_str!("../migrations/20261129140000_traces.sql"),
];

/// What to open, and how.
pub struct OpenOptions {
    /// The database file; made with its folder if it is not there and may be made.
    pub path: PathBuf,
    /// The secret key file; made for a database that holds no fingerprint key.
    pub key_file: PathBuf,
    /// Who opens it.
    pub used_by: Use,
    /// Randomness for keys and nonces.
    pub random: Arc<dyn Random>,
}

/// Why a database can't be opened; each in a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server has it.
    #[error("another server is running on {}; there can be one per SQLite file", .0.display())]
    InUse(PathBuf),
    /// SQLite keeps the log beside the name that a file is opened by.
    #[error("{} has several names (hard links), and each would have a log of its own; keep one of them", .0.display())]
    SeveralNames(PathBuf),
    /// It was made by a newer program.
    #[error(
        "{} has schema {found}, this program knows {known}: it was made by a newer version; use that one",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: usize,
        /// The newest that is known here.
        known: usize,
    },
    /// Its schema is older, and only a server or `migrate-schema` changes it.
    #[error(
        "{} has schema {found}, this program knows {known}: start the server once, or run `alert-connectors migrate-schema`",
        path.display()
    )]
    Older {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: usize,
        /// The newest that is known here.
        known: usize,
    },
    /// It is not there, and this command makes none.
    #[error("there is no database at {}; name another one with --database-url, or make it with `user add` or `space add`", .0.display())]
    Missing(PathBuf),
    /// It can't be written.
    #[error("{} is read-only; give this user the right to write it, its -wal and -shm files, and its folder", .0.display())]
    ReadOnly(PathBuf),
    /// It is missing, but something of it is left.
    #[error(
        "{} is not there, but {} is: there was a database. Put it back; or, to make a new one, move {} away",
        path.display(), left.display(), left.display()
    )]
    Lost {
        /// The database.
        path: PathBuf,
        /// What is left of it.
        left: PathBuf,
    },
    /// It is something else.
    #[error("{} is not a SQLite database; name another file or move it away", .0.display())]
    NotADatabase(PathBuf),
    /// Pages of it are broken, so that it can't even be opened.
    #[error(
        "{} is damaged: {found}; restore the last backup, or what `sqlite3 FILE .recover` finds",
        path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite's own check finds first.
        found: String,
    },
    /// The database and the secret key file don't go together.
    #[error(transparent)]
    Sealing(#[from] UnsealError),
    /// A file or folder can't be used.
    #[error("{} can't be used", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database answers with an error.
    #[error("{} can't be opened", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
}

impl SqliteStore {
    /// Opens a database; makes it, and brings its schema up to date, where `used_by` may.
    pub fn open(opening: OpenOptions) -> Result<Self, OpenError> {
        let OpenOptions {
            path,
            key_file,
            used_by,
            random,
        } = opening;
        let file = DatabaseFile::open(&path, &key_file, used_by)?;
        let path = file.path().to_owned();
        let failed = |source| database_error(&path, source);
        let evidence = log_loss::Evidence::of(&path);
        let mut connection = connect(&path).map_err(failed)?;
        migrate(&mut connection, &path, used_by)?;
        let log_loss = evidence.loss(&connection, &file).map_err(failed)?;
        let log_use = LogUse::begin(&connection, &file, used_by).map_err(failed)?;
        let sealing = sealing(&mut connection, &path, &key_file, Arc::clone(&random))?;
        let meters = GroupMeters::default();
        let (failing, _) = watch::channel(None);
        let no_thread = |source| OpenError::Io {
            path: path.clone(),
            source,
        };
        let readers = Readers::start(&path, log_use)
            .map_err(io::Error::other)
            .map_err(no_thread)?;
        let checkpoint = Checkpoint::start(&file, log_use, failing.clone())
            .map_err(io::Error::other)
            .map_err(no_thread)?;
        let log = WatchedLog::of(&path, &connection).map_err(failed)?;
        let (writer, events) = Writer::start(
            connection,
            failing.clone(),
            random,
            meters.clone(),
            checkpoint,
            LogLength::new(log),
            used_by,
        )
        .map_err(no_thread)?;
        let shared = Shared {
            writer,
            readers,
            meters,
            sealing: Arc::new(sealing),
            events: Mutex::new(events),
            failed: failing,
            log_loss,
            _file: file,
        };
        Ok(Self {
            shared: Arc::new(shared),
            mandate: Mandate::default(),
        })
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA busy_timeout=5000; PRAGMA page_size=2048; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;
         PRAGMA cache_size=-4096; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=67108864;",
    )?;
    keep_plans(&connection)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path, used_by: Use) -> Result<(), OpenError> {
    let failed = |source| database_error(path, source);
    let version = |connection: &Connection| {
        connection.query_row("PRAGMA user_version", [], |row| row.get::<_, usize>(0))
    };
    if version(connection).map_err(failed)? == MIGRATIONS.len() {
        return check_writable(connection).map_err(failed);
    }
    // The version is read again under the write lock, since another program may be migrating too.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let found = version(&transaction).map_err(failed)?;
    let Some(missing) = MIGRATIONS.get(found..) else {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: MIGRATIONS.len(),
        });
    };
    if !missing.is_empty() && !used_by.may_migrate(found) {
        return Err(OpenError::Older {
            path: path.to_owned(),
            found,
            known: MIGRATIONS.len(),
        });
    }
    for migration in missing {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction
        .pragma_update(None, "user_version", MIGRATIONS.len())
        .map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// A read-only file opens without complaint, and fails at the first write.
fn check_writable(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .execute("UPDATE identity SET version = version WHERE one = 1", [])
        .map(drop)
}

/// Opens the sealing of webhook URLs. A new database gets its own fingerprint key, which never changes.
fn sealing(
    connection: &mut Connection,
    path: &Path,
    key_file: &Path,
    random: Arc<dyn Random>,
) -> Result<Sealing, OpenError> {
    let failed = |source| database_error(path, source);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let stored: Option<Vec<u8>> = transaction
        .query_row(FINGERPRINT_KEY, [], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    if let Some(stored) = stored {
        let database = path.display().to_string();
        return Ok(Sealing::open_with(&database, key_file, &stored, random)?);
    }
    make_key_file_if_missing(key_file, &*random)?;
    let (sealing, value) = Sealing::make(key_file, random)?;
    transaction
        .execute("INSERT INTO meta VALUES ('fingerprint_key', ?1)", [value])
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(sealing)
}

fn database_error(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => OpenError::ReadOnly(path),
        Some(ErrorCode::NotADatabase) => OpenError::NotADatabase(path),
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged {
            found: inspection::first_findings(&path)
                .unwrap_or_else(|_unreadable| source.to_string()),
            path,
        },
        _ => OpenError::Database { path, source },
    }
}

#[cfg(test)]
mod tests;
