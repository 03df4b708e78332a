//! The address of the database, as people write it; its password is never shown.

use std::{fmt, fs, sync::Arc, time::Duration};

use alert_connectors_model::SystemClock;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres::config::{Config, Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long to wait for a connection to be made.
const CONNECT_LIMIT: Duration = Duration::from_millis(900);

/// The address of a database with its password. Printed, it shows neither user nor password nor options.
#[derive(Clone)]
pub struct PostgresUrl {
    config: Config,
    roots: Arc<RootCertStore>,
    listens: bool,
    requires_standby: bool,
}

impl PostgresUrl {
    /// Reads a `postgres://` address. Beside the driver's own parameters it may name `sslrootcert`, a PEM file with the
    /// authorities that vouch for the server, and `listen=off`, for poolers that can't pass notifications on. The error
    /// says what to do, without repeating the address.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (address, _) = url.split_once('?').unwrap_or((url, ""));
        if address.matches('@').count() > 1 {
            return Err("holds more than one @; write one in a user or password as %40".to_owned());
        }
        let (url, root_file) = without_parameter(url, "sslrootcert");
        // Whenever TLS is spoken, the certificate and its name are checked.
        let (url, mode) = without_parameter(&url, "sslmode");
        let mode = match (mode.as_deref(), &root_file) {
            (None | Some("disable"), None) => SslMode::Disable,
            (None | Some("require" | "verify-ca" | "verify-full"), _) => SslMode::Require,
            _ => return Err("knows sslmode=disable, and require, verify-ca or verify-full, which all check the certificate".to_owned()),
        };
        let (url, listen) = without_parameter(&url, "listen");
        let listens = match listen.as_deref() {
            None | Some("on") => true,
            Some("off") => false,
            Some(_) => return Err("says neither listen=on nor listen=off".to_owned()),
        };
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            use std::error::Error;
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            format!(
                "is no PostgreSQL address: {why}; write postgres://user:password@host:5432/database"
            )
        })?;
        if config.get_hosts().is_empty() {
            return Err("names no host; write postgres://user:password@host:5432/database".into());
        }
        if config.get_dbname().is_none() {
            return Err(
                "names no database; write postgres://user:password@host:5432/database".into(),
            );
        }
        if config.get_application_name().is_none() {
            config.application_name("alert-connectors");
        }
        config.connect_timeout(CONNECT_LIMIT);
        config.tcp_user_timeout(CONNECT_LIMIT * 2);
        config.ssl_mode(mode);
        let roots = match root_file {
            Some(file) => roots_of(&file)?,
            None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
        };
        Ok(Self {
            config,
            roots: Arc::new(roots),
            listens,
            requires_standby: false,
        })
    }

    /// Requires that each commit waits for a standby: otherwise the store's check fails.
    pub const fn require_standby(&mut self) {
        self.requires_standby = true;
    }

    pub(crate) const fn requires_standby(&self) -> bool {
        self.requires_standby
    }

    pub(crate) const fn listens(&self) -> bool {
        self.listens
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn tls(&self) -> Result<MakeRustlsConnect, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_details(provider, Arc::new(SystemClock))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(client))
    }
}

/// Takes a parameter out of an address; its value is percent-decoded.
fn without_parameter(url: &str, name: &str) -> (String, Option<String>) {
    let Some((before, query)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let mut value = None;
    let rest: Vec<&str> = query
        .split('&')
        .filter(|pair| match pair.split_once('=') {
            Some((key, text)) if key == name => {
                let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
                value = Some(decoded.into_owned());
                false
            }
            _ => !pair.is_empty(),
        })
        .collect();
    let url = if rest.is_empty() {
        before.to_owned()
    } else {
        format!("{before}?{}", rest.join("&"))
    };
    (url, value)
}

fn roots_of(file: &str) -> Result<RootCertStore, String> {
    let failed = |why: String| format!("names sslrootcert {file}, which can't be used: {why}");
    let pem = fs::read(file).map_err(|error| failed(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        let ports = self.config.get_ports();
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(host) => f.write_str(host)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            if let Some(port) = ports.get(at).or_else(|| ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_neither_user_nor_password() {
        let url = PostgresUrl::parse("postgres://me:hidden@db.example:5433/alerts?sslmode=require");
        let url = url.unwrap();
        assert_eq!(url.to_string(), "postgres://db.example:5433/alerts");
        assert!(!format!("{url:?}").contains("hidden"));
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_without_repeating_it() {
        for (url, what) in [
            ("postgres://me:hidden@/alerts", "names no host"),
            ("postgres://me:hidden@db", "names no database"),
            (
                "postgres://me:hidden@db/a?colour=red",
                "is no PostgreSQL address",
            ),
            ("postgres://me:hid@den@db/a", "more than one @"),
            ("postgres://me:hidden@db/a?sslmode=prefer", "knows sslmode"),
            (
                "postgres://me:hidden@db/a?sslrootcert=/nowhere.pem",
                "can't be used",
            ),
        ] {
            let fault = PostgresUrl::parse(url).unwrap_err();
            assert!(fault.contains(what), "{fault}");
            assert!(!fault.contains("hidden"), "{fault}");
        }
    }
}
