#![doc = include_str!("../README.md")]
#![warn(clippy::wildcard_enum_match_arm)] // A new state must be decided everywhere.

mod alerts;
mod audit;
mod checkpoint;
mod connectors;
mod copying;
mod counts;
mod cut_log;
mod deliveries;
mod destination_health;
mod digest_batch;
mod error;
mod file;
mod fingerprint_key;
mod history;
mod idempotency;
mod inspection;
mod intake;
mod ledger;
mod log_loss;
mod open;
mod openings;
mod order;
mod pauses;
mod plans;
mod queue;
mod reader;
mod row;
mod sources;
mod spaces;
mod storage;
mod stored_bytes;
mod thread_watch;
mod upkeep;
mod users;
mod writer;
mod zones;

use std::sync::Arc;

use alert_connectors_store::{
    GroupMeters, KeyFileError, Mandate, Sealing, Store, StoreError, StoreEvent,
};
use tokio::sync::{Mutex, mpsc, watch};

pub use alert_connectors_store::Use;
pub use open::{OpenError, OpenOptions};

use crate::{file::DatabaseFile, reader::Readers, writer::Writer};

/// A SQLite database in use. Clones share it.
#[derive(Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    /// On whose behalf this handle changes something.
    mandate: Mandate,
}

struct Shared {
    writer: Writer,
    readers: Readers,
    meters: GroupMeters,
    sealing: Arc<Sealing>,
    events: Mutex<mpsc::Receiver<Vec<StoreEvent>>>,
    failed: watch::Sender<Option<String>>,
    /// What was missing of the log when the database was opened.
    log_loss: Option<String>,
    /// Locked for as long as the store is open.
    _file: DatabaseFile,
}

impl SqliteStore {
    /// What was missing of the log when the database was opened, in a sentence.
    pub fn log_loss(&self) -> Option<&str> {
        self.shared.log_loss.as_deref()
    }

    /// The same store for what follows from a change by itself.
    fn for_itself(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            mandate: Mandate::default(),
        }
    }

    /// What the writer counts.
    pub fn meters(&self) -> &GroupMeters {
        &self.shared.meters
    }
}

#[async_trait::async_trait]
impl Store for SqliteStore {
    fn on_behalf(&self, mandate: Mandate) -> Arc<dyn Store> {
        Arc::new(Self {
            shared: Arc::clone(&self.shared),
            mandate,
        })
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.change(|connection, _events| {
            connection.execute("UPDATE identity SET version = version WHERE one = 1", [])?;
            Ok(())
        })
        .await
    }

    fn reload_keys(&self) -> Result<(), KeyFileError> {
        self.shared.sealing.reload()
    }

    async fn failed(&self) -> String {
        let mut failed = self.shared.failed.subscribe();
        let reason = failed.wait_for(Option::is_some).await;
        let reason = reason.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_default()
    }
}
