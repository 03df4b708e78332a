//! The engine: what it is made of, and how its tasks start.

use std::sync::{Arc, atomic::AtomicU64};

use alert_connectors_feed::Feed;
use alert_connectors_model::{AlertId, Random, Slug, Space};
use alert_connectors_store::{DeliveryMessage, Leases, Queue};
use alert_connectors_tasks::Tasks;
use alert_connectors_traces::Tracer;
use bytes::Bytes;
use jiff::SignedDuration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    BackoffConfig, DeliveryMeters, NotifySpace, Rates, Sender, announcement, announcer,
    connection::ConnectionLimit,
    context::Context,
    dispatcher, health_events, lease_keeper,
    lease_requests::LeaseRequests,
    memory::MemoryBudget,
    payload,
    recorder::{self, Recording},
    registry::Registry,
    space_events::{self, Publisher},
};

/// What an engine is made of.
pub struct EngineOptions {
    /// Pending deliveries, and where reports go.
    pub store: Arc<dyn Queue>,
    /// Which server works which destination, where several share the store.
    pub leases: Arc<dyn Leases>,
    /// How webhooks are reached.
    pub sender: Sender,
    /// Notifies spaces of their blocked connectors.
    pub notify: Arc<dyn NotifySpace>,
    /// Where those who watch a space learn what happens in it.
    pub feed: Feed,
    /// The rate limit of each platform.
    pub rates: Rates,
    /// The waits after failures.
    pub backoff: BackoffConfig,
    /// The maximum number of open connections to webhooks.
    pub connections_max: usize,
    /// How long a delivery is tried.
    pub retry_for: SignedDuration,
    /// What is counted.
    pub meters: DeliveryMeters,
    /// Records the deliveries of sampled alerts.
    pub tracer: Option<Tracer>,
    /// Where people reach this service, for links.
    pub public_url: Option<String>,
    /// Randomness for jitter and ids.
    pub random: Arc<dyn Random>,
    /// Where the engine's tasks live.
    pub tasks: Tasks,
    /// Cancelled when nothing new may be sent.
    pub stopping: CancellationToken,
}

/// The engine. Clones share it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) registry: Arc<Registry>,
}

impl Engine {
    /// Starts the engine. It goes on with the deliveries that are pending in the store.
    pub fn start(options: EngineOptions) -> Self {
        let (recorder, completed) = mpsc::channel(recorder::QUEUED_MAX);
        let (recording, _) = watch::channel(Recording::Running);
        let (announcements, announced) = mpsc::channel(announcement::QUEUED_MAX);
        let context = Arc::new(Context {
            store: Arc::clone(&options.store),
            leases: options.leases,
            lease_requests: LeaseRequests::default(),
            epoch: AtomicU64::new(0),
            sender: options.sender,
            random: options.random,
            stopping: options.stopping,
            connections: ConnectionLimit::new(options.connections_max),
            recording: recording.clone(),
            recorder,
            memory: MemoryBudget::new(options.meters.waiting_bytes()),
            rates: options.rates,
            backoff: options.backoff,
            meters: options.meters,
            tracer: options.tracer,
            public_url: options.public_url,
            retry_for: options.retry_for,
            announcements,
            feed: options.feed.clone(),
        });
        let tasks = &options.tasks;
        let registry = Arc::new(Registry::new(Arc::clone(&context), tasks.group()));
        let (workers, stopping) = (registry.workers.clone(), context.stopping.clone());
        let (health, health_changed) = mpsc::channel(space_events::QUEUED_MAX);
        let publisher = Publisher::new(options.feed, health);
        let recording_task = recorder::run(
            options.store,
            completed,
            recording,
            publisher,
            workers,
            stopping,
        );
        let leaving = Arc::clone(&registry);
        tasks.essential("recorder", async move {
            recording_task.await;
            lease_keeper::release_all(&leaving).await;
        });
        if let Some(term) = context.leases.term() {
            tasks.essential(
                "lease-keeper",
                lease_keeper::run(Arc::clone(&registry), term),
            );
        }
        tasks.essential("dispatcher", dispatcher::run(Arc::clone(&registry)));
        let notices = announcer::run(Arc::clone(&registry), options.notify, announced);
        tasks.essential("announcer", notices);
        let publishing = health_events::publish(Arc::clone(&context), health_changed);
        tasks.worker("health-events", publishing);
        Self { registry }
    }

    /// Renders a delivery's message as it was sent last or, before that, as it is sent alone. It says what
    /// its alert said when the delivery was queued; a digest says what its alerts say now.
    pub fn message(&self, space: &Space, message: &DeliveryMessage) -> Bytes {
        let public_url = self.registry.context.public_url.as_deref();
        payload::message_of(message, space, public_url)
    }

    /// Returns the address at which people find an alert, if this service has a public one.
    pub fn alert_url(&self, slug: &Slug, id: AlertId) -> Option<String> {
        self.registry.context.alert_url(slug, id)
    }
}
