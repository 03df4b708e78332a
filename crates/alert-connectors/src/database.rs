//! The database that a URL names, in use.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use alert_connectors_store::{Store, Use};
use alert_connectors_store_postgres::{PostgresStore, PostgresUrl};
use alert_connectors_store_sqlite::SqliteStore;
use alert_connectors_tasks::Tasks;
use prometheus_client::registry::Registry;

use crate::SystemRandom;

/// Where a database is.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// In a SQLite file.
    Sqlite(PathBuf),
    /// On a PostgreSQL server.
    Postgres(Box<PostgresUrl>),
}

impl DatabaseUrl {
    /// Reads `sqlite://` with a path, or a `postgres://` address. The error says what to write.
    pub fn parse(url: &str) -> Result<Self, String> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return PostgresUrl::parse(url).map(Box::new).map(Self::Postgres);
        }
        match url.strip_prefix("sqlite://") {
            Some("") => Err("needs a path after sqlite://".to_owned()),
            Some(":memory:") => {
                Err("must name a file: what is only in memory is lost with the process".to_owned())
            }
            Some(path) if path.contains('?') => {
                Err("takes no parameters after a SQLite path".to_owned())
            }
            Some(path) => Ok(Self::Sqlite(PathBuf::from(path))),
            None => Err("must be sqlite:// and a path, or a postgres:// address".to_owned()),
        }
    }

    /// The default secret key file: `secret.key` beside the SQLite file. PostgreSQL has none: its servers share a file,
    /// which must be named.
    pub fn default_key_file(&self) -> Option<PathBuf> {
        match self {
            Self::Sqlite(path) => Some(path.with_file_name("secret.key")),
            Self::Postgres(_) => None,
        }
    }
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Of a SQLite file.
    #[error(transparent)]
    Sqlite(#[from] alert_connectors_store_sqlite::OpenError),
    /// Of a PostgreSQL server.
    #[error(transparent)]
    Postgres(#[from] alert_connectors_store_postgres::OpenError),
}

/// A database in use.
pub enum Database {
    /// A SQLite file.
    Sqlite(SqliteStore),
    /// A PostgreSQL server.
    Postgres(PostgresStore),
}

impl Database {
    /// Opens it. `used_by` says whether to make a new database and to migrate an old schema. The PostgreSQL store's
    /// tasks run in `tasks`.
    pub async fn open(
        url: &DatabaseUrl,
        key_file: &Path,
        used_by: Use,
        tasks: Tasks,
    ) -> Result<Self, OpenError> {
        let random = Arc::new(SystemRandom::default());
        let key_file = key_file.to_owned();
        match url {
            DatabaseUrl::Sqlite(path) => {
                let opening = alert_connectors_store_sqlite::OpenOptions {
                    path: path.clone(),
                    key_file,
                    used_by,
                    random,
                };
                Ok(Self::Sqlite(SqliteStore::open(opening)?))
            }
            DatabaseUrl::Postgres(url) => {
                let opening = alert_connectors_store_postgres::OpenOptions {
                    url: PostgresUrl::clone(url),
                    key_file,
                    used_by,
                    random,
                    tasks,
                };
                Ok(Self::Postgres(PostgresStore::open(opening).await?))
            }
        }
    }

    /// The store, of either kind.
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// What the database's log lacked when it was opened, in a sentence.
    pub fn log_loss(&self) -> Option<&str> {
        match self {
            Self::Sqlite(store) => store.log_loss(),
            Self::Postgres(_) => None,
        }
    }

    /// Ends the use of the database. With SQLite, moves the log into the file, and returns whether a copy of the file alone is
    /// whole now; what another program reads stays in the log.
    pub async fn close(&self) -> bool {
        match self {
            Self::Sqlite(store) => store.move_log().await,
            Self::Postgres(_) => true,
        }
    }

    /// Registers the store's metrics.
    pub(crate) fn register_meters(&self, registry: &mut Registry) {
        match self {
            Self::Sqlite(store) => store.meters().register(registry),
            Self::Postgres(store) => store.meters().register(registry),
        }
    }
}
