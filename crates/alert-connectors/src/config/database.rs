//! Which database, and which key file.

use std::path::{Path, PathBuf};

use super::{Faults, Layers};

/// Where the database is when nothing is said.
pub(crate) const DATABASE_URL_DEFAULT: &str = "sqlite://data/alert-connectors.db";

/// The database and its key file.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseConfig {
    /// The SQLite file.
    pub(crate) path: PathBuf,
    /// The secret key file.
    pub(crate) key_file: PathBuf,
}

impl DatabaseConfig {
    /// Reads what the layers say of it.
    pub(crate) fn parse(layers: &Layers, faults: &mut Faults) -> Self {
        let (url, origin) = layers
            .one("database-url")
            .unwrap_or((DATABASE_URL_DEFAULT, "default"));
        let path = match url.strip_prefix("sqlite://") {
            Some("") => {
                faults.add(origin, "database-url", "a path must follow sqlite://");
                PathBuf::new()
            }
            Some(path) => PathBuf::from(path),
            None => {
                faults.add(
                    origin,
                    "database-url",
                    "this version knows only sqlite:// and a path",
                );
                PathBuf::new()
            }
        };
        let key_file = layers
            .one("secret-key-file")
            .map_or_else(|| beside(&path), |(file, _)| PathBuf::from(file));
        Self { path, key_file }
    }
}

fn beside(path: &Path) -> PathBuf {
    path.with_file_name("secret.key")
}
