//! What the engine tells those who watch a space: how a delivery stands after a request, and how its connector is.

use std::{collections::HashSet, sync::Arc};

use alert_connectors_feed::{Feed, SpaceEvent};
use alert_connectors_model::{DeliveryState, Fingerprint, SpaceId};
use alert_connectors_store::{Disposition, HealthState, Report, StoreError};
use tokio::sync::mpsc;

use crate::{next_step::NextStep, payload::Payload, registry::Registry};

/// Capacity of the queue of destinations whose health changed.
pub(crate) const QUEUED_MAX: usize = 1_000;

/// At most this many destinations are remembered; beyond that, some are published once more.
const PUBLISHED_MAX: usize = 10_000;

/// Events of spaces, to be published once what they tell is on disk.
pub(crate) type SpaceEvents = Vec<(SpaceId, SpaceEvent)>;

/// The events of a request that ended.
pub(crate) fn after_request(payload: &Payload, next_step: &NextStep) -> SpaceEvents {
    let state = match next_step.disposition {
        Disposition::Retry { .. } => DeliveryState::Pending,
        Disposition::End { state, .. } => state,
    };
    let mut events = payload.events(state);
    if !next_step.revived.is_empty()
        && let Some((space, _)) = events.first()
    {
        // Others are pending again, and are known by their places only.
        events.push((*space, SpaceEvent::Resync));
    }
    events
}

/// Publishes events, and notes whose health changed.
pub(crate) struct Publisher {
    feed: Feed,
    health: mpsc::Sender<Fingerprint>,
    /// The destinations whose health was published since somebody watches.
    published: HashSet<Fingerprint>,
}

impl Publisher {
    pub(crate) fn new(feed: Feed, health: mpsc::Sender<Fingerprint>) -> Self {
        Self {
            feed,
            health,
            published: HashSet::new(),
        }
    }

    /// What these reports say is on disk.
    pub(crate) fn recorded(&mut self, events: SpaceEvents, reports: &[Report]) {
        if !self.feed.is_watched() {
            self.published.clear();
            return;
        }
        for (space, event) in events {
            self.feed.publish(space, [event]);
        }
        if self.published.len() >= PUBLISHED_MAX {
            self.published.clear();
        }
        for report in reports {
            // A connector is healthy from its first message on, which changes nothing in its destination's health.
            if self.published.insert(report.destination) || report.health.is_some() {
                // What finds no room is published with the next change.
                let _full = self.health.try_send(report.destination);
            }
        }
    }
}

/// Publishes the health of the connectors of each destination that is named, until the engine stops.
pub(crate) async fn publish_health(
    registry: Arc<Registry>,
    mut changed: mpsc::Receiver<Fingerprint>,
) {
    let context = &registry.context;
    loop {
        let destination = tokio::select! {
            () = context.stopping.cancelled() => return,
            changed = changed.recv() => changed,
        };
        let Some(destination) = destination else {
            return;
        };
        if let Err(error) = publish_health_of(&registry, destination).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "failed to read whose health changed"
            );
        }
    }
}

async fn publish_health_of(
    registry: &Registry,
    destination: Fingerprint,
) -> Result<(), StoreError> {
    let context = &registry.context;
    let known = context
        .store
        .destination_state(destination, context.now())
        .await?;
    let tried = known.last_request_at.is_some() || known.health.last_error.is_some();
    for (space, connector) in context.store.connectors_of(destination).await? {
        let state = HealthState::of(connector.is_active, tried, &known.health);
        let event = SpaceEvent::Health {
            connector_id: connector.id,
            state,
        };
        context.feed.publish(space.id, [event]);
    }
    Ok(())
}
