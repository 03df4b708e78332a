//! Which database, and which key file.

use std::path::{Path, PathBuf};

use alert_connectors_store_postgres::PostgresUrl;

use super::{Faults, Layers};

/// Where the database is when nothing is said.
pub(crate) const DATABASE_URL_DEFAULT: &str = "sqlite://data/alert-connectors.db";

/// The database and its key file.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseConfig {
    /// Where it is.
    pub(crate) place: DatabasePlace,
    /// The secret key file.
    pub(crate) key_file: PathBuf,
}

/// Where a database is.
#[derive(Debug, Clone)]
pub(crate) enum DatabasePlace {
    /// In a SQLite file.
    Sqlite(PathBuf),
    /// On a PostgreSQL server.
    Postgres(Box<PostgresUrl>),
}

impl DatabaseConfig {
    /// Reads what the layers say of it.
    pub(crate) fn parse(layers: &Layers, faults: &mut Faults) -> Self {
        let (url, origin) = layers
            .one("database-url")
            .unwrap_or((DATABASE_URL_DEFAULT, "default"));
        let place = place(url).unwrap_or_else(|fault| {
            faults.add(origin, "database-url", &fault);
            DatabasePlace::Sqlite(PathBuf::new())
        });
        let named = layers
            .one("secret-key-file")
            .map(|(file, _)| PathBuf::from(file));
        let key_file = named.unwrap_or_else(|| match &place {
            DatabasePlace::Sqlite(path) => beside(path),
            DatabasePlace::Postgres(_) => {
                let what = "must be named with PostgreSQL, since all replicas share it; `alert-connectors key new FILE` makes one";
                faults.add("default", "secret-key-file", what);
                PathBuf::new()
            }
        });
        Self { place, key_file }
    }
}

fn place(url: &str) -> Result<DatabasePlace, String> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return PostgresUrl::parse(url)
            .map(Box::new)
            .map(DatabasePlace::Postgres);
    }
    match url.strip_prefix("sqlite://") {
        Some("") => Err("a path must follow sqlite://".to_owned()),
        Some(path) => Ok(DatabasePlace::Sqlite(PathBuf::from(path))),
        None => Err("must be sqlite:// and a path, or a postgres:// address".to_owned()),
    }
}

fn beside(path: &Path) -> PathBuf {
    path.with_file_name("secret.key")
}
