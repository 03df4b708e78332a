//! Who works a destination, where several servers share one store.

use std::time::Duration;

use alert_connectors_model::Fingerprint;
use async_trait::async_trait;

use crate::StoreError;

/// Leases of destinations, judged by the store's own clock. A store that one server has for itself needs none, which is
/// what all of this does where nothing else is said.
#[async_trait]
pub trait Leases: Send + Sync {
    /// How long a lease holds that is not renewed; nothing where there are none.
    fn term(&self) -> Option<Duration> {
        None
    }

    /// Takes those of these destinations that nobody holds, or that this server forgot that it holds.
    async fn take(&self, destinations: &[Fingerprint]) -> Result<Vec<Lease>, StoreError> {
        let _ = destinations;
        Ok(Vec::new())
    }

    /// Renews leases and says which still hold.
    async fn renew(&self, held: &[Lease]) -> Result<Renewal, StoreError> {
        let _ = held;
        Ok(Renewal::default())
    }

    /// Gives leases back, and lets the others know of those that still have work.
    async fn hand_on(&self, held: &[HandedOn]) -> Result<(), StoreError> {
        let _ = held;
        Ok(())
    }

    /// This server holds nothing any more, and will not.
    async fn leave(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Lets whoever holds these destinations know that more is owed to them.
    async fn call(&self, destinations: &[Fingerprint]) -> Result<(), StoreError> {
        let _ = destinations;
        Ok(())
    }

    /// Asks whoever holds a destination to hand it on.
    async fn ask_for(&self, destination: Fingerprint) -> Result<(), StoreError> {
        let _ = destination;
        Ok(())
    }
}

/// The right to work a destination for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The destination.
    pub destination: Fingerprint,
    /// New with every taking: what is reported under one of before changes nothing.
    pub number: i64,
    /// Counts what others changed of the destination.
    pub changes: i64,
}

/// A lease that is given back.
#[derive(Debug, Clone, Copy)]
pub struct HandedOn {
    /// The lease.
    pub lease: Lease,
    /// Whether there is work for whoever takes it.
    pub has_work: bool,
}

/// What a renewal came to.
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
    /// Whether another server asks for the destination.
    pub wanted: bool,
}
