//! Limits the open connections of callers. When all are taken, one is closed for a new one: a stranger's before a known
//! caller's, and the one that has waited longest first.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use alert_connectors_api::Seldom;

/// The connections that are open. Clones share it.
#[derive(Clone)]
pub(super) struct Admission(Arc<AdmissionState>);

struct AdmissionState {
    free: Arc<Semaphore>,
    yielding: Mutex<Yielding>,
    closed: Seldom,
}

/// The connections that may have to give way, in that order.
#[derive(Default)]
struct Yielding {
    order: BTreeMap<Rank, CancellationToken>,
    /// Distinguishes connections that came to their places at the same time.
    next: u64,
}

/// A place in that order. A connection that works for a known caller has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    used_by: ConnectionUse,
    since: Instant,
    number: u64,
}

/// Whose a connection is, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ConnectionUse {
    /// No valid token was shown on it, and it waits for a request or for its client to read.
    IdleStranger,
    /// No valid token was shown on it, and a request is worked on.
    BusyStranger,
    /// Its caller is known, and it waits for the next request or for its client to read.
    IdleCaller,
}

impl Admission {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(AdmissionState {
            free: Arc::new(Semaphore::new(most)),
            yielding: Mutex::default(),
            closed: Seldom::default(),
        }))
    }

    /// Returns the right to hold a connection open. Waits while every connection works for a known caller.
    pub(super) async fn admit(&self) -> Option<Admitted> {
        let free = Arc::clone(&self.0.free);
        let permit = match Arc::clone(&free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_full) => {
                self.close_one();
                free.acquire_owned().await.ok()?
            }
        };
        let admitted = Admitted {
            admission: self.clone(),
            closing: CancellationToken::new(),
            state: Mutex::default(),
            _permit: permit,
        };
        admitted.is_idle();
        Some(admitted)
    }

    fn close_one(&self) {
        if let Some((_, closing)) = self.yielding().order.pop_first() {
            closing.cancel();
        }
        if let Some(count) = self.0.closed.count() {
            tracing::warn!(
                count,
                "all connections for callers are taken; new ones close those of strangers and the longest idle ones"
            );
        }
    }

    fn yielding(&self) -> MutexGuard<'_, Yielding> {
        self.0
            .yielding
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is open.
pub(super) struct Admitted {
    admission: Admission,
    closing: CancellationToken,
    state: Mutex<State>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Default)]
struct State {
    is_known: bool,
    is_busy: bool,
    place: Option<Rank>,
}

impl State {
    fn used_by(&self) -> Option<ConnectionUse> {
        match (self.is_known, self.is_busy) {
            (false, false) => Some(ConnectionUse::IdleStranger),
            (false, true) => Some(ConnectionUse::BusyStranger),
            (true, false) => Some(ConnectionUse::IdleCaller),
            (true, true) => None,
        }
    }
}

impl Admitted {
    /// Waits until the connection has to give way.
    pub(super) async fn gives_way(&self) {
        self.closing.cancelled().await;
    }

    /// A request is worked on.
    pub(super) fn is_busy(&self) {
        self.becomes(|state| state.is_busy = true);
    }

    /// Its caller has shown a valid token.
    pub(super) fn is_known(&self) {
        self.becomes(|state| state.is_known = true);
    }

    /// The next request, or the reading of the answer, is up to the client.
    pub(super) fn is_idle(&self) {
        self.becomes(|state| state.is_busy = false);
    }

    fn becomes(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let mut yielding = self.admission.yielding();
        if let Some(before) = state.place.take() {
            yielding.order.remove(&before);
        }
        state.place = state.used_by().map(|used_by| {
            yielding.next += 1;
            let place = Rank {
                used_by,
                since: Instant::now(),
                number: yielding.next,
            };
            yielding.order.insert(place, self.closing.clone());
            place
        });
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = state.place.take() {
            self.admission.yielding().order.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the connections had to give way to a new one.
    async fn who_gives_way(admission: &Admission, connections: &mut Vec<Admitted>) -> usize {
        let (admitted, gone) = tokio::join!(admission.admit(), async {
            // The new one waits for the place of the one that was told to give way.
            tokio::task::yield_now().await;
            let told = |admitted: &Admitted| admitted.closing.is_cancelled();
            let gone = connections.iter().position(told).unwrap();
            drop(connections.remove(gone));
            gone
        });
        drop(admitted.unwrap());
        gone
    }

    #[tokio::test]
    async fn strangers_give_way_before_callers_and_the_longest_idle_before_others() {
        let admission = Admission::new(5);
        let mut connections = Vec::new();
        for _ in 0..5 {
            connections.push(admission.admit().await.unwrap());
        }
        let [caller, working, busy, first, second] = connections.as_slice() else {
            unreachable!("there are five");
        };
        caller.is_known();
        working.is_known();
        working.is_busy();
        busy.is_busy();
        second.is_busy();
        // It is idle for a shorter time than the other stranger.
        second.is_idle();
        assert!(first.state.lock().unwrap().place < second.state.lock().unwrap().place);
        assert_eq!(who_gives_way(&admission, &mut connections).await, 3);
        connections.push(admission.admit().await.unwrap());
        connections.last().unwrap().is_known();
        connections.last().unwrap().is_busy();
        assert_eq!(who_gives_way(&admission, &mut connections).await, 3);
        connections.push(admission.admit().await.unwrap());
        connections.last().unwrap().is_known();
        connections.last().unwrap().is_busy();
        // The stranger who is busy, then the caller who is idle.
        assert_eq!(who_gives_way(&admission, &mut connections).await, 2);
        connections.push(admission.admit().await.unwrap());
        connections.last().unwrap().is_known();
        connections.last().unwrap().is_busy();
        assert_eq!(who_gives_way(&admission, &mut connections).await, 0);
    }
}
