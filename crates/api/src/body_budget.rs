//! The memory that the bodies of all requests under way may take together. Answers have a budget of the same kind.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ApiError;

/// All bodies together, in bytes.
const ALL_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Those that are large, in bytes. The rest is left to small ones, such as single alerts.
const LARGE_BYTES_MAX: usize = 48 * 1_024 * 1_024;
/// A body is small if it and the tree that is read from it take at most this many bytes.
pub(crate) const SMALL_BYTES: usize = 64 * 1_024;
/// The bodies of callers who are not known yet, in bytes.
const STRANGERS_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerKind {
    /// A caller who was let in.
    Known,
    /// A caller who is not known yet.
    Stranger,
}

/// What is left for bodies.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    all: Arc<Semaphore>,
    large: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self::new(ALL_BYTES_MAX, LARGE_BYTES_MAX, STRANGERS_BYTES_MAX)
    }
}

impl BodyBudget {
    fn new(all: usize, large: usize, strangers: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            large: Arc::new(Semaphore::new(large)),
            strangers: Arc::new(Semaphore::new(strangers)),
        }
    }

    /// Memory for one body, which grows with it.
    pub(crate) fn room(&self, caller: CallerKind) -> ReservedMemory {
        let strangers = (caller == CallerKind::Stranger).then(|| Share::of(&self.strangers));
        ReservedMemory {
            shares: strangers
                .into_iter()
                .chain([Share::of(&self.all)])
                .collect(),
            large: Share::of(&self.large),
            size: 0,
        }
    }
}

/// The room that a body takes, until it is dropped.
#[derive(Debug)]
pub(crate) struct ReservedMemory {
    shares: Vec<Share>,
    large: Share,
    size: usize,
}

#[derive(Debug)]
struct Share {
    budget: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
}

impl ReservedMemory {
    /// Takes more room, if there is any.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.size += bytes;
        if self.grows(bytes) {
            return Ok(());
        }
        let detail = "Too many large requests are under way; repeat the request in a second.";
        Err(ApiError::unavailable(detail))
    }

    fn grows(&mut self, bytes: usize) -> bool {
        let is_large = self.size > SMALL_BYTES;
        let large = self.size - self.large.taken();
        let Ok(bytes) = u32::try_from(bytes) else {
            return false;
        };
        self.shares.iter_mut().all(|share| share.grow(bytes))
            && (!is_large || u32::try_from(large).is_ok_and(|large| self.large.grow(large)))
    }
}

impl Share {
    fn of(budget: &Arc<Semaphore>) -> Self {
        Self {
            budget: Arc::clone(budget),
            taken: None,
        }
    }

    fn taken(&self) -> usize {
        self.taken
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits)
    }

    fn grow(&mut self, bytes: u32) -> bool {
        let Ok(more) = Arc::clone(&self.budget).try_acquire_many_owned(bytes) else {
            return false;
        };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_have_less_and_what_is_dropped_is_free_again() {
        let budget = BodyBudget::new(100, 100, 10);
        let mut stranger = budget.room(CallerKind::Stranger);
        assert!(stranger.grow(6).is_ok() && stranger.grow(4).is_ok());
        assert!(stranger.grow(1).is_err());
        assert!(budget.room(CallerKind::Stranger).grow(1).is_err());
        let mut caller = budget.room(CallerKind::Known);
        assert!(caller.grow(90).is_ok() && caller.grow(10).is_err());
        drop(stranger);
        assert!(caller.grow(10).is_ok());
        drop(caller);
        assert!(budget.room(CallerKind::Stranger).grow(10).is_ok());
    }

    #[test]
    fn large_bodies_leave_room_to_small_ones() {
        let budget = BodyBudget::new(400_000, 200_000, 0);
        let mut large = budget.room(CallerKind::Known);
        assert!(large.grow(60_000).is_ok() && large.grow(140_000).is_ok());
        assert!(budget.room(CallerKind::Known).grow(70_000).is_err());
        let mut small: Vec<_> = (0..3).map(|_| budget.room(CallerKind::Known)).collect();
        assert!(small.iter_mut().all(|room| room.grow(60_000).is_ok()));
        drop(large);
        assert!(small[0].grow(100_000).is_ok());
    }
}
