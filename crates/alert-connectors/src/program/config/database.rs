//! Which database, and which key file.

use std::path::PathBuf;

use alert_connectors::DatabaseUrl;

use super::{Faults, Layers};

/// The default database.
pub(crate) const DATABASE_URL_DEFAULT: &str = "sqlite://data/alert-connectors.db";

/// The database and its key file.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseConfig {
    /// Where it is.
    pub(crate) url: DatabaseUrl,
    /// The secret key file.
    pub(crate) key_file: PathBuf,
}

impl DatabaseConfig {
    /// Reads the database settings from the layers.
    pub(crate) fn parse(layers: &Layers, faults: &mut Faults) -> Self {
        let (url, origin) = layers
            .one("database-url")
            .unwrap_or((DATABASE_URL_DEFAULT, "default"));
        let url = DatabaseUrl::parse(url).unwrap_or_else(|fault| {
            faults.add(origin, "database-url", &fault);
            DatabaseUrl::Sqlite(PathBuf::new())
        });
        let named = layers
            .one("secret-key-file")
            .map(|(file, _)| PathBuf::from(file));
        let key_file = named.or_else(|| url.default_key_file()).unwrap_or_else(|| {
            let what = "must be named with PostgreSQL, since all replicas share it; `alert-connectors key new FILE` makes one";
            faults.add("default", "secret-key-file", what);
            PathBuf::new()
        });
        Self { url, key_file }
    }
}
