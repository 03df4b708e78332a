//! The PostgreSQL store against the suite of every store, and what is its own.

#![expect(clippy::unwrap_used, reason = "tests")]

mod copying;
mod database;
mod failures;
mod inspection;
mod leases;
mod plans;
mod replicas;
mod zones;

use database::Database;

use alert_connectors_store::conformance::Opened;
use std::sync::Arc;

async fn open() -> Opened {
    let database = Database::make();
    let store = database.open().await;
    Opened {
        store: Arc::new(store),
        keep: Box::new(database),
    }
}

alert_connectors_store::conformance!(open);
