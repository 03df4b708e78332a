//! The connections to webhooks, shared fairly by the spaces.
//!
//! A space may hold more than others only of what is left: it gets another connection while it holds at most
//! [`PER_FREE`] times as many as are free (the dynamic threshold by which switches share their buffers, Choudhury and Hahne
//! 1998). So a space alone has most of them, the next finds some free at once, and any number of one space's hanging webhooks
//! leave room for the others. What is given back goes to the space that waits and holds the fewest, and an idle connection is closed
//! only for a space that holds fewer: the crowd of one space doesn't cost another its connections.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use alert_connectors_model::SpaceId;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

/// A space that holds this many times as many connections as are free gets no more.
const PER_FREE: usize = 4;

/// The bound on open connections. A task that waits for a connection asks the idle ones to close. Clones share it.
#[derive(Clone)]
pub(crate) struct ConnectionLimit(Arc<LimitState>);

struct LimitState {
    shares: Mutex<Shares>,
    wanted: AtomicUsize,
    pressure: Notify,
}

struct Shares {
    free: usize,
    held: HashMap<SpaceId, usize>,
    /// Who waits, first come first, by space.
    waiting: HashMap<SpaceId, VecDeque<oneshot::Sender<Permit>>>,
}

/// The right to hold a connection open for a space.
pub(crate) struct Permit {
    space: SpaceId,
    inner: Arc<LimitState>,
}

impl ConnectionLimit {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(LimitState {
            shares: Mutex::new(Shares {
                free: most,
                held: HashMap::new(),
                waiting: HashMap::new(),
            }),
            wanted: AtomicUsize::new(0),
            pressure: Notify::new(),
        }))
    }

    /// The right to hold a connection open; nothing once the engine is stopping.
    pub(crate) async fn acquire(
        &self,
        space: SpaceId,
        stopping: &CancellationToken,
    ) -> Option<Permit> {
        let granted = {
            let mut shares = self.0.shares();
            if shares.may_take(space) {
                return Some(shares.grant(space, &self.0));
            }
            let (grant, granted) = oneshot::channel();
            shares.waiting.entry(space).or_default().push_back(grant);
            granted
        };
        let _wanting = Wanting::of(&self.0);
        self.0.pressure.notify_waiters();
        tokio::select! {
            // A permit that is granted and not taken is given back by its drop.
            permit = granted => permit.ok(),
            () = stopping.cancelled() => None,
        }
    }
}

/// Counts as wanting a connection for as long as it lives.
struct Wanting<'i>(&'i AtomicUsize);

impl<'i> Wanting<'i> {
    fn of(inner: &'i LimitState) -> Self {
        inner.wanted.fetch_add(1, Ordering::Relaxed);
        Self(&inner.wanted)
    }
}

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Permit {
    /// Whether this connection should be closed for those who wait.
    pub(crate) fn is_wanted(&self) -> bool {
        self.inner.is_wanted_of(self.space)
    }

    /// Waits until this connection, which is idle, should be closed for those who wait.
    pub(crate) fn wanted(&self) -> impl Future<Output = ()> + use<> {
        let (inner, space) = (Arc::clone(&self.inner), self.space);
        async move {
            loop {
                let pressure = inner.pressure.notified();
                tokio::pin!(pressure);
                // Before it looks, so that nothing is missed.
                pressure.as_mut().enable();
                if inner.is_wanted_of(space) {
                    return;
                }
                pressure.await;
            }
        }
    }
}

impl LimitState {
    /// Whether one waits whose space holds fewer connections than this, or is this.
    fn is_wanted_of(&self, space: SpaceId) -> bool {
        if self.wanted.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let shares = self.shares();
        let held = shares.held_by(space);
        let mut waiting = shares.waiting.keys();
        waiting.any(|other| *other == space || shares.held_by(*other) < held)
    }

    fn shares(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shares {
    fn held_by(&self, space: SpaceId) -> usize {
        self.held.get(&space).copied().unwrap_or_default()
    }

    fn may_take(&self, space: SpaceId) -> bool {
        self.free > 0 && self.held_by(space) < PER_FREE * self.free
    }

    fn grant(&mut self, space: SpaceId, inner: &Arc<LimitState>) -> Permit {
        self.free -= 1;
        *self.held.entry(space).or_default() += 1;
        Permit {
            space,
            inner: Arc::clone(inner),
        }
    }

    fn give_back(&mut self, space: SpaceId) {
        self.free += 1;
        if let Some(held) = self.held.get_mut(&space) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&space);
            }
        }
    }

    /// The waiter whose space holds the fewest, if that may have one more. Who gave up is forgotten.
    fn next_waiter(&mut self) -> Option<(SpaceId, oneshot::Sender<Permit>)> {
        self.waiting.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            !waiters.is_empty()
        });
        let fewest = self
            .waiting
            .keys()
            .min_by_key(|space| self.held_by(**space));
        let space = fewest.copied().filter(|space| self.may_take(*space))?;
        let waiter = self.waiting.get_mut(&space)?.pop_front()?;
        Some((space, waiter))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut given = Vec::new();
        {
            let mut shares = self.inner.shares();
            shares.give_back(self.space);
            while let Some((space, waiter)) = shares.next_waiter() {
                given.push((waiter, shares.grant(space, &self.inner)));
            }
        }
        // Outside of the lock: a permit whose waiter has gone is given back at once.
        for (waiter, permit) in given {
            drop(waiter.send(permit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alert_connectors_model::SeededRandom;
    use futures_util::FutureExt;
    use jiff::Timestamp;

    fn spaces<const N: usize>() -> [SpaceId; N] {
        let random = SeededRandom::new(1);
        std::array::from_fn(|_| SpaceId::new(Timestamp::UNIX_EPOCH, &random))
    }

    /// Takes as many as there are without waiting.
    fn acquire_all(connections: &ConnectionLimit, space: SpaceId) -> Vec<Permit> {
        let (stopping, mut held) = (CancellationToken::new(), Vec::new());
        while let Some(permit) = connections.acquire(space, &stopping).now_or_never() {
            held.extend(permit);
        }
        held
    }

    #[tokio::test]
    async fn a_space_that_takes_all_it_can_leaves_some_to_each_other() {
        let connections = ConnectionLimit::new(512);
        let [greedy, second, third, fourth] = spaces();
        let all = acquire_all(&connections, greedy);
        assert_eq!(all.len(), 410);
        let some = acquire_all(&connections, second);
        assert_eq!(some.len(), 82);
        assert_eq!(acquire_all(&connections, third).len(), 16);
        assert!(!acquire_all(&connections, fourth).is_empty());
        drop((all, some));
        assert_eq!(connections.0.shares().free, 512);
        assert_eq!(connections.0.wanted.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_crowd_does_not_cost_a_smaller_space_its_idle_connections() {
        let connections = ConnectionLimit::new(512);
        let [honest, crowd, late] = spaces();
        let stopping = CancellationToken::new();
        let mut idle = Vec::new();
        for _ in 0..100 {
            idle.extend(connections.acquire(honest, &stopping).await);
        }
        let held = acquire_all(&connections, crowd);
        let mut waiting = Box::pin(connections.acquire(crowd, &stopping));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert!(!idle[0].is_wanted() && held[0].is_wanted());
        assert!(futures_util::poll!(Box::pin(idle[0].wanted())).is_pending());
        let taken = acquire_all(&connections, late);
        let mut next = Box::pin(connections.acquire(late, &stopping));
        assert!(futures_util::poll!(&mut next).is_pending());
        assert!(taken.len() < 100 && idle[0].is_wanted());
        idle[0].wanted().await;
        drop(idle.pop());
        assert!(futures_util::poll!(&mut next).is_ready());
    }

    #[tokio::test]
    async fn what_is_given_back_goes_to_who_holds_the_fewest() {
        let connections = ConnectionLimit::new(4);
        let [greedy, other] = spaces();
        let stopping = CancellationToken::new();
        let mut held = Vec::new();
        for space in [greedy, greedy, greedy, other] {
            held.push(connections.acquire(space, &stopping).await.unwrap());
        }
        let mut first = Box::pin(connections.acquire(greedy, &stopping));
        let mut gave_up = Box::pin(connections.acquire(other, &stopping));
        let mut second = Box::pin(connections.acquire(other, &stopping));
        for wait in [&mut first, &mut gave_up, &mut second] {
            assert!(futures_util::poll!(wait).is_pending());
        }
        assert!(held[0].is_wanted());
        drop(gave_up);
        held.remove(0);
        let permit = second.await.unwrap();
        assert!(permit.space == other && futures_util::poll!(&mut first).is_pending());
        stopping.cancel();
        assert!(first.await.is_none());
        drop((permit, held));
        assert_eq!(connections.0.shares().free, 4);
    }
}
