//! Removes old history, and the oldest of spaces that store too much, and writes down what has ended: in small steps; other writes get
//! through in between.

use std::{collections::HashMap, sync::Arc, time::Duration};

use alert_connectors_api::Quotas;
use alert_connectors_model::{Clock, SpaceId};
use alert_connectors_store::{Progress, Store, StoreError, Tidied, Tidying};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

/// How often a round begins.
const EVERY: Duration = Duration::from_secs(10);
/// The pause after each step, in which others write.
const PAUSE: Duration = Duration::from_millis(20);

/// A round makes at most this many steps in one space, of 100 alerts each, which is a second or two.
const STEPS_A_ROUND: usize = 50;

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
        let mut walks = HashMap::new();
        loop {
            tokio::select! {
                // Cancelled between two steps, or during one, which the store then commits or not.
                () = self.round(&mut walks) => {}
                () = stopping.cancelled() => return,
            }
            // A space that is not done yet goes on at once.
            let pause = if walks.is_empty() { EVERY } else { PAUSE };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    /// Tidies, and makes some room in each space that stores too much. `walks` is how far it has come in those that are not done.
    async fn round(&self, walks: &mut HashMap<SpaceId, i64>) {
        said(self.tidy().await);
        let storages = match self.store.storages().await {
            Ok(storages) => storages,
            Err(error) => {
                walks.clear();
                return said(Err(error));
            }
        };
        walks.retain(|id, _| storages.iter().any(|(space, _)| space.id == *id));
        for (space, storage) in storages {
            let bytes_max = self.quotas.of(&space).stored_bytes;
            let bytes_max = bytes_max.map_or(u64::MAX, std::num::NonZeroU64::get);
            let mut after = walks.remove(&space.id).unwrap_or(0);
            // What was full may have got a larger limit.
            if storage.bytes <= bytes_max && !storage.is_full {
                continue;
            }
            match self.make_room(space.id, bytes_max, &mut after).await {
                Ok(true) => {}
                Ok(false) => drop(walks.insert(space.id, after)),
                Err(error) => said(Err(error)),
            }
        }
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

    /// Goes on with a space for some steps, so that it does not hold up the others. Returns whether it is done.
    async fn make_room(
        &self,
        space: SpaceId,
        bytes_max: u64,
        after: &mut i64,
    ) -> Result<bool, StoreError> {
        for _ in 0..STEPS_A_ROUND {
            let Some(further) = self.store.make_room(space, bytes_max, *after).await? else {
                return Ok(true);
            };
            *after = further;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    }
}

/// Says what could not be done now. The next round tries again.
fn said(done: Result<(), StoreError>) {
    if let Err(error) = done {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "old history can't be removed now"
        );
    }
}
