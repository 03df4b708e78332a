//! Whether this server may work a destination, and until when.

use alert_connectors_store::{Fence, Lease};
use tokio::time::Instant;

use super::{Destination, State, Wake};

/// Whether this server may work a destination.
///
/// ```text
/// Unowned   -> Leased     acquired
/// Unowned   -> Unowned    renewed, doubted, lost, asked to yield, given up
/// Leased    -> Leased     acquired, renewed
/// Leased    -> Yielding   asked to yield: another server wants it
/// Leased    -> Doubted    doubted: another server may take it
/// Leased    -> Unowned    lost, given up
/// Doubted   -> Leased     acquired, renewed
/// Doubted   -> Doubted    doubted
/// Doubted   -> Yielding   asked to yield
/// Doubted   -> Unowned    lost, given up
/// Yielding  -> Leased     acquired
/// Yielding  -> Yielding   renewed, doubted, asked to yield
/// Yielding  -> Unowned    lost, given up once nothing is under way
/// Exclusive -> Exclusive  renewed, doubted, lost, asked to yield, given up
/// ```
///
/// A lease that is not renewed in time lapses: it is still held, and nothing is sent under it. Nothing is sent either while it is doubted.
/// Only a server that has the store for itself is `Exclusive`, and it acquires nothing. *Yielding* and *Doubted* are `Leased` with such a
/// standing.
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
        standing: Standing,
    },
}

/// What a lease is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// For sending.
    Sure,
    /// Another server may take it until it is renewed.
    Doubted,
    /// It is yielded as soon as nothing is under way.
    Yielding,
}

/// What a renewal says of the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RenewalEffect {
    /// The lease is no longer held, or another one is.
    Stale,
    /// Nothing changed.
    Unchanged,
    /// Another program changed the destination or queued something; or the lease was in doubt, so that what was taken to be sent was not.
    Changed,
}

impl Ownership {
    pub(super) fn of(shared: bool) -> Self {
        if shared {
            Self::Unowned
        } else {
            Self::Exclusive
        }
    }

    /// A lease was acquired that lapses at this time.
    pub(super) const fn acquired(lease: Lease, until: Instant) -> Self {
        Self::Leased {
            lease,
            until,
            standing: Standing::Sure,
        }
    }

    /// A lease was renewed until a later time.
    pub(super) fn renewed(&mut self, renewed: Lease, later: Instant) -> RenewalEffect {
        match self {
            Self::Leased {
                lease,
                until,
                standing,
            } if lease.number == renewed.number => {
                *until = later;
                let is_same = lease.changes == renewed.changes;
                *lease = renewed;
                let was_doubted = *standing == Standing::Doubted;
                if was_doubted {
                    *standing = Standing::Sure;
                }
                if is_same && !was_doubted {
                    RenewalEffect::Unchanged
                } else {
                    RenewalEffect::Changed
                }
            }
            Self::Leased { .. } | Self::Unowned | Self::Exclusive => RenewalEffect::Stale,
        }
    }

    /// Another server holds the destination now. Returns whether this lease was still held.
    pub(super) fn lost(&mut self, lost: Lease) -> bool {
        let was_held = self.lease().map(|lease| lease.number) == Some(lost.number);
        if was_held {
            *self = Self::Unowned;
        }
        was_held
    }

    /// Another server may take the destination.
    pub(super) fn doubt(&mut self) {
        if let Self::Leased { standing, .. } = self
            && *standing == Standing::Sure
        {
            *standing = Standing::Doubted;
        }
    }

    /// Another server wants the destination. Returns whether there is a lease that was not asked for before.
    pub(super) fn ask_to_yield(&mut self) -> bool {
        match self {
            Self::Leased { standing, .. } => {
                std::mem::replace(standing, Standing::Yielding) != Standing::Yielding
            }
            Self::Unowned | Self::Exclusive => false,
        }
    }

    /// Gives the destination up. Returns the lease, if there was one.
    pub(super) const fn give_up(&mut self) -> Option<Lease> {
        let lease = self.lease();
        if lease.is_some() {
            *self = Self::Unowned;
        }
        lease
    }

    /// Whether it is held here now.
    pub(super) fn is_owned(&self, now: Instant) -> bool {
        match self {
            Self::Exclusive => true,
            Self::Unowned => false,
            Self::Leased { until, .. } => now < *until,
        }
    }

    /// Whether something may be sent now.
    pub(super) fn may_send(&self, now: Instant) -> bool {
        self.is_owned(now) && !self.is_standing(Standing::Doubted)
    }

    pub(super) fn is_yielding(&self) -> bool {
        self.is_standing(Standing::Yielding)
    }

    fn is_standing(&self, wanted: Standing) -> bool {
        matches!(self, Self::Leased { standing, .. } if *standing == wanted)
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
        state.ownership = Ownership::acquired(lease, until);
        state.policy = None;
        state.invalidated = false;
        state.window.reset();
        self.start_or_wake(state) == Wake::Start
    }

    /// The lease holds on. What others changed meanwhile is read.
    pub(crate) fn renewed(&self, renewed: Lease, later: Instant) {
        let mut state = self.state();
        if state.ownership.renewed(renewed, later) == RenewalEffect::Changed {
            state.invalidated = true;
            state.window.backlog_grew();
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Another server may take the lease: nothing more is sent until it is renewed.
    pub(crate) fn doubt(&self) {
        self.state().ownership.doubt();
    }

    /// The lease is another's by now.
    pub(crate) fn lost(&self, lost: Lease) {
        let mut state = self.state();
        if state.ownership.lost(lost) {
            // The server that holds it now changes the health; ours is stale.
            state.policy = None;
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Has the worker yield it as soon as nothing is under way. Returns whether a worker was newly asked to.
    pub(crate) fn start_yielding(&self) -> bool {
        let mut state = self.state();
        let is_new = state.ownership.ask_to_yield() && state.running;
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
    let has_work = !state.window.is_empty() || state.has_set_aside();
    let lease = state.ownership.give_up();
    if !matches!(state.ownership, Ownership::Exclusive) {
        state.policy = None;
        state.window.reset();
    }
    lease.map(|lease| (lease, has_work))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use alert_connectors_model::Fingerprint;

    use super::*;

    fn lease(number: i64) -> Lease {
        Lease {
            destination: Fingerprint([1; 16]),
            number,
            changes: 0,
        }
    }

    fn name(ownership: &Ownership) -> &'static str {
        match ownership {
            Ownership::Exclusive => "Exclusive",
            Ownership::Unowned => "Unowned",
            Ownership::Leased { standing, .. } => match standing {
                Standing::Sure => "Leased",
                Standing::Doubted => "Doubted",
                Standing::Yielding => "Yielding",
            },
        }
    }

    type Event = (&'static str, fn(&mut Ownership));

    const EVENTS: [Event; 6] = [
        ("acquired", |ownership| {
            *ownership = Ownership::acquired(lease(8), Instant::now());
        }),
        ("renewed", |ownership| {
            ownership.renewed(lease(7), Instant::now());
        }),
        ("doubted", |ownership| ownership.doubt()),
        ("lost", |ownership| {
            ownership.lost(lease(7));
        }),
        ("asked to yield", |ownership| {
            ownership.ask_to_yield();
        }),
        ("given up", |ownership| {
            ownership.give_up();
        }),
    ];

    #[test]
    fn the_drawing_of_a_lease_is_that_of_the_code() {
        let mut yielding = Ownership::acquired(lease(7), Instant::now());
        yielding.ask_to_yield();
        let mut doubted = Ownership::acquired(lease(7), Instant::now());
        doubted.doubt();
        let states = [
            Ownership::Unowned,
            Ownership::acquired(lease(7), Instant::now()),
            doubted,
            yielding,
            Ownership::Exclusive,
        ];
        let mut real = BTreeSet::new();
        for state in &states {
            for (event, happen) in EVENTS {
                let mut after = *state;
                happen(&mut after);
                if (name(state), event) != ("Exclusive", "acquired") {
                    real.insert((name(state), name(&after), event));
                }
            }
        }
        let events = EVENTS.map(|(event, _)| event);
        let drawn = crate::drawing::transitions(include_str!("ownership.rs"), &events);
        assert_eq!(drawn, real);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_under_a_lease_in_doubt_until_it_is_renewed() {
        let until = Instant::now() + Duration::from_secs(9);
        let mut ownership = Ownership::acquired(lease(7), until);
        ownership.doubt();
        let now = Instant::now();
        assert!(ownership.is_owned(now) && !ownership.may_send(now));
        assert_eq!(ownership.renewed(lease(7), until), RenewalEffect::Changed);
        assert!(ownership.may_send(now));
        assert_eq!(ownership.renewed(lease(7), until), RenewalEffect::Unchanged);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_lapses_is_held_and_nothing_is_sent_under_it() {
        let until = Instant::now() + Duration::from_secs(9);
        let mut ownership = Ownership::acquired(lease(7), until);
        assert!(ownership.is_owned(Instant::now()));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(!ownership.is_owned(Instant::now()) && ownership.fence().is_some());
        let other = ownership.renewed(lease(8), Instant::now() + Duration::from_secs(9));
        assert_eq!(other, RenewalEffect::Stale);
        let changed = Lease {
            changes: 1,
            ..lease(7)
        };
        let later = Instant::now() + Duration::from_secs(9);
        assert_eq!(ownership.renewed(changed, later), RenewalEffect::Changed);
        assert_eq!(ownership.renewed(changed, later), RenewalEffect::Unchanged);
        assert!(ownership.is_owned(Instant::now()));
    }
}
