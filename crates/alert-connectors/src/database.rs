//! Opening the database that the configuration names.

use std::sync::Arc;

use alert_connectors_store::Store;
use alert_connectors_store_postgres::{PostgresStore, PostgresUrl};
use alert_connectors_store_sqlite::SqliteStore;
use alert_connectors_tasks::Tasks;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{DatabaseConfig, DatabasePlace},
    lifecycle::doomed,
    system::System,
};

pub(crate) use alert_connectors_store::Use;

/// A database in use.
pub(crate) enum Database {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

impl Database {
    /// Opens it; what may be made or brought up to date is up to who uses it.
    pub(crate) async fn open(config: &DatabaseConfig, used_by: Use) -> anyhow::Result<Self> {
        let random = Arc::new(System::default());
        let key_file = config.key_file.clone();
        match &config.place {
            DatabasePlace::Sqlite(path) => {
                let opening = alert_connectors_store_sqlite::OpenOptions {
                    path: path.clone(),
                    key_file,
                    used_by,
                    random,
                };
                Ok(Self::Sqlite(SqliteStore::open(opening)?))
            }
            DatabasePlace::Postgres(url) => {
                let opening = alert_connectors_store_postgres::OpenOptions {
                    url: PostgresUrl::clone(url),
                    key_file,
                    used_by,
                    random,
                    tasks: Tasks::new(CancellationToken::new(), doomed()),
                };
                Ok(Self::Postgres(PostgresStore::open(opening).await?))
            }
        }
    }

    /// The store, whichever it is.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// What was missing of the database's log when it was opened, in a sentence.
    pub(crate) fn log_loss(&self) -> Option<&str> {
        match self {
            Self::Sqlite(store) => store.log_loss(),
            Self::Postgres(_) => None,
        }
    }

    /// Ends the use of it: on SQLite the log is moved into the file, so that a copy of that alone is whole.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.move_log().await,
            Self::Postgres(_) => {}
        }
    }

    /// Lets a registry show what the store counts.
    pub(crate) fn register_meters(&self, registry: &mut Registry) {
        match self {
            Self::Sqlite(store) => store.meters().register(registry),
            Self::Postgres(store) => store.meters().register(registry),
        }
    }
}
