//! What every part of the engine uses: the store, the clock, the connections and the queues to the recorder and the announcer. It
//! knows no destination.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use alert_connectors_feed::Feed;
use alert_connectors_model::{AlertId, Random, Slug};
use alert_connectors_store::{Expiry, Leases, Queue};
use alert_connectors_traces::Tracer;
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    BackoffConfig, DeliveryMeters, Rates, Sender,
    announcement::Announcement,
    connection::ConnectionLimit,
    lease_requests::LeaseRequests,
    memory::MemoryBudget,
    recorder::{CompletedRequest, Recording},
    rendered_alert::alert_url,
    send_policy::Moment,
};

pub(crate) struct Context {
    pub(crate) store: Arc<dyn Queue>,
    pub(crate) leases: Arc<dyn Leases>,
    pub(crate) lease_requests: LeaseRequests,
    /// Counts the events that said that another server queued something.
    pub(crate) epoch: AtomicU64,
    pub(crate) sender: Sender,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) stopping: CancellationToken,
    pub(crate) connections: ConnectionLimit,
    pub(crate) recording: watch::Sender<Recording>,
    pub(crate) recorder: mpsc::Sender<CompletedRequest>,
    pub(crate) memory: MemoryBudget,
    pub(crate) rates: Rates,
    pub(crate) backoff: BackoffConfig,
    pub(crate) meters: DeliveryMeters,
    pub(crate) tracer: Option<Tracer>,
    pub(crate) public_url: Option<String>,
    pub(crate) retry_for: SignedDuration,
    pub(crate) announcements: mpsc::Sender<Announcement>,
    /// Where those who watch a space learn what happens in it.
    pub(crate) feed: Feed,
}

impl Context {
    pub(crate) fn now(&self) -> Timestamp {
        self.sender.clock.now()
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment {
            wall: self.now(),
            instant: Instant::now(),
        }
    }

    pub(crate) fn expiry(&self) -> Expiry {
        Expiry {
            now: self.now(),
            retry_for: self.retry_for,
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Returns whether other servers share the store.
    pub(crate) fn is_shared(&self) -> bool {
        self.leases.term().is_some()
    }

    /// Queues an announcement. Waits while the queue is full; dropped when the engine stops, since the next start finds it again.
    pub(crate) async fn announce(&self, announcement: Announcement) {
        drop(self.announcements.send(announcement).await);
    }

    /// Announces without waiting for room. The dispatcher does, since the announcer posts to the store, and the store waits for
    /// the dispatcher to take its events. What finds no room is announced by a later poll, or not at all.
    pub(crate) fn announce_at_once(&self, announcement: Announcement) {
        if self.announcements.try_send(announcement).is_err() {
            tracing::debug!("too many announcements are due; one is left to a later poll");
        }
    }

    /// The address at which people find an alert, if this service has a public one.
    pub(crate) fn alert_url(&self, slug: &Slug, id: AlertId) -> Option<String> {
        alert_url(self.public_url.as_deref(), slug, id)
    }
}
