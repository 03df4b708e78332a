//! Someone who watches a space, and receives what happens there in batches.

use std::{collections::HashSet, time::Duration};

use alert_connectors_model::SpaceId;
use tokio::sync::watch;

use crate::{EventId, Feed, SpaceEvent};

/// How long a batch is gathered: many events of one moment reach a watcher together, and each of them soon.
const GATHER: Duration = Duration::from_millis(250);
/// How many events a batch has at most. Who misses more reads everything again, which costs less.
const BATCH_MAX: usize = 100;

/// Someone who watches a space, until it is dropped.
pub struct Watcher {
    feed: Feed,
    space: SpaceId,
    changed: watch::Receiver<u64>,
    /// The number of the next event. An error where events before it were missed.
    next: Result<u64, u64>,
}

impl Watcher {
    pub(crate) fn new(
        feed: Feed,
        space: SpaceId,
        changed: watch::Receiver<u64>,
        next: Result<u64, u64>,
    ) -> Self {
        Self {
            feed,
            space,
            changed,
            next,
        }
    }

    /// The next events, oldest first, of each subject only the newest; `None` once the feed has ended. A wait that is dropped
    /// loses nothing.
    pub async fn next(&mut self) -> Option<Vec<(EventId, SpaceEvent)>> {
        if self.feed.0.closing.is_cancelled() {
            return None;
        }
        let next = match self.next {
            Ok(next) => next,
            Err(next) => return Some(self.resync(next)),
        };
        let closing = self.feed.0.closing.clone();
        tokio::select! {
            () = closing.cancelled() => return None,
            changed = self.changed.wait_for(|newest| *newest > next) => drop(changed.ok()?),
        }
        tokio::select! {
            () = closing.cancelled() => return None,
            () = tokio::time::sleep(GATHER) => {}
        }
        let (events, after) = self.feed.events(self.space, next);
        let batch = events
            .map(newest_of_each)
            .filter(|batch| batch.len() <= BATCH_MAX);
        match batch {
            Some(batch) => {
                self.next = Ok(after);
                Some(batch)
            }
            None => Some(self.resync(after)),
        }
    }

    fn resync(&mut self, next: u64) -> Vec<(EventId, SpaceEvent)> {
        self.next = Ok(next);
        vec![(self.feed.resync_id(next), SpaceEvent::Resync)]
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.feed.leave(self.space);
    }
}

/// Leaves out what a later event about the same thing replaces.
fn newest_of_each(events: Vec<(EventId, SpaceEvent)>) -> Vec<(EventId, SpaceEvent)> {
    let mut seen = HashSet::new();
    let newest = events.into_iter().rev();
    let mut newest: Vec<_> = newest
        .filter(|(_, event)| seen.insert(event.subject()))
        .collect();
    newest.reverse();
    newest
}
