//! Publishes the events of a request to the callers that watch its space, once its report is on disk.

use std::collections::HashSet;

use alert_connectors_feed::{Feed, SpaceEvent};
use alert_connectors_model::{Fingerprint, SpaceId};
use alert_connectors_store::Report;
use tokio::sync::mpsc;

/// Capacity of the queue of destinations whose health changed.
pub(crate) const QUEUED_MAX: usize = 1_000;

/// At most this many destinations are remembered; beyond that, some are published once more.
const PUBLISHED_MAX: usize = 10_000;

/// Events of spaces, to be published once the store has recorded what they say.
pub(crate) type SpaceEvents = Vec<(SpaceId, SpaceEvent)>;

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
