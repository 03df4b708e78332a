//! How many connections of callers are open at once: where there is no room, the one that is idle the longest gives way.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::seldom::Seldom;

/// The connections that are open. Clones share it.
#[derive(Clone)]
pub(super) struct Admission(Arc<Inner>);

struct Inner {
    free: Arc<Semaphore>,
    idle: Mutex<Idle>,
    closed: Seldom,
}

/// The connections that wait for a request or for their client to read, by the time since when.
#[derive(Default)]
struct Idle {
    since: BTreeMap<(Instant, u64), CancellationToken>,
    /// Tells connections apart that became idle at the same time.
    next: u64,
}

impl Admission {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Inner {
            free: Arc::new(Semaphore::new(most)),
            idle: Mutex::default(),
            closed: Seldom::default(),
        }))
    }

    /// The right to hold a connection open. It waits where every connection is busy.
    pub(super) async fn admit(&self) -> Option<Admitted> {
        let free = Arc::clone(&self.0.free);
        let permit = match Arc::clone(&free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_full) => {
                self.close_the_longest_idle();
                free.acquire_owned().await.ok()?
            }
        };
        let admitted = Admitted {
            admission: self.clone(),
            closing: CancellationToken::new(),
            place: Mutex::default(),
            _permit: permit,
        };
        admitted.is_idle();
        Some(admitted)
    }

    fn close_the_longest_idle(&self) {
        if let Some((_, closing)) = self.idle().since.pop_first() {
            closing.cancel();
        }
        if let Some(count) = self.0.closed.count() {
            tracing::warn!(
                count,
                "all connections for callers are taken; the longest idle ones are closed for new ones"
            );
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is open.
pub(super) struct Admitted {
    admission: Admission,
    closing: CancellationToken,
    place: Mutex<Option<(Instant, u64)>>,
    _permit: OwnedSemaphorePermit,
}

impl Admitted {
    /// Waits until the connection is to give way.
    pub(super) async fn gives_way(&self) {
        self.closing.cancelled().await;
    }

    /// A request is worked on.
    pub(super) fn is_busy(&self) {
        if let Some(place) = self.place().take() {
            self.admission.idle().since.remove(&place);
        }
    }

    /// The next request, or the reading of the answer, is up to the client.
    pub(super) fn is_idle(&self) {
        let mut idle = self.admission.idle();
        idle.next += 1;
        let place = (Instant::now(), idle.next);
        idle.since.insert(place, self.closing.clone());
        if let Some(before) = self.place().replace(place) {
            idle.since.remove(&before);
        }
    }

    fn place(&self) -> MutexGuard<'_, Option<(Instant, u64)>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.is_busy();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_idle_gives_way_and_the_busy_do_not() {
        let admission = Admission::new(3);
        let busy = admission.admit().await.unwrap();
        let first = admission.admit().await.unwrap();
        let second = admission.admit().await.unwrap();
        busy.is_busy();
        first.is_busy();
        // It is idle for a shorter time than the second by now.
        first.is_idle();
        let (fourth, ()) = tokio::join!(admission.admit(), async {
            second.gives_way().await;
            drop(second);
        });
        let _fourth = fourth.unwrap();
        assert!(!busy.closing.is_cancelled() && !first.closing.is_cancelled());
        let (admitted, ()) = tokio::join!(admission.admit(), async {
            first.gives_way().await;
            drop(first);
        });
        assert!(admitted.is_some());
    }
}
