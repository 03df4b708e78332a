//! The dispatcher: follows store events, and polls for what no event announced, so that each destination with pending
//! deliveries has a worker.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use alert_connectors_model::Fingerprint;
use alert_connectors_store::{PendingDelivery, StoreError, StoreEvent};
use tokio::time;

use crate::{
    announcement::Announcement,
    destination::{Destination, HoldBack, QueuedDelivery, Wake},
    lease_keeper::yield_lease,
    lease_requests::Why,
    registry::Registry,
    rendered_alert::RenderedAlert,
};

/// The poll interval: catches work for which no event arrived.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// The same where servers share the store: what a server that died leaves behind is found this soon after its leases lapse.
const POLL_EVERY_SHARED: Duration = Duration::from_secs(1);

/// Runs until the engine or the store stops.
pub(crate) async fn run(registry: Arc<Registry>) {
    let context = &registry.context;
    let mut version = None;
    let mut poll = time::interval(if context.is_shared() {
        POLL_EVERY_SHARED
    } else {
        POLL_EVERY
    });
    loop {
        tokio::select! {
            // Events come first: in a storm the poll can wait. A receive that is cancelled loses nothing.
            biased;
            () = context.stopping.cancelled() => return,
            events = context.store.next_events() => match events {
                Some(events) => handle_all(&registry, events).await,
                None => return,
            },
            _tick = poll.tick() => {
                reconcile(&registry, &mut version).await;
                registry.forget_idle();
            }
        }
    }
}

async fn handle_all(registry: &Arc<Registry>, events: Vec<StoreEvent>) {
    let mut last = None;
    for event in events {
        handle(registry, event, &mut last).await;
    }
}

/// Hands a delivery to its destination. Deliveries of one alert follow each other and share its rendered form, by `last`.
fn queued(registry: &Registry, delivery: PendingDelivery, last: &mut Option<Arc<RenderedAlert>>) {
    let context = &registry.context;
    let rendered = match last.take().filter(|one| one.is_of(&delivery.alert)) {
        Some(rendered) => rendered,
        None => Arc::new(RenderedAlert::of(&delivery, context.public_url.as_deref())),
    };
    *last = Some(Arc::clone(&rendered));
    let reservation = context.memory.reserve(rendered.size_bytes());
    let destination = registry.destination(delivery.connector.destination);
    let wake = destination.push(
        QueuedDelivery::new(delivery, rendered, reservation),
        context,
    );
    registry.act_on(destination, wake, Why::Queued);
}

async fn handle(
    registry: &Arc<Registry>,
    event: StoreEvent,
    last: &mut Option<Arc<RenderedAlert>>,
) {
    let context = &registry.context;
    match event {
        StoreEvent::Queued(delivery) => queued(registry, delivery, last),
        StoreEvent::Changed(fingerprint) => registry.reload(fingerprint),
        StoreEvent::Moved { from, to } => moved(registry, from, to),
        StoreEvent::Repaired(fingerprint) => repaired(registry, fingerprint).await,
        StoreEvent::ConnectorDetached(fingerprint, space, connector) => {
            context.announce_at_once(Announcement::Detached(fingerprint, space, connector));
        }
        StoreEvent::QueuedElsewhere => {
            context.epoch.fetch_add(1, Ordering::Relaxed);
        }
        StoreEvent::BacklogGrew(fingerprint) => {
            start_if(registry, fingerprint, Destination::backlog_grew);
        }
        StoreEvent::Invalidated(fingerprint) => {
            start_if(registry, fingerprint, Destination::invalidate);
        }
        StoreEvent::LeaseRequested(fingerprint) => {
            if let Some(destination) = registry.get(fingerprint) {
                yield_lease(context, &destination);
            }
        }
        StoreEvent::LeaseReleased(fingerprint) => {
            context.lease_requests.request(fingerprint, Why::Pending);
        }
        StoreEvent::LeasesInDoubt => {
            for destination in registry.leased() {
                destination.doubt();
            }
            context.lease_requests.in_doubt.notify_one();
        }
    }
}

/// Wakes a destination that is in memory, and starts its worker if it needs one.
fn start_if(registry: &Registry, fingerprint: Fingerprint, wake: fn(&Destination) -> Wake) {
    if let Some(destination) = registry.get(fingerprint)
        && wake(&destination) == Wake::Start
    {
        registry.start_worker(destination);
    }
}

/// A destination that is not in memory reads the repair from disk when it is loaded.
async fn repaired(registry: &Registry, fingerprint: Fingerprint) {
    let context = &registry.context;
    let destination = registry.destination(fingerprint);
    let now = context.moment();
    destination
        .update_policy(context, |policy| policy.repaired(now))
        .await;
    registry.reload(fingerprint);
    context.announce_at_once(Announcement::Health(fingerprint));
}

/// A request under way to the previous destination may still arrive there. The new one waits until that is known, so that
/// nothing is sent to both.
fn moved(registry: &Arc<Registry>, from: Fingerprint, to: Fingerprint) {
    let (old, new) = (registry.destination(from), registry.destination(to));
    let until_quiet = new.hold_back();
    registry.reload(from);
    registry.reload(to);
    let resumed = resume_after(Arc::clone(registry), old, new.fingerprint, until_quiet);
    registry.workers.worker("move", resumed);
}

async fn resume_after(
    registry: Arc<Registry>,
    old: Arc<Destination>,
    new: Fingerprint,
    until_quiet: HoldBack,
) {
    tokio::select! {
        () = old.until_calm() => {}
        () = registry.context.stopping.cancelled() => return,
    }
    drop(until_quiet);
    registry.reload(new);
}

/// At the start, finds every destination with pending deliveries; later only when the version moved, since another program may have
/// changed something. Where servers share the store, also those that another server queued for or left behind.
async fn reconcile(registry: &Arc<Registry>, version: &mut Option<i64>) {
    if let Err(error) = try_reconcile(registry, version).await {
        *version = None;
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "failed to read which destinations have pending deliveries; retrying"
        );
    }
}

async fn try_reconcile(
    registry: &Arc<Registry>,
    version: &mut Option<i64>,
) -> Result<(), StoreError> {
    let context = &registry.context;
    let now = context.store.version().await?;
    let has_moved = version.replace(now) != Some(now);
    if has_moved {
        for fingerprint in registry.at_work() {
            registry.reload(fingerprint);
        }
    }
    if !has_moved && !context.is_shared() {
        return Ok(());
    }
    let backlog = context.store.backlog().await?;
    for fingerprint in backlog.pending {
        let destination = registry.destination(fingerprint);
        if destination.is_owned() && !has_moved && !backlog.queued_elsewhere {
            continue;
        }
        let wake = destination.backlog_grew();
        registry.act_on(destination, wake, Why::Pending);
    }
    for fingerprint in backlog.troubled {
        if registry.destination(fingerprint).is_owned() {
            context.announce_at_once(Announcement::Health(fingerprint));
        } else {
            context.lease_requests.request(fingerprint, Why::Troubled);
        }
    }
    Ok(())
}
