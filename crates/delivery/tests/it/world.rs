//! A queue in memory, a receiver over HTTPS, and an engine between them. Back-off is drawn as its least, a millisecond.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use alert_connectors_delivery::{
    Engine, EngineOptions, Proxy, Resolve, Sender, SenderOptions, TimeLimits, Trust,
};
use alert_connectors_inbox::{Authority, Inbox, serve};
use alert_connectors_model::{
    AddressPolicy, AlertId, AlertTypeFilter, Connector, ConnectorId, ConnectorType, DeliveryId,
    Email, Fingerprint, Json, Loc, Random, SeededRandom, SeverityFilter, Slug, Space, SpaceId,
    SystemClock, UrlRules, User, UserId, WebhookUrl, parse_alert,
};
use alert_connectors_store::{
    Due, Event, Form, NextStep, Outcome, Queue, Recorded, StoreError, Tidings,
};
use async_trait::async_trait;
use jiff::Timestamp;
use tokio::{
    net::TcpListener,
    sync::{Mutex as AsyncMutex, mpsc, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) const NOW: &str = "2026-11-23T12:00:00Z";

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

pub(crate) struct MemoryQueue {
    pub(crate) owed: Mutex<Vec<Due>>,
    pub(crate) outcomes: Mutex<Vec<Outcome>>,
    pub(crate) full: watch::Sender<bool>,
    events: mpsc::Sender<Vec<Event>>,
    heard: AsyncMutex<mpsc::Receiver<Vec<Event>>>,
}

impl MemoryQueue {
    pub(crate) fn new() -> Arc<Self> {
        let (events, heard) = mpsc::channel(16);
        let (full, _) = watch::channel(false);
        let heard = AsyncMutex::new(heard);
        Arc::new(Self {
            owed: Mutex::default(),
            outcomes: Mutex::default(),
            full,
            events,
            heard,
        })
    }

    pub(crate) async fn push(&self, dues: Vec<Due>) {
        self.owed.lock().unwrap().extend(dues.clone());
        self.events
            .send(dues.into_iter().map(Event::Queued).collect())
            .await
            .unwrap();
    }

    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        self.outcomes.lock().unwrap().clone()
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn tidings(&self) -> Result<Tidings, StoreError> {
        let mut owed: Vec<_> = self
            .owed
            .lock()
            .unwrap()
            .iter()
            .map(|due| due.connector.destination)
            .collect();
        owed.dedup();
        Ok(Tidings { owed, version: 1 })
    }

    async fn due(
        &self,
        destination: Fingerprint,
        after: i64,
        at_most: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let owed = self.owed.lock().unwrap();
        let wanted = owed
            .iter()
            .filter(|due| due.connector.destination == destination && due.seq > after);
        Ok(wanted.take(at_most).cloned().collect())
    }

    async fn record(&self, outcomes: Vec<Outcome>) -> Result<Vec<Recorded>, StoreError> {
        if *self.full.borrow() {
            return Err(StoreError::Full("no room".into()));
        }
        let mut owed = self.owed.lock().unwrap();
        for outcome in &outcomes {
            match outcome.next {
                NextStep::End { .. } => owed.retain(|due| due.seq != outcome.seq),
                NextStep::Again { form, at } => {
                    for due in owed.iter_mut().filter(|due| due.seq == outcome.seq) {
                        (due.form, due.next_attempt_at) = (form, Some(at));
                    }
                }
            }
        }
        let count = outcomes.len();
        self.outcomes.lock().unwrap().extend(outcomes);
        Ok(vec![Recorded::Done; count])
    }

    async fn next_events(&self) -> Option<Vec<Event>> {
        self.heard.lock().await.recv().await
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
    pub(crate) limits: TimeLimits,
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
            limits: TimeLimits::default(),
        }
    }
}

pub(crate) struct World {
    pub(crate) queue: Arc<MemoryQueue>,
    pub(crate) engine: Engine,
    pub(crate) tasks: TaskTracker,
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
            resolver: setting.resolver,
            clock: Arc::new(SystemClock),
            limits: setting.limits,
        })
        .unwrap();
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let engine = Engine::start(EngineOptions {
            store: Arc::<MemoryQueue>::clone(&queue),
            sender,
            public_url: None,
            random: Arc::new(Least),
            tasks: tasks.clone(),
            stopping: stopping.clone(),
        });
        Self {
            queue,
            engine,
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

    pub(crate) fn due(&self, connector: &Arc<Connector>, seq: i64, title: &str) -> Due {
        let now = time();
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
        Due {
            seq,
            id: DeliveryId::new(now, &self.random),
            alert_id: AlertId::new(now, &self.random),
            space: Arc::new(space),
            alert: Arc::new(alert),
            connector: Arc::clone(connector),
            form: Form::Full,
            attempts: 0,
            next_attempt_at: None,
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
