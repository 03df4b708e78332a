//! What the lease keeper is asked for: destinations to lease, leases to release, and destinations to leave to other servers.

use std::{
    collections::HashSet,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alert_connectors_model::Fingerprint;
use alert_connectors_store::{Lease, ReleasedLease};
use tokio::{sync::Notify, time::Instant};

/// After yielding a lease, it is not requested again for this long.
const YIELDED_FOR: Duration = Duration::from_secs(5);

/// Requests to the lease keeper, until it takes them.
#[derive(Default)]
pub(crate) struct LeaseRequests {
    pending: Mutex<Pending>,
    /// Notified when there is a request.
    pub(crate) requested: Notify,
    /// Notified whenever leases were acquired.
    pub(crate) acquired: Notify,
    /// Notified when other servers may have taken leases that are held here.
    pub(crate) in_doubt: Notify,
}

#[derive(Default)]
struct Pending {
    /// Something was just queued for these: the server that holds their lease is notified.
    queued: HashSet<Fingerprint>,
    /// These may have pending deliveries.
    pending: HashSet<Fingerprint>,
    /// A space may have to be notified of these.
    troubled: HashSet<Fingerprint>,
    released: Vec<ReleasedLease>,
    /// Destinations that were yielded, and when.
    yielded: Vec<(Fingerprint, Instant)>,
}

/// Why a destination is requested.
#[derive(Clone, Copy)]
pub(crate) enum Why {
    /// Something was just queued for it.
    Queued,
    /// It may have pending deliveries.
    Pending,
    /// A space may have to be notified of it.
    Troubled,
}

/// What was requested since the last time.
pub(crate) struct Requested {
    pub(crate) queued: HashSet<Fingerprint>,
    pub(crate) troubled: HashSet<Fingerprint>,
    /// All destinations to lease, for whichever reason.
    pub(crate) destinations: HashSet<Fingerprint>,
    pub(crate) released: Vec<ReleasedLease>,
}

impl LeaseRequests {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests a lease of a destination.
    pub(crate) fn request(&self, destination: Fingerprint, why: Why) {
        let mut pending = self.pending();
        match why {
            Why::Queued => &mut pending.queued,
            Why::Pending => &mut pending.pending,
            Why::Troubled => &mut pending.troubled,
        }
        .insert(destination);
        drop(pending);
        self.requested.notify_one();
    }

    /// Gives a lease back.
    pub(crate) fn release(&self, lease: Lease, has_work: bool) {
        self.pending()
            .released
            .push(ReleasedLease { lease, has_work });
        self.requested.notify_one();
    }

    /// Leaves a destination to other servers for a while.
    pub(crate) fn yielded(&self, destination: Fingerprint) {
        self.pending().yielded.push((destination, Instant::now()));
    }

    /// Takes all requests.
    pub(crate) fn take(&self) -> Requested {
        let mut pending = self.pending();
        let now = Instant::now();
        pending
            .yielded
            .retain(|(_, at)| now.duration_since(*at) < YIELDED_FOR);
        let yielded: HashSet<Fingerprint> = pending.yielded.iter().map(|(one, _)| *one).collect();
        let queued = mem::take(&mut pending.queued);
        let troubled = mem::take(&mut pending.troubled);
        let mut destinations = mem::take(&mut pending.pending);
        destinations.extend(queued.iter().chain(&troubled));
        destinations.retain(|one| !yielded.contains(one));
        Requested {
            queued,
            troubled,
            destinations,
            released: mem::take(&mut pending.released),
        }
    }

    /// Takes the leases to release, and nothing else.
    pub(crate) fn take_released(&self) -> Vec<ReleasedLease> {
        mem::take(&mut self.pending().released)
    }
}
