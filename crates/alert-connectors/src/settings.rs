//! The settings of a service with their defaults, and why it does not start.

use std::sync::Arc;

use alert_connectors_api::{Identity, METRICS_PREFIX, TrustedProxies};
use alert_connectors_delivery::{Proxy, Rates, Resolve, SystemResolver, Trust};
use alert_connectors_model::{HostPattern, UrlRules};
use jiff::SignedDuration;
use prometheus_client::registry::Registry;

use crate::{OpenError, own_names};

pub(crate) const RETRY_FOR: SignedDuration = SignedDuration::from_hours(24);
pub(crate) const RENOTIFY: SignedDuration = SignedDuration::from_hours(4);
pub(crate) const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);
pub(crate) const WEBHOOK_CONNECTIONS: usize = 512;

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database's URL is not valid.
    #[error("the database URL {0}")]
    Url(String),
    /// A PostgreSQL database without a secret key file.
    #[error(
        "the secret key file must be named with PostgreSQL, since all servers share it; `alert-connectors key new FILE` makes one"
    )]
    NoKeyFile,
    /// The database cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The trusted certificates cannot be used.
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
}

/// The settings that have a default.
pub(crate) struct Settings {
    pub(crate) identity: Option<Arc<dyn Identity>>,
    pub(crate) rules: UrlRules,
    pub(crate) trust: Trust,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) no_proxy: Vec<HostPattern>,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) rates: Rates,
    pub(crate) webhook_connections: usize,
    pub(crate) retry_for: SignedDuration,
    pub(crate) renotify: SignedDuration,
    pub(crate) retention: SignedDuration,
    pub(crate) public_url: Option<String>,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) registry: Registry,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            identity: None,
            rules: UrlRules {
                own_names: own_names(),
                ..UrlRules::default()
            },
            trust: Trust::default(),
            proxy: None,
            no_proxy: Vec::new(),
            resolver: Arc::new(SystemResolver::default()),
            rates: Rates::default(),
            webhook_connections: WEBHOOK_CONNECTIONS,
            retry_for: RETRY_FOR,
            renotify: RENOTIFY,
            retention: RETENTION,
            public_url: None,
            trusted_proxies: TrustedProxies(Vec::new()),
            registry: Registry::with_prefix(METRICS_PREFIX),
        }
    }
}
