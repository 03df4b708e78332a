//! Whether this server may work a destination, and until when.

use alert_connectors_store::{Fence, Lease};
use tokio::time::Instant;

use super::{Destination, State, Wake};

/// Whether this server may work a destination.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ownership {
    /// One server has the store for itself.
    Exclusive,
    /// Not until a lease is acquired.
    Unowned,
    /// While a lease holds.
    Leased {
        lease: Lease,
        /// When it lapses unless it is renewed, reckoned from before it was asked for.
        until: Instant,
        /// Whether it is yielded as soon as nothing is under way.
        yielding: bool,
    },
}

impl Ownership {
    pub(super) fn of(shared: bool) -> Self {
        if shared {
            Self::Unowned
        } else {
            Self::Exclusive
        }
    }

    /// Whether something may be sent now.
    pub(super) fn is_owned(&self, now: Instant) -> bool {
        match self {
            Self::Exclusive => true,
            Self::Unowned => false,
            Self::Leased { until, .. } => now < *until,
        }
    }

    pub(super) const fn is_yielding(&self) -> bool {
        matches!(self, Self::Leased { yielding: true, .. })
    }

    pub(super) const fn lease(&self) -> Option<Lease> {
        match self {
            Self::Leased { lease, .. } => Some(*lease),
            Self::Exclusive | Self::Unowned => None,
        }
    }

    /// Returns the right by which the destination may be reported on; nothing once the lease is lost.
    pub(super) const fn fence(&self) -> Option<Fence> {
        match self {
            Self::Exclusive => Some(Fence::Unshared),
            Self::Unowned => None,
            Self::Leased { lease, .. } => Some(Fence::Lease(lease.number)),
        }
    }
}

impl Destination {
    /// Whether this server may work it now.
    pub(crate) fn is_owned(&self) -> bool {
        self.state().ownership.is_owned(Instant::now())
    }

    pub(crate) fn lease(&self) -> Option<Lease> {
        self.state().ownership.lease()
    }

    /// A lease was acquired: everything is read from disk. Returns whether a worker must be started.
    pub(crate) fn acquired(&self, lease: Lease, until: Instant) -> bool {
        let mut state = self.state();
        let yielding = false;
        state.ownership = Ownership::Leased {
            lease,
            until,
            yielding,
        };
        state.policy = None;
        state.invalidated = false;
        state.window.reset();
        self.start_or_wake(state) == Wake::Start
    }

    /// The lease holds on. What others changed meanwhile is read.
    pub(crate) fn renewed(&self, renewed: Lease, later: Instant) {
        let mut state = self.state();
        let Ownership::Leased { lease, until, .. } = &mut state.ownership else {
            return;
        };
        if lease.number != renewed.number {
            return;
        }
        *until = later;
        if lease.changes != renewed.changes {
            *lease = renewed;
            state.invalidated = true;
            state.window.backlog_grew();
            drop(state);
            self.wake.notify_one();
        }
    }

    /// The lease is another's by now.
    pub(crate) fn lost(&self, lost: Lease) {
        let mut state = self.state();
        if state.ownership.lease().map(|lease| lease.number) == Some(lost.number) {
            state.ownership = Ownership::Unowned;
            // The server that holds it now changes the health; ours is stale.
            state.policy = None;
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Has the worker yield it as soon as nothing is under way. Returns whether a worker was newly asked to.
    pub(crate) fn start_yielding(&self) -> bool {
        let mut state = self.state();
        let running = state.running;
        let Ownership::Leased { yielding, .. } = &mut state.ownership else {
            return false;
        };
        let is_new = !*yielding && running;
        *yielding = true;
        drop(state);
        self.wake.notify_one();
        is_new
    }

    /// Gives up ownership. Returns the lease, if there is one, and whether deliveries are still pending.
    pub(crate) fn give_up(&self) -> Option<(Lease, bool)> {
        give_up(&mut self.state())
    }
}

/// Gives up ownership of a destination.
pub(super) fn give_up(state: &mut State) -> Option<(Lease, bool)> {
    let lease = state.ownership.lease();
    let has_work = !state.window.is_empty() || state.has_set_aside();
    if !matches!(state.ownership, Ownership::Exclusive) {
        state.ownership = Ownership::Unowned;
        state.policy = None;
        state.window.reset();
    }
    lease.map(|lease| (lease, has_work))
}
