//! What `serve` needs to know, every fault said at once.

use std::net::{IpAddr, SocketAddr};

use alert_connectors_delivery::{Proxy, Trust};
use alert_connectors_model::{AddressPolicy, HostPattern, UrlRules};
use ipnet::IpNet;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use url::Url;

use super::{DatabaseConfig, Faults, Layers, database::DATABASE_URL_DEFAULT};
use crate::{system::own_names, telemetry::LogFormat};

const LISTEN_DEFAULT: &str = "127.0.0.1:8080";

/// The configuration of the service.
pub(crate) struct ServeConfig {
    pub(crate) database: DatabaseConfig,
    pub(crate) listen: SocketAddr,
    pub(crate) public_url: Option<String>,
    pub(crate) rules: UrlRules,
    pub(crate) trust: Trust,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) log_format: LogFormat,
}

impl ServeConfig {
    /// Reads what the layers say.
    pub(crate) fn parse(layers: &Layers, faults: &mut Faults) -> Self {
        let (listen, origin) = layers.one("listen").unwrap_or((LISTEN_DEFAULT, "default"));
        let listen = listen.parse().unwrap_or_else(|_malformed| {
            faults.add(
                origin,
                "listen",
                "write an address and a port, such as 127.0.0.1:8080",
            );
            SocketAddr::from(([127, 0, 0, 1], 0))
        });
        let hosts = many(layers, "allow-host", faults, HostPattern::parse);
        let networks = many(layers, "allow-network", faults, network);
        Self {
            database: DatabaseConfig::parse(layers, faults),
            listen,
            public_url: public_url(layers, faults),
            rules: UrlRules {
                addresses: AddressPolicy::allowing(networks),
                hosts,
                own_names: own_names(),
            },
            trust: trust(layers, faults),
            proxy: maybe(layers, "proxy", faults, Proxy::parse),
            trusted_proxies: many(layers, "trust-proxy", faults, network),
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
            "log-format" => Some(match LogFormat::default_here() {
                LogFormat::Text => "text".to_owned(),
                LogFormat::Json => "json".to_owned(),
            }),
            _ => None,
        }
    }
}

fn maybe<T>(
    layers: &Layers,
    name: &'static str,
    faults: &mut Faults,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let (text, origin) = layers.one(name)?;
    parse(text)
        .map_err(|what| faults.add(origin, name, what))
        .ok()
}

fn many<T>(
    layers: &Layers,
    name: &'static str,
    faults: &mut Faults,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let (texts, origin) = layers.all(name);
    texts
        .iter()
        .filter_map(|text| {
            parse(text)
                .map_err(|what| faults.add(origin, name, what))
                .ok()
        })
        .collect()
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from).ok();
    let network = text.parse::<IpNet>().ok().or_else(address);
    network.ok_or_else(|| format!("{text:?} is no network; write it as 10.0.0.0/8 or fd00::/8"))
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
