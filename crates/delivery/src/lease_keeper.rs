//! The lease keeper: acquires leases of destinations with work, renews those that are held, and releases those that other
//! servers should have. It has nothing to do where one server has the store for itself.
//!
//! The states of a lease are drawn above `Ownership`. Leases are renewed every third of a term. One that another server asks for is
//! yielded at once, or once the request under way has ended.

use std::{collections::HashSet, sync::Arc, time::Duration};

use alert_connectors_model::Fingerprint;
use alert_connectors_store::{Lease, ReleasedLease, StoreError};
use tokio::time::{self, Instant};

use crate::{
    announcement::Announcement,
    context::Context,
    destination::Destination,
    lease_requests::{Requested, Why},
    registry::Registry,
};

/// How often leases are renewed within their term: two renewals may fail before one lapses.
const RENEWALS_PER_TERM: u32 = 3;
/// How long a test call waits until another server has yielded its destination. That server hears of it at its next renewal
/// at the latest, and ends the request under way first.
const TEST_WAIT_MAX: Duration = Duration::from_secs(20);
/// The wait before a lease is requested again.
const REQUEST_AGAIN: Duration = Duration::from_millis(250);
/// The maximum number of destinations in one request to the store.
const ACQUIRED_AT_ONCE: usize = 2_000;

/// Keeps leases of the given term until the engine stops.
pub(crate) async fn run(registry: Arc<Registry>, term: Duration) {
    let context = &registry.context;
    let mut renew = time::interval(term / RENEWALS_PER_TERM);
    loop {
        let kept = tokio::select! {
            biased;
            () = context.stopping.cancelled() => return,
            _tick = renew.tick() => renew_all(&registry, term).await,
            () = context.lease_requests.in_doubt.notified() => renew_all(&registry, term).await,
            () = context.lease_requests.requested.notified() => fulfil(&registry, term).await,
        };
        if let Err(error) = kept {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "failed to keep leases; retrying"
            );
        }
    }
}

/// Releases every lease. To be called once all workers have ended.
pub(crate) async fn release_all(registry: &Registry) {
    let context = &registry.context;
    if !context.is_shared() {
        return;
    }
    let mut released = context.lease_requests.take_released();
    released.extend(registry.leased().iter().filter_map(|destination| {
        let (lease, has_work) = destination.give_up()?;
        Some(ReleasedLease { lease, has_work })
    }));
    let left = async {
        if !released.is_empty() {
            context.leases.release(&released).await?;
        }
        context.leases.leave().await
    };
    if let Err(error) = left.await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "failed to release leases; they lapse on their own"
        );
    }
}

/// Acquires the lease of a destination for a test call, which must know its rate limit. The server that holds it is asked to
/// yield it. Returns false if it does not within 20 seconds.
pub(crate) async fn acquire_for_test(
    context: &Context,
    destination: &Destination,
) -> Result<bool, StoreError> {
    let started = Instant::now();
    while !destination.is_owned() {
        if started.elapsed() > TEST_WAIT_MAX {
            return Ok(false);
        }
        let acquired = context.lease_requests.acquired.notified();
        context
            .lease_requests
            .request(destination.fingerprint, Why::Pending);
        drop(time::timeout(REQUEST_AGAIN, acquired).await);
        if !destination.is_owned() {
            context.leases.request(destination.fingerprint).await?;
            time::sleep(REQUEST_AGAIN).await;
        }
    }
    Ok(true)
}

/// Marks a destination to be yielded as soon as no request is under way, and leaves it to other servers for a while.
pub(crate) fn yield_lease(context: &Context, destination: &Destination) {
    if destination.start_yielding() {
        context.lease_requests.yielded(destination.fingerprint);
    }
}

async fn renew_all(registry: &Arc<Registry>, term: Duration) -> Result<(), StoreError> {
    let context = &registry.context;
    let asked_at = Instant::now();
    let destinations = registry.leased();
    let held: Vec<Lease> = destinations
        .iter()
        .filter_map(|destination| destination.lease())
        .collect();
    let renewal = context.leases.renew(&held).await?;
    let mut kept = HashSet::with_capacity(renewal.held.len());
    for renewed in renewal.held {
        kept.insert(renewed.lease.destination);
        let destination = registry.destination(renewed.lease.destination);
        destination.renewed(renewed.lease, asked_at + term);
        if renewed.wanted {
            yield_lease(context, &destination);
        }
    }
    let is_lost = |lease: &&Lease| !kept.contains(&lease.destination);
    for lease in held.iter().filter(is_lost) {
        registry.destination(lease.destination).lost(*lease);
    }
    for destination in destinations.iter().skip(renewal.share) {
        yield_lease(context, destination);
    }
    Ok(())
}

/// Does what was requested since the last time.
async fn fulfil(registry: &Arc<Registry>, term: Duration) -> Result<(), StoreError> {
    let context = &registry.context;
    let requested = context.lease_requests.take();
    if !requested.released.is_empty() {
        context.leases.release(&requested.released).await?;
    }
    let held_elsewhere = acquire(registry, requested, term).await?;
    context.lease_requests.acquired.notify_waiters();
    let held_elsewhere: Vec<Fingerprint> = held_elsewhere
        .into_iter()
        .filter(|one| !registry.destination(*one).is_owned())
        .collect();
    if !held_elsewhere.is_empty() {
        context.leases.notify_holders(&held_elsewhere).await?;
    }
    Ok(())
}

/// Acquires leases and starts workers. Returns the destinations with something newly queued that other servers hold.
async fn acquire(
    registry: &Arc<Registry>,
    requested: Requested,
    term: Duration,
) -> Result<HashSet<Fingerprint>, StoreError> {
    let context = &registry.context;
    let unowned: Vec<Fingerprint> = requested
        .destinations
        .into_iter()
        .filter(|one| !registry.destination(*one).is_owned())
        .collect();
    let mut held_elsewhere = requested.queued;
    for some in unowned.chunks(ACQUIRED_AT_ONCE) {
        let asked_at = Instant::now();
        for lease in context.leases.acquire(some).await? {
            held_elsewhere.remove(&lease.destination);
            let destination = registry.destination(lease.destination);
            if destination.acquired(lease, asked_at + term) {
                registry.start_worker(destination);
            }
            if requested.troubled.contains(&lease.destination) {
                context
                    .announce(Announcement::Health(lease.destination))
                    .await;
            }
        }
    }
    Ok(held_elsewhere)
}
