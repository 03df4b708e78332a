//! The configuration of `serve`. All faults are reported at once.

use std::net::SocketAddr;

use alert_connectors::{Builder, DatabaseUrl, FixedQuotas, own_names};
use alert_connectors_delivery::{Proxy, Rates, Trust};
use alert_connectors_model::{AddressPolicy, HostPattern, UrlRules};
use alert_connectors_sso::ClaimRules;
use ipnet::IpNet;
use jiff::SignedDuration;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use url::Url;

use super::{
    DatabaseConfig, Faults, Layers, SsoConfig, TracesConfig,
    database::DATABASE_URL_DEFAULT,
    length_of_time,
    quotas::quotas,
    rates::rates,
    reading::{many, maybe, network},
    sso::SCOPES_DEFAULT,
    traces::RATIO_DEFAULT,
};
use crate::telemetry::LogFormat;

const LISTEN_DEFAULT: &str = "127.0.0.1:8080";

/// The configuration of the service.
pub(crate) struct ServeConfig {
    pub(crate) database: DatabaseConfig,
    pub(crate) listen: SocketAddr,
    /// For metrics and probes alone.
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) public_url: Option<String>,
    pub(crate) rules: UrlRules,
    pub(crate) trust: Trust,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) no_proxy: Vec<HostPattern>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) rates: Rates,
    /// The maximum number of open connections to webhooks, if the system allows that many.
    pub(crate) webhook_connections: usize,
    pub(crate) spans: Spans,
    /// How much each space may have.
    pub(crate) quotas: FixedQuotas,
    /// Where spans go, if they go anywhere.
    pub(crate) traces: Option<TracesConfig>,
    /// Whose tokens are accepted beside those of this service.
    pub(crate) sso: Option<SsoConfig>,
    pub(crate) log_format: LogFormat,
}

/// The lengths of time that can be set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spans {
    /// How long a delivery is tried.
    pub(crate) retry_for: SignedDuration,
    /// How old the last notification of a problem is when the next repeat reminds of it.
    pub(crate) renotify: SignedDuration,
    /// History older than this is removed.
    pub(crate) retention: SignedDuration,
    pub(crate) audit_retention: SignedDuration,
}

const RETRY_FOR_DEFAULT: &str = "24h";
const RENOTIFY_DEFAULT: &str = "4h";
const RETENTION_DEFAULT: &str = "30d";
const AUDIT_RETENTION_DEFAULT: &str = "365d";

impl Default for Spans {
    fn default() -> Self {
        Self {
            retry_for: Builder::RETRY_FOR,
            renotify: Builder::RENOTIFY,
            retention: Builder::RETENTION,
            audit_retention: Builder::AUDIT_RETENTION,
        }
    }
}

impl Spans {
    fn parse(layers: &Layers, faults: &mut Faults) -> Self {
        let default = Self::default();
        let mut read = |name| maybe(layers, name, faults, span);
        Self {
            retry_for: read("retry-for").unwrap_or(default.retry_for),
            renotify: read("renotify").unwrap_or(default.renotify),
            retention: read("retention").unwrap_or(default.retention),
            audit_retention: read("audit-retention").unwrap_or(default.audit_retention),
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let wanted = |_malformed| "write an address and a port, such as 127.0.0.1:8080".to_owned();
    text.parse().map_err(wanted)
}

fn connections(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    number
        .filter(|number| (1..=Builder::WEBHOOK_CONNECTIONS_MAX).contains(number))
        .ok_or_else(|| format!("{text:?} is no number from 1 to 8192"))
}

fn span(text: &str) -> Result<SignedDuration, String> {
    let span = length_of_time(text).and_then(|span| SignedDuration::try_from(span).ok());
    span.filter(|span| !span.is_zero() && *span <= Builder::SPAN_MAX)
        .ok_or_else(|| format!("{text:?} is no length of time; write it as 30m, 24h or 30d"))
}

/// The database, and whether it must have a standby.
fn database(layers: &Layers, faults: &mut Faults) -> DatabaseConfig {
    let mut database = DatabaseConfig::parse(layers, faults);
    let requires = maybe(layers, "require-standby", faults, yes_or_no);
    if requires == Some(true) {
        match &mut database.url {
            DatabaseUrl::Postgres(url) => url.require_standby(),
            // Which is in the place of an address with a fault.
            DatabaseUrl::Sqlite(path) if path.as_os_str().is_empty() => {}
            DatabaseUrl::Sqlite(_) => {
                let (_, origin) = layers.one("require-standby").unwrap_or_default();
                faults.add(origin, "require-standby", "only PostgreSQL has standbys");
            }
        }
    }
    database
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    text.parse()
        .map_err(|_other| format!("{text:?} is neither true nor false"))
}

impl ServeConfig {
    /// Reads the configuration from the layers.
    pub(crate) fn parse(layers: &Layers, faults: &mut Faults) -> Self {
        let listen = match layers.one("listen") {
            Some(_) => maybe(layers, "listen", faults, address),
            None => address(LISTEN_DEFAULT).ok(),
        };
        let hosts = many(layers, "allow-host", faults, HostPattern::parse);
        let networks = many(layers, "allow-network", faults, network);
        let (trust, public_url) = (trust(layers, faults), public_url(layers, faults));
        Self {
            database: database(layers, faults),
            // After a fault nothing listens.
            listen: listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
            metrics_listen: maybe(layers, "metrics-listen", faults, address),
            rules: UrlRules {
                addresses: AddressPolicy::allowing(networks),
                hosts,
                own_names: own_names(),
            },
            sso: SsoConfig::parse(layers, faults, &trust, public_url.as_deref()),
            public_url,
            trust,
            proxy: maybe(layers, "proxy", faults, Proxy::parse),
            no_proxy: many(layers, "no-proxy", faults, HostPattern::parse),
            trusted_proxies: many(layers, "trust-proxy", faults, network),
            rates: rates(layers, faults),
            webhook_connections: maybe(layers, "webhook-connections", faults, connections)
                .unwrap_or(Builder::WEBHOOK_CONNECTIONS),
            spans: Spans::parse(layers, faults),
            quotas: quotas(layers, faults),
            traces: TracesConfig::parse(layers, faults),
            log_format: maybe(layers, "log-format", faults, log_format)
                .unwrap_or_else(LogFormat::default_here),
        }
    }

    /// The default of a setting, for `--print-config`.
    pub(crate) fn default_of(&self, name: &str) -> Option<String> {
        match name {
            "secret-key-file" => Some(self.database.key_file.display().to_string()),
            "listen" => Some(LISTEN_DEFAULT.to_owned()),
            "database-url" => Some(DATABASE_URL_DEFAULT.to_owned()),
            "rate" => Some("slack=1/1s,burst=4,teams=1/15s,burst=5".to_owned()),
            "webhook-connections" => Some(Builder::WEBHOOK_CONNECTIONS.to_string()),
            "email-claim" => Some(ClaimRules::default().email),
            "name-claim" => Some(ClaimRules::default().name),
            "groups-claim" => Some(ClaimRules::default().groups),
            "new-users" => Some("refuse".to_owned()),
            "oidc-scopes" => Some(SCOPES_DEFAULT.to_owned()),
            "retry-for" => Some(RETRY_FOR_DEFAULT.to_owned()),
            "renotify" => Some(RENOTIFY_DEFAULT.to_owned()),
            "retention" => Some(RETENTION_DEFAULT.to_owned()),
            "audit-retention" => Some(AUDIT_RETENTION_DEFAULT.to_owned()),
            "otlp-sample-ratio" => Some(RATIO_DEFAULT.to_owned()),
            "log-format" => Some(match LogFormat::default_here() {
                LogFormat::Text => "text".to_owned(),
                LogFormat::Json => "json".to_owned(),
            }),
            _ => None,
        }
    }
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("it must be text or json".to_owned()),
    }
}

fn public_url(layers: &Layers, faults: &mut Faults) -> Option<String> {
    maybe(layers, "public-url", faults, |text| {
        let wanted = || {
            "write where people reach this service, such as https://alerts.example.com".to_owned()
        };
        let url = Url::parse(text).map_err(|_malformed| wanted())?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.query().is_none()
            && url.fragment().is_none();
        if plain {
            Ok(url.as_str().trim_end_matches('/').to_owned())
        } else {
            Err(wanted())
        }
    })
}

fn trust(layers: &Layers, faults: &mut Faults) -> Trust {
    let extra_roots = maybe(layers, "ca-file", faults, |path| {
        let read =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match read {
            Ok(roots) if roots.is_empty() => Err(format!("{path} holds no certificate")),
            Ok(roots) => Ok(roots),
            Err(error) => Err(format!("{path} can't be read: {error}")),
        }
    });
    Trust {
        extra_roots: extra_roots.unwrap_or_default(),
    }
}
