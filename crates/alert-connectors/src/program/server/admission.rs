//! Limits the open connections of callers. When all are taken, one is closed for a new one: a stranger's before a known
//! caller's, and the one that has waited longest first. Each keeps its place for a moment, so that a caller who has just
//! connected can show a token before a flood of others takes the place.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use alert_connectors_api::Seldom;

/// No connection gives way sooner after it was opened, or after its last request began or ended: a client who has just connected
/// needs a moment to send. It is short, so that even 96 places change hands 9,600 times a second.
const KEEPS_PLACE: Duration = Duration::from_millis(10);

/// How long a connection may take to close before the next one has to: its task may have to wait for a processor.
const GIVES_WAY_WITHIN: Duration = Duration::from_millis(100);

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

    /// Returns the right to hold a connection open. Waits while no connection has to give way: while every one works for a known
    /// caller, or is new.
    pub(super) async fn admit(&self) -> Option<Admitted> {
        let permit = match Arc::clone(&self.0.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_full) => self.place_of_another().await?,
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

    async fn place_of_another(&self) -> Option<OwnedSemaphorePermit> {
        if let Some(count) = self.0.closed.count() {
            tracing::warn!(
                count,
                "all connections for callers are taken; new ones close those of strangers and the longest idle ones"
            );
        }
        let mut free = pin!(Arc::clone(&self.0.free).acquire_owned());
        loop {
            let look_again = self.close_one(Instant::now());
            tokio::select! {
                permit = &mut free => return permit.ok(),
                () = sleep_until(look_again) => {}
            }
        }
    }

    /// Closes the first connection that has to give way, unless it is new. Returns when to look again if no place became free.
    fn close_one(&self, now: Instant) -> Instant {
        let mut yielding = self.yielding();
        let Some(first) = yielding.order.first_entry() else {
            return now + KEEPS_PLACE;
        };
        let keeps_until = first.key().since + KEEPS_PLACE;
        if keeps_until > now {
            return keeps_until;
        }
        first.remove().cancel();
        now + GIVES_WAY_WITHIN
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
        // One that was told to give way has no place any more.
        let used_by = state.used_by().filter(|_| !self.closing.is_cancelled());
        state.place = used_by.map(|used_by| {
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

    /// Which of the connections had to give way to a new one, and after how long.
    async fn who_gives_way(
        admission: &Admission,
        connections: &mut Vec<Admitted>,
    ) -> (usize, Duration) {
        let began = Instant::now();
        let gone = async {
            loop {
                let told = |admitted: &Admitted| admitted.closing.is_cancelled();
                if let Some(gone) = connections.iter().position(told) {
                    drop(connections.remove(gone));
                    return gone;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let (admitted, gone) = tokio::join!(admission.admit(), gone);
        drop(admitted.unwrap());
        (gone, began.elapsed())
    }

    async fn opened(admission: &Admission, count: usize) -> Vec<Admitted> {
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(admission.admit().await.unwrap());
        }
        connections
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_give_way_before_callers_and_the_longest_idle_before_others() {
        let admission = Admission::new(5);
        let mut connections = opened(&admission, 5).await;
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
        // The strangers who are idle, then the one who is busy, then the caller who is idle.
        for gone in [3, 3, 2, 0] {
            tokio::time::advance(KEEPS_PLACE).await;
            assert_eq!(who_gives_way(&admission, &mut connections).await.0, gone);
            let known = admission.admit().await.unwrap();
            known.is_known();
            known.is_busy();
            connections.push(known);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_connections_takes_no_place_that_is_new() {
        let admission = Admission::new(2);
        let mut connections = opened(&admission, 2).await;
        let (gone, waited) = who_gives_way(&admission, &mut connections).await;
        assert_eq!(gone, 0);
        assert!(waited >= KEEPS_PLACE, "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_gets_the_place_of_a_caller_whose_work_ends() {
        let admission = Admission::new(1);
        let mut connections = opened(&admission, 1).await;
        connections[0].is_known();
        connections[0].is_busy();
        let work_ends = async {
            tokio::time::sleep(KEEPS_PLACE * 3).await;
            connections[0].is_idle();
            connections[0].gives_way().await;
            connections.clear();
        };
        let (admitted, ()) = tokio::join!(admission.admit(), work_ends);
        assert!(admitted.is_some());
    }
}
