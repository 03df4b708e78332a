#![doc = include_str!("../README.md")]
#![warn(clippy::wildcard_enum_match_arm)] // A new state must be decided everywhere.

mod alerts;
mod asked;
mod audit;
mod connection;
mod connectors;
mod copying;
mod counts;
mod deliveries;
mod destination_health;
mod digest_batch;
mod error;
mod history;
mod inspection;
mod intake;
mod leases;
mod listen;
mod open;
mod openings;
mod pauses;
mod queue;
mod record;
mod row;
mod sign_of_life;
mod sources;
mod spaces;
mod storage;
mod stored_bytes;
mod upkeep;
mod url;
mod users;
mod warnings;
mod writer;
mod zones;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU64},
};

use alert_connectors_store::{
    GroupMeters, KeyFileError, Mandate, Sealing, Store, StoreError, StoreEvent,
};
use alert_connectors_tasks::Tasks;
use tokio::sync::{Mutex, mpsc};
use uuid::Uuid;

pub use copying::Copying;
pub use open::{OpenError, OpenOptions};
pub use url::PostgresUrl;

use crate::{
    connection::Pools, intake::Job, listen::RelayedReceiver, sign_of_life::SignOfLife,
    writer::Writer,
};

/// A PostgreSQL database in use. Clones share it.
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
    /// On whose behalf this handle changes something.
    mandate: Mandate,
}

struct Shared {
    pools: Pools,
    writer: Writer,
    meters: GroupMeters,
    sealing: Arc<Sealing>,
    looks: Looks,
    /// Names this replica.
    replica: Uuid,
    sign_of_life: Arc<SignOfLife>,
    event_sender: mpsc::Sender<Vec<StoreEvent>>,
    events: Mutex<mpsc::Receiver<Vec<StoreEvent>>>,
    relayed: Mutex<RelayedReceiver>,
    tasks: Tasks,
    /// Whether each commit must wait for a standby.
    requires_standby: bool,
}

/// Whether commits wait for a standby; with one that is away, they don't end.
const WAITS_FOR_STANDBY: &str = "SELECT current_setting('synchronous_standby_names') <> ''";

/// How far this replica has polled for what others queued.
#[derive(Default)]
struct Looks {
    count: AtomicU64,
    /// The next place in the order of deliveries at the last look.
    next_delivery: AtomicI64,
    /// Whether no other replica was seen lately.
    is_alone: AtomicBool,
}

impl PostgresStore {
    /// The same store for what follows from a change by itself.
    fn for_itself(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            mandate: Mandate::default(),
        }
    }

    /// What the writers count.
    pub fn meters(&self) -> &GroupMeters {
        &self.shared.meters
    }

    /// Sends events to the engine. In a command, no engine receives them.
    async fn emit(&self, events: Vec<StoreEvent>) {
        if !events.is_empty() {
            drop(self.shared.event_sender.send(events).await);
        }
    }
}

#[async_trait::async_trait]
impl Store for PostgresStore {
    fn on_behalf(&self, mandate: Mandate) -> Arc<dyn Store> {
        Arc::new(Self {
            shared: Arc::clone(&self.shared),
            mandate,
        })
    }

    async fn check(&self) -> Result<(), StoreError> {
        if self.shared.pools.is_broken() {
            return Err(StoreError::Stopped);
        }
        if self.shared.requires_standby {
            let row = self
                .read(async |connection| connection.row(WAITS_FOR_STANDBY, &[]).await)
                .await?;
            if !row.map(|row| row.at(0)).transpose()?.unwrap_or(false) {
                let what = "no standby is named in synchronous_standby_names of PostgreSQL, and one is required";
                return Err(StoreError::Unavailable(what.into()));
            }
        }
        self.shared.writer.accept((), Job::Check).await
    }

    fn reload_keys(&self) -> Result<(), KeyFileError> {
        self.shared.sealing.reload()
    }

    /// A task that panics fails the store, and a page or an index that the database itself calls broken. A database that is only
    /// away comes back, or is replaced by one that does.
    async fn failed(&self) -> String {
        tokio::select! {
            panicked = self.shared.tasks.failed() => panicked,
            broken = self.shared.pools.met_broken() => broken,
        }
    }
}
