//! Leases: which server works a destination, where several share one store.

use std::time::Duration;

use alert_connectors_model::Fingerprint;
use async_trait::async_trait;

use crate::StoreError;

/// Leases of destinations, timed by the store's own clock. A store that only one server uses needs none, so the default
/// methods do nothing.
#[async_trait]
pub trait Leases: Send + Sync {
    /// How long a lease holds without renewal; `None` where there are no leases.
    fn term(&self) -> Option<Duration> {
        None
    }

    /// Acquires the leases of those destinations that no server holds, or that this server holds without knowing it.
    async fn acquire(&self, destinations: &[Fingerprint]) -> Result<Vec<Lease>, StoreError> {
        let _ = destinations;
        Ok(Vec::new())
    }

    /// Renews leases, and returns those that still hold.
    async fn renew(&self, held: &[Lease]) -> Result<Renewal, StoreError> {
        let _ = held;
        Ok(Renewal::default())
    }

    /// Gives leases back, and notifies the other servers of those with work.
    async fn release(&self, held: &[ReleasedLease]) -> Result<(), StoreError> {
        let _ = held;
        Ok(())
    }

    /// Deregisters this server, which holds no lease any more.
    async fn leave(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Notifies the servers that hold these destinations that their backlog grew.
    async fn notify_holders(&self, destinations: &[Fingerprint]) -> Result<(), StoreError> {
        let _ = destinations;
        Ok(())
    }

    /// Asks the server that holds a destination to yield it.
    async fn request(&self, destination: Fingerprint) -> Result<(), StoreError> {
        let _ = destination;
        Ok(())
    }
}

/// The right to work a destination for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The destination.
    pub destination: Fingerprint,
    /// The fencing token: new with every acquisition. A report with an older number adds its attempts and changes nothing else.
    pub number: i64,
    /// Counts the changes of the destination that others made.
    pub changes: i64,
}

/// A lease that is given back.
#[derive(Debug, Clone, Copy)]
pub struct ReleasedLease {
    /// The lease.
    pub lease: Lease,
    /// Whether deliveries are pending.
    pub has_work: bool,
}

/// The result of a renewal.
#[derive(Debug, Clone, Default)]
pub struct Renewal {
    /// The leases that still hold.
    pub held: Vec<Renewed>,
    /// How many destinations a server should hold, so that the work is spread.
    pub share: usize,
}

/// A lease that still holds.
#[derive(Debug, Clone, Copy)]
pub struct Renewed {
    /// The lease, with the changes counted so far.
    pub lease: Lease,
    /// Whether another server requests the destination.
    pub wanted: bool,
}
