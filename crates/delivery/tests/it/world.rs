//! A receiver over HTTPS, and an engine between it and a queue in memory. Back-off is drawn as its least, a millisecond.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use alert_connectors_delivery::{
    BackoffConfig, ConnectorNotice, DeliveryMeters, Engine, EngineOptions, NotifyError,
    NotifySpace, Proxy, Rate, Rates, Resolve, Sender, SenderOptions, TestError, TestReport,
    TimeLimits, Trust,
};
use alert_connectors_feed::Feed;
use alert_connectors_inbox::{Authority, Behaviour, Inbox, serve};
use alert_connectors_model::{
    AddressPolicy, AlertId, AlertTypeFilter, Clock, Connector, ConnectorId, ConnectorType,
    DeliveryId, DeliveryKind, Email, Fingerprint, HostPattern, Json, Loc, Random, SeededRandom,
    SeverityFilter, Slug, Space, SpaceId, SystemClock, UrlRules, User, UserId, WebhookUrl,
    parse_alert,
};
use alert_connectors_store::{Form, OpeningState, PendingDelivery};
use alert_connectors_tasks::Tasks;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::memory_queue::MemoryQueue;

pub(crate) const NOW: &str = "2026-11-23T12:00:00Z";

/// A webhook, and its path at the receiver.
pub(crate) const URL: &str = "https://hooks.slack.com/services/T/B/x";
pub(crate) const PATH: &str = "/services/T/B/x";

/// Answers with a known row, so many times.
pub(crate) fn row(name: &str, times: Option<u32>) -> Behaviour {
    Behaviour {
        row: Some(name.to_owned()),
        times,
        ..Behaviour::default()
    }
}

/// Draws the least of everything.
pub(crate) struct Least;

impl Random for Least {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// Every name leads to one address.
pub(crate) struct Fixed(pub(crate) Vec<SocketAddr>);

#[async_trait]
impl Resolve for Fixed {
    async fn resolve(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(self.0.clone())
    }
}

/// Keeps what spaces are told.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<(String, ConnectorNotice)>>);

impl Told {
    pub(crate) fn all(&self) -> Vec<(String, ConnectorNotice)> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl NotifySpace for Told {
    async fn notify(
        &self,
        _space: &Space,
        connector: &Connector,
        notice: &ConnectorNotice,
    ) -> Result<(), NotifyError> {
        let told = (connector.name.clone(), notice.clone());
        self.0.lock().unwrap().push(told);
        Ok(())
    }
}

/// An HTTPS receiver with its own authority.
pub(crate) struct Receiver {
    pub(crate) inbox: Inbox,
    pub(crate) authority: Authority,
    pub(crate) address: SocketAddr,
    stopping: CancellationToken,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let authority = Authority::for_names(vec![
            "hooks.slack.com".to_owned(),
            "webhook.example".to_owned(),
        ])
        .unwrap();
        let inbox = Inbox::new(Arc::new(SystemClock));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(serve(
            listener,
            authority.server_config(),
            inbox.router(),
            tasks.clone(),
            stopping.clone(),
        ));
        Self {
            inbox,
            authority,
            address,
            stopping,
        }
    }
}

/// How the sender of a test differs from the usual one.
pub(crate) struct Setting {
    pub(crate) allowed: Vec<&'static str>,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) trust: Trust,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) no_proxy: Vec<HostPattern>,
    pub(crate) limits: TimeLimits,
    pub(crate) rates: Rates,
    pub(crate) backoff: BackoffConfig,
}

/// No pace: what is being tested is not how long things take.
pub(crate) fn unlimited() -> Rates {
    let rates = Rates::default().with(ConnectorType::Slack, None);
    rates.with(ConnectorType::Teams, None)
}

/// A pace for Slack: one request in so many milliseconds, and so many at once.
pub(crate) fn slack_each(milliseconds: u64, burst: u32) -> Rates {
    let within = Duration::from_millis(milliseconds);
    Rates::default().with(ConnectorType::Slack, Rate::new(1, within, burst))
}

/// Probes as soon as may be.
pub(crate) fn impatient() -> BackoffConfig {
    BackoffConfig {
        probe_first: Duration::from_millis(1),
        probe_max: Duration::from_millis(1),
        unanswered_first: Duration::from_millis(1),
        unanswered_max: Duration::from_millis(1),
        ..BackoffConfig::default()
    }
}

impl Setting {
    pub(crate) fn to(receiver: &Receiver) -> Self {
        Self {
            allowed: vec!["127.0.0.0/8"],
            resolver: Arc::new(Fixed(vec![receiver.address])),
            trust: Trust {
                extra_roots: vec![receiver.authority.ca()],
            },
            proxy: None,
            no_proxy: Vec::new(),
            limits: TimeLimits::default(),
            rates: unlimited(),
            backoff: BackoffConfig::default(),
        }
    }
}

pub(crate) struct World {
    pub(crate) queue: Arc<MemoryQueue>,
    pub(crate) engine: Engine,
    pub(crate) told: Arc<Told>,
    pub(crate) meters: DeliveryMeters,
    pub(crate) tasks: Tasks,
    pub(crate) stopping: CancellationToken,
    random: SeededRandom,
    /// What those who watch a space learn.
    pub(crate) feed: Feed,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

impl World {
    /// Posts a test message to a connector.
    pub(crate) async fn test(&self, connector: &Connector) -> Result<TestReport, TestError> {
        self.engine.test(connector.into(), "S").await
    }

    pub(crate) fn start(setting: Setting) -> Self {
        Self::start_with(setting, MemoryQueue::new())
    }

    pub(crate) fn start_with(setting: Setting, queue: Arc<MemoryQueue>) -> Self {
        let networks = setting
            .allowed
            .iter()
            .map(|network| network.parse().unwrap())
            .collect();
        let sender = Sender::new(SenderOptions {
            rules: UrlRules {
                addresses: AddressPolicy::allowing(networks),
                ..UrlRules::default()
            },
            trust: setting.trust,
            proxy: setting.proxy,
            no_proxy: setting.no_proxy,
            resolver: setting.resolver,
            clock: Arc::new(SystemClock),
            limits: setting.limits,
        })
        .unwrap();
        let stopping = CancellationToken::new();
        let tasks = Tasks::new(stopping.clone(), None);
        let told = Arc::<Told>::default();
        let meters = DeliveryMeters::default();
        let random = SeededRandom::new(5);
        let feed = Feed::new(Arc::new(SystemClock), &random, stopping.clone());
        let engine = Engine::start(EngineOptions {
            store: Arc::<MemoryQueue>::clone(&queue),
            leases: Arc::<MemoryQueue>::clone(&queue),
            feed: feed.clone(),
            sender,
            notify: Arc::<Told>::clone(&told),
            rates: setting.rates,
            backoff: setting.backoff,
            connections_max: 512,
            retry_for: SignedDuration::from_hours(24),
            meters: meters.clone(),
            public_url: None,
            tracer: None,
            random: Arc::new(Least),
            tasks: tasks.clone(),
            stopping: stopping.clone(),
        });
        Self {
            queue,
            engine,
            told,
            meters,
            tasks,
            stopping,
            random,
            feed,
        }
    }

    pub(crate) fn connector(&self, url: &str) -> Arc<Connector> {
        let now = time();
        let mut destination = [0; 16];
        for (at, byte) in url.bytes().enumerate() {
            destination[at % 16] ^= byte.rotate_left(u32::try_from(at / 16).unwrap());
        }
        Arc::new(Connector {
            id: ConnectorId::new(now, &self.random),
            space_id: SpaceId::new(now, &self.random),
            name: "c".to_owned(),
            connector_type: ConnectorType::Slack,
            webhook_url: WebhookUrl::parse(url).unwrap(),
            destination: Fingerprint(destination),
            is_active: true,
            severity_filter: SeverityFilter::new([]),
            alert_type_filter: AlertTypeFilter::All,
            created_by: User {
                id: UserId::new(now, &self.random),
                email: Email::parse("a@example.com").unwrap(),
                full_name: "A".to_owned(),
            },
            created_at: now,
            updated_at: now,
        })
    }

    pub(crate) fn due(&self, connector: &Arc<Connector>, seq: i64, title: &str) -> PendingDelivery {
        let now = SystemClock.now();
        let text = format!(r#"{{"alert_type":"a","severity":"high","title":"{title}"}}"#);
        let alert = parse_alert(Json::parse(text.as_bytes()).unwrap(), &Loc::body(), now)
            .unwrap()
            .alert;
        let slug = Slug::parse("s").unwrap();
        let space = Space {
            id: connector.space_id,
            slug,
            name: "S".to_owned(),
            created_at: now,
        };
        PendingDelivery {
            seq,
            id: DeliveryId::new(now, &self.random),
            alert_id: AlertId::new(now, &self.random),
            kind: DeliveryKind::Opening,
            opening: OpeningState::Arrived,
            created_at: now,
            queued_at: now,
            space: Arc::new(space),
            alert: Arc::new(alert),
            connector: Arc::clone(connector),
            form: Form::Full,
            attempts: 0,
            trace: None,
        }
    }
}

pub(crate) fn time() -> Timestamp {
    NOW.parse().unwrap()
}

/// Waits until something is so, or says what was seen last.
pub(crate) async fn until<T: std::fmt::Debug>(
    look: impl Fn() -> T,
    is_so: impl Fn(&T) -> bool,
) -> T {
    let waited = async {
        loop {
            let seen = look();
            if is_so(&seen) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let deadline = tokio::time::timeout(Duration::from_secs(20), waited).await;
    deadline.unwrap_or_else(|_late| unreachable!("it never became so; last seen: {:?}", look()))
}
