//! The SQLite store against the suite of every store, and what is its own: locks, keys, a full disk, plans.

#![expect(clippy::unwrap_used, reason = "tests")]

mod files;
mod opening;
mod plans;

use std::sync::Arc;

use alert_connectors_model::SeededRandom;
use alert_connectors_store::conformance::Opened;
use alert_connectors_store_sqlite::{OpenOptions, SqliteStore, Use};

pub(crate) fn opening(folder: &std::path::Path, used_by: Use) -> OpenOptions {
    OpenOptions {
        path: folder.join("test.db"),
        key_file: folder.join("secret.key"),
        used_by,
        random: Arc::new(SeededRandom::new(1)),
    }
}

#[expect(clippy::unused_async, reason = "other stores wait here")]
async fn open() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(opening(folder.path(), Use::Server)).unwrap();
    Opened {
        store: Arc::new(store),
        keep: Box::new(folder),
    }
}

alert_connectors_store::conformance!(open);
