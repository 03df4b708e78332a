//! The settings of a service with their defaults, and why it does not start.

use std::sync::Arc;

use alert_connectors_api::{
    AuditLog, FixedQuotas, Identity, Quotas, SignInElsewhere, TrustedProxies,
};
use alert_connectors_delivery::{Proxy, Rates, Resolve, SystemResolver, Trust};
use alert_connectors_model::{HostPattern, UrlRules};
use alert_connectors_store::AuditSink;
use alert_connectors_traces::Tracer;
use jiff::SignedDuration;
use prometheus_client::registry::Registry;

use crate::{OpenError, own_names};

pub(crate) const RETRY_FOR: SignedDuration = SignedDuration::from_hours(24);
pub(crate) const RENOTIFY: SignedDuration = SignedDuration::from_hours(4);
pub(crate) const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long entries of the audit trail are kept: a year.
pub(crate) const AUDIT_RETENTION: SignedDuration = SignedDuration::from_hours(365 * 24);
pub(crate) const WEBHOOK_CONNECTIONS: usize = 512;

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database's URL is not valid.
    #[error("the database URL {0}")]
    Url(String),
    /// A setting has a value that it cannot have.
    #[error("{setting} can't be {value}: it must be {rule}")]
    Setting {
        /// The setting, by the name of the builder's function.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What its values are.
        rule: &'static str,
    },
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
    pub(crate) elsewhere: Option<Arc<dyn SignInElsewhere>>,
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
    pub(crate) audit_retention: SignedDuration,
    pub(crate) audit_sink: Arc<dyn AuditSink>,
    pub(crate) quotas: Arc<dyn Quotas>,
    pub(crate) public_url: Option<String>,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) registry: Registry,
    pub(crate) tracer: Option<Tracer>,
}

/// The longest span of a setting: ten years.
pub(crate) const SPAN_MAX: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);
/// The most connections to webhooks.
pub(crate) const WEBHOOK_CONNECTIONS_MAX: usize = 8_192;

impl Settings {
    /// Refuses the first setting that has a value that it cannot have.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let refused = |setting, value, rule| {
            Err(StartError::Setting {
                setting,
                value,
                rule,
            })
        };
        for (setting, span) in [
            ("retry_for", self.retry_for),
            ("renotify", self.renotify),
            ("retention", self.retention),
            ("audit_retention", self.audit_retention),
        ] {
            if span <= SignedDuration::ZERO || span > SPAN_MAX {
                return refused(
                    setting,
                    format!("{span:#}"),
                    "longer than nothing, and at most ten years",
                );
            }
        }
        let connections = self.webhook_connections;
        if !(1..=WEBHOOK_CONNECTIONS_MAX).contains(&connections) {
            return refused(
                "webhook_connections",
                connections.to_string(),
                "from 1 to 8192",
            );
        }
        match &self.public_url {
            Some(url) if !is_web_address(url) => {
                let rule = "an address that begins with https:// or http:// and has no query";
                refused("public_url", format!("{url:?}"), rule)
            }
            _ => Ok(()),
        }
    }
}

/// Whether a text is an address of the web with a host, without a query.
fn is_web_address(text: &str) -> bool {
    let uri = text.parse::<axum::http::Uri>().ok();
    uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("https" | "http"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.query().is_none()
    })
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            identity: None,
            elsewhere: None,
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
            audit_retention: AUDIT_RETENTION,
            audit_sink: Arc::new(AuditLog),
            quotas: Arc::new(FixedQuotas::default()),
            public_url: None,
            trusted_proxies: TrustedProxies(Vec::new()),
            registry: Registry::default(),
            tracer: None,
        }
    }
}
