//! What an embedded service is made of, with a default for everything but its database.

use std::{path::PathBuf, sync::Arc};

use alert_connectors_api::{Identity, Quotas, SignInElsewhere, TrustedProxies};
use alert_connectors_delivery::{Proxy, Rates, Resolve, Trust};
use alert_connectors_model::{HostPattern, UrlRules};
use alert_connectors_store::{AuditSink, Use};
use alert_connectors_tasks::Tasks;
use alert_connectors_traces::Tracer;
use ipnet::IpNet;
use jiff::SignedDuration;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::{
    AlertConnectors, Database, DatabaseUrl, StartError,
    settings::{self, Settings},
    wiring::{Lifetime, wire},
};

/// Builds [`AlertConnectors`].
#[must_use]
pub struct Builder {
    database: Source,
    key_file: Option<PathBuf>,
    tasks: Option<(Tasks, CancellationToken)>,
    settings: Settings,
}

enum Source {
    Url(String),
    Opened(Database),
}

impl Builder {
    /// How long a delivery is tried, by default.
    pub const RETRY_FOR: SignedDuration = settings::RETRY_FOR;
    /// How old the last notification of a problem is when the next repeat reminds of it, by default.
    pub const RENOTIFY: SignedDuration = settings::RENOTIFY;
    /// How long history is kept, by default.
    pub const RETENTION: SignedDuration = settings::RETENTION;
    /// How long entries of the audit trail are kept if nothing is said.
    pub const AUDIT_RETENTION: SignedDuration = settings::AUDIT_RETENTION;
    /// The maximum number of open connections to webhooks, by default.
    pub const WEBHOOK_CONNECTIONS: usize = settings::WEBHOOK_CONNECTIONS;

    /// The most connections to webhooks that may be set.
    pub const WEBHOOK_CONNECTIONS_MAX: usize = settings::WEBHOOK_CONNECTIONS_MAX;
    /// The longest span that may be set: ten years.
    pub const SPAN_MAX: SignedDuration = settings::SPAN_MAX;

    pub(crate) fn of_url(url: &str) -> Self {
        Self::of(Source::Url(url.to_owned()))
    }

    pub(crate) fn on(database: Database) -> Self {
        Self::of(Source::Opened(database))
    }

    fn of(database: Source) -> Self {
        Self {
            database,
            key_file: None,
            tasks: None,
            settings: Settings::default(),
        }
    }

    /// The file with the keys that seal webhook URLs. By default `secret.key` beside the SQLite file, made if the
    /// database is new; PostgreSQL has no default.
    pub fn secret_key_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key_file = Some(path.into());
        self
    }

    /// Identifies the callers of the routes. By default by the users and tokens of the database.
    pub fn identity(mut self, identity: impl Identity + 'static) -> Self {
        self.settings.identity = Some(Arc::new(identity));
        self
    }

    /// Signs browsers in at another service. By default nobody is signed in elsewhere.
    pub fn single_sign_on(mut self, elsewhere: impl SignInElsewhere + 'static) -> Self {
        self.settings.elsewhere = Some(Arc::new(elsewhere));
        self
    }

    /// Where webhook URLs may lead. By default to public addresses only, and never to this machine.
    pub fn rules(mut self, rules: UrlRules) -> Self {
        self.settings.rules = rules;
        self
    }

    /// Certificates to trust in addition to the public roots.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.settings.trust = trust;
        self
    }

    /// An HTTP proxy on the way to webhooks, and the hosts that are reached without it.
    pub fn proxy(mut self, proxy: Proxy, except: Vec<HostPattern>) -> Self {
        self.settings.proxy = Some(proxy);
        self.settings.no_proxy = except;
        self
    }

    /// How host names are looked up. By default as the system does.
    pub fn resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.settings.resolver = resolver;
        self
    }

    /// The rate limit of each platform. By default what Slack and Teams document.
    pub fn rates(mut self, rates: Rates) -> Self {
        self.settings.rates = rates;
        self
    }

    /// The maximum number of open connections to webhooks, from 1 to 8192: 512 by default.
    pub fn webhook_connections(mut self, most: usize) -> Self {
        self.settings.webhook_connections = most;
        self
    }

    /// How long a delivery is tried until it expires, at most ten years: 24 hours by default.
    pub fn retry_for(mut self, span: SignedDuration) -> Self {
        self.settings.retry_for = span;
        self
    }

    /// How old the last notification of a problem is when the next repeat reminds of it: 4 hours by default.
    pub fn renotify(mut self, span: SignedDuration) -> Self {
        self.settings.renotify = span;
        self
    }

    /// History older than this is removed: 30 days by default.
    pub fn retention(mut self, span: SignedDuration) -> Self {
        self.settings.retention = span;
        self
    }

    /// Entries of the audit trail that are older than this are removed: a year by default.
    pub fn audit_retention(mut self, span: SignedDuration) -> Self {
        self.settings.audit_retention = span;
        self
    }

    /// Follows the audit trail in place of the log: it is called with each entry, once that is stored.
    pub fn audit_sink(mut self, sink: Arc<dyn AuditSink>) -> Self {
        self.settings.audit_sink = sink;
        self
    }

    /// How much each space may post and store, and how many connectors it may have: no limits by default.
    pub fn quotas(mut self, quotas: Arc<dyn Quotas>) -> Self {
        self.settings.quotas = quotas;
        self
    }

    /// Records sampled alerts: the requests that post them, and their deliveries. None are by default.
    pub fn tracer(mut self, tracer: Tracer) -> Self {
        self.settings.tracer = Some(tracer);
        self
    }

    /// Where people open the service, such as `https://platform.example.com/notifications`: messages link to
    /// `/console/spaces/{slug}/alerts/{id}` below it, which is a page of the program's console. A host without that console
    /// serves a page of its own there, or leaves the URL out, and messages have no such link.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.settings.public_url = Some(url.into());
        self
    }

    /// Proxies whose `X-Forwarded-For` is trusted. That takes the address of each connection, which the host puts into the
    /// extensions of each request as a [`Peer`](crate::Peer).
    pub fn trusted_proxies(mut self, networks: Vec<IpNet>) -> Self {
        self.settings.trusted_proxies = TrustedProxies(networks);
        self
    }

    /// The metrics that [`AlertConnectors::operations_router`] shows beside those of the service, whose names begin with
    /// `alert_connectors_`.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.settings.registry = registry;
        self
    }

    /// Runs the service's tasks among the host's own, which end when `stopping` is cancelled, and which the host waits
    /// for. By default the service has its own, which [`AlertConnectors::stop`] ends.
    pub fn tasks(mut self, tasks: Tasks, stopping: CancellationToken) -> Self {
        self.tasks = Some((tasks, stopping));
        self
    }

    /// Opens the database and starts to work its pending deliveries. Creates an absent SQLite file, and migrates an old
    /// schema.
    pub async fn start(self) -> Result<AlertConnectors, StartError> {
        // Before a database is made or migrated.
        self.settings.check()?;
        let owns_tasks = self.tasks.is_none();
        let (tasks, stopping) = self.tasks.unwrap_or_else(|| {
            let stopping = CancellationToken::new();
            (Tasks::new(stopping.clone(), None), stopping)
        });
        let database = match self.database {
            Source::Opened(database) => database,
            Source::Url(url) => open(&url, self.key_file, tasks.clone()).await?,
        };
        if let Some(loss) = database.log_loss() {
            tracing::error!("{loss}");
        }
        let lifetime = Lifetime {
            tasks,
            stopping,
            owns_tasks,
        };
        wire(self.settings, database, lifetime)
    }
}

async fn open(url: &str, key_file: Option<PathBuf>, tasks: Tasks) -> Result<Database, StartError> {
    let url = DatabaseUrl::parse(url).map_err(StartError::Url)?;
    let key_file = key_file.or_else(|| url.default_key_file());
    let key_file = key_file.ok_or(StartError::NoKeyFile)?;
    Ok(Database::open(&url, &key_file, Use::Server, tasks).await?)
}
