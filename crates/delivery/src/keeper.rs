//! The keeper of leases: takes destinations that have work, renews what is held, and hands on what others should have.
//!
//! Where one server has the store for itself it has nothing to do.

use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alert_connectors_model::Fingerprint;
use alert_connectors_store::{HandedOn, Lease, StoreError};
use tokio::{
    sync::Notify,
    time::{self, Instant},
};

use crate::{destination::Destination, engine::Inner};

/// How often leases are renewed within their term: two renewals may fail before one lapses.
const RENEWALS_PER_TERM: u32 = 3;
/// What was handed on for another server's sake is left to it for so long.
const LEFT_FOR: Duration = Duration::from_secs(5);
/// How long a test call waits until another server has handed its destination on: it hears of that at its next renewal at
/// the latest, and ends what is under way.
const HELD_WITHIN: Duration = Duration::from_secs(20);
/// How long to wait before it is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// Destinations that are asked for at once.
const TAKEN_AT_ONCE: usize = 2_000;

/// What is still to be done with leases.
#[derive(Default)]
pub(crate) struct Keeper {
    wanting: Mutex<Wanting>,
    wake: Notify,
    /// Told whenever leases were taken.
    pub(crate) taken: Notify,
}

#[derive(Default)]
struct Wanting {
    /// Something was just queued for these: whoever holds them is to know.
    queued: HashSet<Fingerprint>,
    /// There may be work for these.
    owed: HashSet<Fingerprint>,
    /// Of these a space may have to be told.
    troubled: HashSet<Fingerprint>,
    /// These are given back.
    handing_on: Vec<HandedOn>,
    /// These were handed on for another's sake, and when.
    left: Vec<(Fingerprint, Instant)>,
}

/// Why a destination is wanted.
#[derive(Clone, Copy)]
pub(crate) enum Why {
    /// Something was just queued for it.
    Queued,
    /// There may be work.
    Owed,
    /// A space may have to be told of it.
    Troubled,
}

impl Keeper {
    fn wanting(&self) -> MutexGuard<'_, Wanting> {
        self.wanting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a destination.
    pub(crate) fn want(&self, destination: Fingerprint, why: Why) {
        let mut wanting = self.wanting();
        match why {
            Why::Queued => &mut wanting.queued,
            Why::Owed => &mut wanting.owed,
            Why::Troubled => &mut wanting.troubled,
        }
        .insert(destination);
        drop(wanting);
        self.wake.notify_one();
    }

    /// Gives a lease back.
    pub(crate) fn hand_on(&self, lease: Lease, has_work: bool) {
        self.wanting().handing_on.push(HandedOn { lease, has_work });
        self.wake.notify_one();
    }
}

/// Keeps leases of the given term until the engine is stopping.
pub(crate) async fn run(inner: Arc<Inner>, term: Duration) {
    let mut renew = time::interval(term / RENEWALS_PER_TERM);
    loop {
        let kept = tokio::select! {
            biased;
            () = inner.stopping.cancelled() => return,
            _tick = renew.tick() => renew_all(&inner, term).await,
            () = inner.keeper.wake.notified() => take_wanted(&inner, term).await,
        };
        if let Err(error) = kept {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "leases can't be kept now; trying again"
            );
        }
    }
}

/// Gives back everything that is held, once nothing is under way any more.
pub(crate) async fn leave(inner: &Inner) {
    if inner.leases.term().is_none() {
        return;
    }
    let mut held = mem::take(&mut inner.keeper.wanting().handing_on);
    held.extend(inner.leased().iter().filter_map(|destination| {
        let (lease, has_work) = destination.give_up()?;
        Some(HandedOn { lease, has_work })
    }));
    let left = async {
        if !held.is_empty() {
            inner.leases.hand_on(&held).await?;
        }
        inner.leases.leave().await
    };
    if let Err(error) = left.await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "leases can't be handed on; others take them when they lapse"
        );
    }
}

/// Sees to it that this server works a destination, since a test call may not pass by what is known of its pace. Whoever
/// holds it is asked for it.
pub(crate) async fn hold_for_test(
    inner: &Arc<Inner>,
    destination: &Destination,
) -> Result<(), StoreError> {
    let started = Instant::now();
    while !destination.holds() {
        if started.elapsed() > HELD_WITHIN {
            let text = "another replica does not hand the destination on";
            return Err(StoreError::Unavailable(text.into()));
        }
        let taken = inner.keeper.taken.notified();
        inner.keeper.want(destination.fingerprint, Why::Owed);
        drop(time::timeout(ASK_AGAIN, taken).await);
        if !destination.holds() {
            inner.leases.ask_for(destination.fingerprint).await?;
            time::sleep(ASK_AGAIN).await;
        }
    }
    Ok(())
}

async fn renew_all(inner: &Arc<Inner>, term: Duration) -> Result<(), StoreError> {
    let asked_at = Instant::now();
    let destinations = inner.leased();
    let held: Vec<Lease> = destinations
        .iter()
        .filter_map(|destination| destination.lease())
        .collect();
    let renewal = inner.leases.renew(&held).await?;
    let mut kept = HashSet::with_capacity(renewal.held.len());
    for renewed in renewal.held {
        kept.insert(renewed.lease.destination);
        let destination = inner.destination(renewed.lease.destination);
        destination.renewed(renewed.lease, asked_at + term);
        if renewed.wanted {
            inner.leave_to_others(&destination);
        }
    }
    let lost = |lease: &&Lease| !kept.contains(&lease.destination);
    for lease in held.iter().filter(lost) {
        inner.destination(lease.destination).lost(*lease);
    }
    for destination in destinations.iter().skip(renewal.share) {
        inner.leave_to_others(destination);
    }
    Ok(())
}

async fn take_wanted(inner: &Arc<Inner>, term: Duration) -> Result<(), StoreError> {
    let (queued, troubled, wanted, handing_on) = {
        let mut wanting = inner.keeper.wanting();
        let now = Instant::now();
        wanting
            .left
            .retain(|(_, at)| now.duration_since(*at) < LEFT_FOR);
        let left: HashSet<Fingerprint> = wanting.left.iter().map(|(one, _)| *one).collect();
        let queued = mem::take(&mut wanting.queued);
        let troubled = mem::take(&mut wanting.troubled);
        let mut wanted = mem::take(&mut wanting.owed);
        wanted.extend(queued.iter().chain(&troubled));
        wanted.retain(|one| !left.contains(one));
        (queued, troubled, wanted, mem::take(&mut wanting.handing_on))
    };
    if !handing_on.is_empty() {
        inner.leases.hand_on(&handing_on).await?;
    }
    let wanted: Vec<Fingerprint> = wanted
        .into_iter()
        .filter(|one| !inner.destination(*one).holds())
        .collect();
    let mut elsewhere = queued;
    for some in wanted.chunks(TAKEN_AT_ONCE) {
        let asked_at = Instant::now();
        for lease in inner.leases.take(some).await? {
            elsewhere.remove(&lease.destination);
            let destination = inner.destination(lease.destination);
            if destination.taken(lease, asked_at + term) {
                inner.work_on(Arc::clone(&destination));
            }
            if troubled.contains(&lease.destination) {
                inner.settle(destination).await;
            }
        }
    }
    inner.keeper.taken.notify_waiters();
    elsewhere.retain(|one| !inner.destination(*one).holds());
    if !elsewhere.is_empty() {
        let elsewhere: Vec<Fingerprint> = elsewhere.into_iter().collect();
        inner.leases.call(&elsewhere).await?;
    }
    Ok(())
}

impl Inner {
    /// Hands a destination on as soon as nothing is under way, and leaves it to others for a while.
    pub(crate) fn leave_to_others(&self, destination: &Destination) {
        if destination.leave() {
            let left = (destination.fingerprint, Instant::now());
            self.keeper.wanting().left.push(left);
        }
    }
}
