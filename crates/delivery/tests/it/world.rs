//! A queue in memory, a receiver over HTTPS, and an engine between them. Back-off is drawn as its least, a millisecond.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use alert_connectors_delivery::{
    BackoffConfig, ConnectorNotice, DeliveryMeters, Engine, EngineOptions, NotifySpace, Proxy,
    Rates, Resolve, Sender, SenderOptions, TimeLimits, Trust,
};
use alert_connectors_inbox::{Authority, Behaviour, Inbox, serve};
use alert_connectors_model::{
    AddressPolicy, AlertId, AlertTypeFilter, Clock, Connector, ConnectorId, ConnectorType,
    DeliveryId, DeliveryKind, DeliveryState, Email, Fingerprint, HostPattern, Json, Loc, Random,
    SeededRandom, SeverityFilter, Slug, Space, SpaceId, SystemClock, UrlRules, User, UserId,
    WebhookUrl, parse_alert,
};
use alert_connectors_store::{
    Backlog, DestinationHealth, DigestBatch, DigestEntry, Event, Expiry, Form, Known, NextStep,
    OpeningState, Outcome, PendingDelivery, Queue, Recorded, Report, StoreError,
};
use alert_connectors_tasks::Tasks;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::{
    net::TcpListener,
    sync::{Mutex as AsyncMutex, mpsc, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::leases::LeaseBook;

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

/// A queue in memory. What ended is kept, so that it can be revived and asked for.
pub(crate) struct MemoryQueue {
    pub(crate) owed: Mutex<Vec<PendingDelivery>>,
    ended: Mutex<Vec<(PendingDelivery, DeliveryState)>>,
    pub(crate) outcomes: Mutex<Vec<Outcome>>,
    pub(crate) health: Mutex<DestinationHealth>,
    /// Every one that was recorded, in their order.
    pub(crate) healths: Mutex<Vec<DestinationHealth>>,
    pub(crate) full: watch::Sender<bool>,
    /// How often recording was refused.
    pub(crate) refused: AtomicUsize,
    /// How many deliveries were read.
    pub(crate) read: AtomicUsize,
    /// How often deliveries were read.
    pub(crate) reads: AtomicUsize,
    /// The version of identity and spaces.
    pub(crate) version: AtomicI64,
    events: mpsc::Sender<Vec<Event>>,
    heard: AsyncMutex<mpsc::Receiver<Vec<Event>>>,
    /// Every report that was recorded, in their order.
    pub(crate) reports: Mutex<Vec<Report>>,
    pub(crate) leases: Option<LeaseBook>,
}

impl MemoryQueue {
    pub(crate) fn new() -> Arc<Self> {
        Self::with(None)
    }

    /// One that another server works too.
    pub(crate) fn shared() -> Arc<Self> {
        Self::with(Some(LeaseBook::default()))
    }

    fn with(leases: Option<LeaseBook>) -> Arc<Self> {
        let (events, heard) = mpsc::channel(16);
        let (full, _) = watch::channel(false);
        let heard = AsyncMutex::new(heard);
        Arc::new(Self {
            owed: Mutex::default(),
            ended: Mutex::default(),
            outcomes: Mutex::default(),
            health: Mutex::default(),
            healths: Mutex::default(),
            full,
            refused: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            version: AtomicI64::new(1),
            events,
            heard,
            reports: Mutex::default(),
            leases,
        })
    }

    pub(crate) async fn push(&self, dues: Vec<PendingDelivery>) {
        self.owed.lock().unwrap().extend(dues.clone());
        self.tell(dues.into_iter().map(Event::Queued).collect())
            .await;
    }

    pub(crate) async fn tell(&self, events: Vec<Event>) {
        self.events.send(events).await.unwrap();
    }

    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        self.outcomes.lock().unwrap().clone()
    }

    pub(crate) fn health(&self) -> DestinationHealth {
        self.health.lock().unwrap().clone()
    }

    fn apply(&self, outcome: &Outcome) {
        let mut owed = self.owed.lock().unwrap();
        match outcome.next {
            NextStep::End { state, .. } => {
                let ended = owed.iter().find(|due| due.seq == outcome.seq).cloned();
                owed.retain(|due| due.seq != outcome.seq);
                self.ended
                    .lock()
                    .unwrap()
                    .extend(ended.map(|due| (due, state)));
            }
            NextStep::Again { form, .. } => {
                for due in owed.iter_mut().filter(|due| due.seq == outcome.seq) {
                    due.form = form;
                    due.attempts += u32::from(outcome.attempt.is_some());
                }
            }
        }
    }

    fn revive(&self, seq: i64) {
        let mut ended = self.ended.lock().unwrap();
        if let Some(at) = ended.iter().position(|(due, _)| due.seq == seq) {
            let (mut due, _) = ended.remove(at);
            due.form = Form::Full;
            let mut owed = self.owed.lock().unwrap();
            owed.push(due);
            owed.sort_by_key(|due| due.seq);
        }
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn version(&self) -> Result<i64, StoreError> {
        Ok(self.version.load(Ordering::SeqCst))
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let owed = self.owed.lock().unwrap();
        let mut owed: Vec<_> = owed.iter().map(|due| due.connector.destination).collect();
        owed.dedup();
        Ok(Backlog {
            pending: owed,
            troubled: Vec::new(),
            queued_elsewhere: false,
        })
    }

    async fn known(&self, _destination: Fingerprint, _now: Timestamp) -> Result<Known, StoreError> {
        Ok(Known {
            health: self.health(),
            last_request_at: None,
        })
    }

    async fn due(
        &self,
        destination: Fingerprint,
        after: i64,
        at_most: usize,
        _expiry: Expiry,
    ) -> Result<Vec<PendingDelivery>, StoreError> {
        let owed = self.owed.lock().unwrap();
        let wanted = owed
            .iter()
            .filter(|due| due.connector.destination == destination && due.seq > after);
        let wanted: Vec<PendingDelivery> = wanted.take(at_most).cloned().collect();
        self.read.fetch_add(wanted.len(), Ordering::SeqCst);
        self.reads.fetch_add(1, Ordering::SeqCst);
        Ok(wanted)
    }

    async fn digest_batch(
        &self,
        destination: Fingerprint,
        from: i64,
        at_most: usize,
        in_full: usize,
        expiry: Expiry,
    ) -> Result<Option<DigestBatch>, StoreError> {
        let due = self.due(destination, from - 1, usize::MAX, expiry).await?;
        let Some(first) = due.first() else {
            return Ok(None);
        };
        let mine = due
            .iter()
            .filter(|due| due.connector.id == first.connector.id);
        let entry = |(at, due): (usize, &PendingDelivery)| DigestEntry {
            seq: due.seq,
            id: due.id,
            alert_id: due.alert_id,
            kind: due.kind,
            opening: due.opening,
            severity: due.alert.severity,
            status: due.alert.status,
            attempts: due.attempts,
            created_at: due.created_at,
            alert: (at < in_full).then(|| Arc::clone(&due.alert)),
        };
        Ok(Some(DigestBatch {
            space: Arc::clone(&first.space),
            connector: Arc::clone(&first.connector),
            entries: mine.take(at_most).enumerate().map(entry).collect(),
        }))
    }

    async fn opening(&self, follow_up: i64, _expiry: Expiry) -> Result<OpeningState, StoreError> {
        let owed = self.owed.lock().unwrap();
        let Some(asked) = owed.iter().find(|due| due.seq == follow_up) else {
            return Ok(OpeningState::Undelivered);
        };
        let before = self.ended.lock().unwrap();
        let arrived = before.iter().any(|(due, state)| {
            due.alert_id == asked.alert_id && *state == DeliveryState::Delivered
        });
        Ok(if arrived {
            OpeningState::Arrived
        } else {
            OpeningState::Undelivered
        })
    }

    async fn connectors_of(
        &self,
        destination: Fingerprint,
    ) -> Result<Vec<(Arc<Space>, Arc<Connector>)>, StoreError> {
        let owed = self.owed.lock().unwrap();
        let ended = self.ended.lock().unwrap();
        let mut all = owed.iter().chain(ended.iter().map(|(due, _)| due));
        let one = all.find(|due| due.connector.destination == destination);
        Ok(one
            .map(|due| (Arc::clone(&due.space), Arc::clone(&due.connector)))
            .into_iter()
            .collect())
    }

    async fn record(&self, reports: Arc<[Report]>) -> Result<Vec<Recorded>, StoreError> {
        if *self.full.borrow() {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Full("no memory".into()));
        }
        let mut count = 0;
        self.reports.lock().unwrap().extend(reports.iter().cloned());
        for report in reports.iter() {
            for outcome in &report.outcomes {
                self.apply(outcome);
                self.outcomes.lock().unwrap().push(outcome.clone());
                count += 1;
            }
            for seq in &report.revived {
                self.revive(*seq);
            }
            if let Some(health) = &report.health {
                self.health.lock().unwrap().clone_from(health);
                self.healths.lock().unwrap().push(health.clone());
            }
        }
        Ok(vec![Recorded::Done; count])
    }

    async fn next_events(&self) -> Option<Vec<Event>> {
        self.heard.lock().await.recv().await
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
    ) -> Result<(), StoreError> {
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
    let rates = Rates::default().with("slack=unlimited").unwrap();
    rates.with("teams=unlimited").unwrap()
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
}

impl Drop for World {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

impl World {
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
        let engine = Engine::start(EngineOptions {
            store: Arc::<MemoryQueue>::clone(&queue),
            leases: Arc::<MemoryQueue>::clone(&queue),
            sender,
            notify: Arc::<Told>::clone(&told),
            rates: setting.rates,
            backoff: setting.backoff,
            connections_max: 512,
            retry_for: SignedDuration::from_hours(24),
            meters: meters.clone(),
            public_url: None,
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
            random: SeededRandom::new(5),
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
