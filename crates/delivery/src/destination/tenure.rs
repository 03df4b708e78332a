//! Whether this server may work a destination, and until when.

use alert_connectors_store::{Fence, Lease};
use tokio::time::Instant;

use super::{Destination, State, Wake};

/// Whether this server may work a destination.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tenure {
    /// There is one server, which has all of them.
    Forever,
    /// Not until a lease was taken.
    Nothing,
    /// While a lease holds.
    Leased {
        lease: Lease,
        /// When it lapses unless it is renewed, on the safe side.
        until: Instant,
        /// Whether it is to be handed on as soon as nothing is under way.
        leaving: bool,
    },
}

impl Tenure {
    pub(super) fn of(shared: bool) -> Self {
        if shared { Self::Nothing } else { Self::Forever }
    }

    /// Whether something may be sent now.
    pub(super) fn holds(&self, now: Instant) -> bool {
        match self {
            Self::Forever => true,
            Self::Nothing => false,
            Self::Leased { until, .. } => now < *until,
        }
    }

    pub(super) const fn is_leaving(&self) -> bool {
        matches!(self, Self::Leased { leaving: true, .. })
    }

    pub(super) const fn lease(&self) -> Option<Lease> {
        match self {
            Self::Leased { lease, .. } => Some(*lease),
            Self::Forever | Self::Nothing => None,
        }
    }

    /// By which right something is said of the destination; nothing once the lease is lost.
    pub(super) const fn fence(&self) -> Option<Fence> {
        match self {
            Self::Forever => Some(Fence::Unshared),
            Self::Nothing => None,
            Self::Leased { lease, .. } => Some(Fence::Lease(lease.number)),
        }
    }
}

impl Destination {
    /// Whether this server may work it now.
    pub(crate) fn holds(&self) -> bool {
        self.state().tenure.holds(Instant::now())
    }

    pub(crate) fn lease(&self) -> Option<Lease> {
        self.state().tenure.lease()
    }

    /// A lease was taken: all is read from disk. Says whether a task must be started.
    pub(crate) fn taken(&self, lease: Lease, until: Instant) -> bool {
        let mut state = self.state();
        let leaving = false;
        state.tenure = Tenure::Leased {
            lease,
            until,
            leaving,
        };
        state.conduct = None;
        state.touched = false;
        state.window.forget();
        self.start_or_wake(state) == Wake::Start
    }

    /// The lease holds on. What others changed meanwhile is read.
    pub(crate) fn renewed(&self, renewed: Lease, later: Instant) {
        let mut state = self.state();
        let Tenure::Leased { lease, until, .. } = &mut state.tenure else {
            return;
        };
        if lease.number != renewed.number {
            return;
        }
        *until = later;
        if lease.changes != renewed.changes {
            *lease = renewed;
            state.touched = true;
            state.window.called();
            drop(state);
            self.wake.notify_one();
        }
    }

    /// The lease is another's by now.
    pub(crate) fn lost(&self, lost: Lease) {
        let mut state = self.state();
        if state.tenure.lease().map(|lease| lease.number) == Some(lost.number) {
            state.tenure = Tenure::Nothing;
            // The server that holds it now changes the standing; ours is stale.
            state.conduct = None;
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Asks that it be handed on as soon as nothing is under way. Says whether that is new.
    pub(crate) fn leave(&self) -> bool {
        let mut state = self.state();
        let running = state.running;
        let Tenure::Leased { leaving, .. } = &mut state.tenure else {
            return false;
        };
        let is_new = !*leaving && running;
        *leaving = true;
        drop(state);
        self.wake.notify_one();
        is_new
    }

    /// Gives up what this server holds of it; the lease, if there is one, with whether there is still work.
    pub(crate) fn give_up(&self) -> Option<(Lease, bool)> {
        give_up(&mut self.state())
    }
}

/// Gives up what this server holds of a destination.
pub(super) fn give_up(state: &mut State) -> Option<(Lease, bool)> {
    let lease = state.tenure.lease();
    let has_work = !state.window.is_empty() || state.has_set_aside();
    if !matches!(state.tenure, Tenure::Forever) {
        state.tenure = Tenure::Nothing;
        state.conduct = None;
        state.window.forget();
    }
    lease.map(|lease| (lease, has_work))
}
