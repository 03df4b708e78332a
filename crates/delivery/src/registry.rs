//! The destinations in memory, and their workers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alert_connectors_model::Fingerprint;
use alert_connectors_tasks::Tasks;
use tokio::time::Instant;

use crate::{
    context::Context,
    destination::{Destination, Wake},
    lease_requests::Why,
};

/// A destination that had nothing to do for this long is forgotten. Until then its rate limit goes on where it was.
const IDLE_MAX: Duration = Duration::from_mins(10);

pub(crate) struct Registry {
    pub(crate) context: Arc<Context>,
    /// The workers of the destinations. The recorder outlives them.
    pub(crate) workers: Tasks,
    destinations: Mutex<HashMap<Fingerprint, Arc<Destination>>>,
}

impl Registry {
    pub(crate) fn new(context: Arc<Context>, workers: Tasks) -> Self {
        Self {
            context,
            workers,
            destinations: Mutex::default(),
        }
    }

    fn destinations(&self) -> MutexGuard<'_, HashMap<Fingerprint, Arc<Destination>>> {
        self.destinations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a destination, which is added if it is not in memory.
    pub(crate) fn destination(&self, fingerprint: Fingerprint) -> Arc<Destination> {
        let shared = self.context.is_shared();
        let mut destinations = self.destinations();
        let entry = destinations.entry(fingerprint);
        Arc::clone(entry.or_insert_with(|| Arc::new(Destination::new(fingerprint, shared))))
    }

    /// Returns a destination if it is in memory.
    pub(crate) fn get(&self, fingerprint: Fingerprint) -> Option<Arc<Destination>> {
        self.destinations().get(&fingerprint).map(Arc::clone)
    }

    /// The destinations that this server holds a lease of.
    pub(crate) fn leased(&self) -> Vec<Arc<Destination>> {
        let destinations = self.destinations();
        let leased = destinations.values().filter(|one| one.lease().is_some());
        leased.map(Arc::clone).collect()
    }

    /// The destinations that have a worker here.
    pub(crate) fn at_work(&self) -> Vec<Fingerprint> {
        let destinations = self.destinations();
        let at_work = destinations.values().filter(|one| one.is_at_work());
        at_work.map(|destination| destination.fingerprint).collect()
    }

    /// Forgets the destinations that had nothing to do for long. Their health is on disk and is read again when there is work.
    pub(crate) fn forget_idle(&self) {
        let now = Instant::now();
        let mut destinations = self.destinations();
        // While the map is locked, no other task can reach a destination, so its number of owners does not grow.
        destinations
            .retain(|_, one| Arc::strong_count(one) > 1 || !one.was_idle_for(IDLE_MAX, now));
        self.context.meters.destinations(destinations.len());
    }

    /// Starts a worker.
    pub(crate) fn start_worker(&self, destination: Arc<Destination>) {
        let worker = destination.run(Arc::clone(&self.context));
        self.workers.worker("destination", worker);
    }

    /// Does what a wake-up asks for: starts a worker, or requests a lease first.
    pub(crate) fn act_on(&self, destination: Arc<Destination>, wake: Wake, why: Why) {
        match wake {
            Wake::Start => self.start_worker(destination),
            Wake::Running => {}
            Wake::NotOwned => self
                .context
                .lease_requests
                .request(destination.fingerprint, why),
        }
    }

    /// Has a destination read its pending deliveries again.
    pub(crate) fn reload(&self, fingerprint: Fingerprint) {
        let destination = self.destination(fingerprint);
        let wake = destination.reload();
        self.act_on(destination, wake, Why::Pending);
    }
}
