//! Removes old history, and the oldest of spaces that store too much, and writes down what has ended: in small steps; other writes get
//! through in between.

use std::{sync::Arc, time::Duration};

use alert_connectors_api::Quotas;
use alert_connectors_model::{Clock, SpaceId};
use alert_connectors_store::{Progress, Store, StoreError, Tidied, Tidying};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

/// How often a round begins.
const EVERY: Duration = Duration::from_secs(10);
/// The pause after each step, in which others write.
const PAUSE: Duration = Duration::from_millis(20);

/// What keeps the store within its bounds.
pub(crate) struct Retention {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) retention: SignedDuration,
    pub(crate) audit_retention: SignedDuration,
    pub(crate) quotas: Arc<dyn Quotas>,
}

impl Retention {
    /// Works until the service stops.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        loop {
            tokio::select! {
                // Cancelled between two steps, or during one, which the store then commits or not.
                done = self.round() => if let Err(error) = done {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "old history can't be removed now"
                    );
                },
                () = stopping.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    async fn round(&self) -> Result<(), StoreError> {
        self.tidy().await?;
        for (space, storage) in self.store.storages().await? {
            let bytes_max = self.quotas.of(&space).stored_bytes;
            let bytes_max = bytes_max.map_or(u64::MAX, std::num::NonZeroU64::get);
            // What was full may have got a larger limit.
            if storage.bytes > bytes_max || storage.is_full {
                self.make_room(space.id, bytes_max).await?;
            }
        }
        Ok(())
    }

    async fn tidy(&self) -> Result<(), StoreError> {
        let mut progress = Progress::default();
        loop {
            let rules = Tidying {
                now: self.clock.now(),
                retention: self.retention,
                audit_retention: self.audit_retention,
            };
            match self.store.tidy(rules, progress).await? {
                Tidied::More(further) => progress = further,
                Tidied::Done => return Ok(()),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn make_room(&self, space: SpaceId, bytes_max: u64) -> Result<(), StoreError> {
        let mut after = 0;
        while let Some(further) = self.store.make_room(space, bytes_max, after).await? {
            after = further;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}
