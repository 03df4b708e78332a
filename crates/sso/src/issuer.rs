//! The way to an issuer: HTTPS to addresses that are allowed for it, within bounds of time and length.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use alert_connectors_model::{AddressPolicy, Secret};
use http::{HeaderValue, header::CONTENT_TYPE};
use ipnet::IpNet;
use reqwest::{
    Client, RequestBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use serde::Deserialize;
use url::{Host, Url, form_urlencoded};

/// No request to an issuer takes longer.
const REQUEST_MAX: Duration = Duration::from_secs(5);
/// A longer answer is not read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Where an issuer describes itself (OpenID Connect Discovery 1.0).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Why an issuer gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The file can't be read.
    #[error("the file can't be read")]
    File(#[source] std::io::Error),
    /// The URL is plain HTTP and leads elsewhere than to this machine.
    #[error("{0} must start with https://")]
    NotHttps(String),
    /// The host is an address, and that is not allowed.
    #[error("the address {0} is not public; allow its network with --issuer-network")]
    NotAllowed(String),
    /// TLS can't be set up.
    #[error("the trusted certificates can't be used")]
    Trust(#[source] rustls::Error),
    /// No answer came.
    #[error("the issuer does not answer")]
    Unreachable(#[source] reqwest::Error),
    /// It answers with this status.
    #[error("the issuer answers with status {0}")]
    Status(u16),
    /// It answers with more than can be meant.
    #[error("the issuer's answer is longer than 256 KiB")]
    TooLong,
    /// The answer is no key set.
    #[error("the answer is no JSON Web Key Set")]
    NoKeySet,
    /// It did not answer a moment ago, and is not asked again at once.
    #[error("the issuer did not answer a moment ago")]
    Resting,
    /// The description is none, or one of another issuer.
    #[error("the answer at {DISCOVERY} does not describe this issuer")]
    NoDescription,
}

/// Asks issuers.
#[derive(Clone)]
pub(crate) struct IssuerClient {
    http: Client,
    addresses: Arc<AddressPolicy>,
}

impl IssuerClient {
    /// A client that reaches public addresses and those of `networks`, and trusts `extra_roots` beside the public ones.
    pub(crate) fn new(
        networks: Vec<IpNet>,
        extra_roots: &[CertificateDer<'static>],
    ) -> Result<Self, IssuerError> {
        let addresses = Arc::new(AddressPolicy::allowing(networks));
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        for root in extra_roots {
            roots.add(root.clone()).map_err(IssuerError::Trust)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(IssuerError::Trust)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Allowed(Arc::clone(&addresses)))
            .no_proxy()
            .redirect(Policy::none())
            .timeout(REQUEST_MAX)
            .build()
            .map_err(IssuerError::Unreachable)?;
        Ok(Self { http, addresses })
    }

    /// Reads what stands at a URL.
    pub(crate) async fn get(&self, url: &Url) -> Result<Vec<u8>, IssuerError> {
        self.check(url)?;
        body(self.http.get(url.clone())).await
    }

    /// Posts a form, as the client of that name and secret if it has one, and reads the answer.
    pub(crate) async fn post(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        client: Option<(&str, &Secret)>,
    ) -> Result<Vec<u8>, IssuerError> {
        self.check(url)?;
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request = self.http.post(url.clone()).body(body).header(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        if let Some((name, secret)) = client {
            // RFC 6749, section 2.3.1: both are encoded like parts of a form first.
            let encoded = |text| form_urlencoded::byte_serialize(text).collect::<String>();
            let (name, secret) = (
                encoded(name.as_bytes()),
                encoded(secret.expose().as_bytes()),
            );
            request = request.basic_auth(name, Some(secret));
        }
        self::body(request).await
    }

    /// What is at the URL must be encrypted on its way, and the address allowed. Names are judged when they are resolved.
    fn check(&self, url: &Url) -> Result<(), IssuerError> {
        let host = url.host();
        let address = match host {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) | None => None,
        };
        if let Some(address) = address
            && !self.addresses.permits(address)
        {
            return Err(IssuerError::NotAllowed(address.to_string()));
        }
        let is_here = address.is_some_and(|address| address.is_loopback())
            || host == Some(Host::Domain("localhost"));
        if url.scheme() == "https" || (url.scheme() == "http" && is_here) {
            Ok(())
        } else {
            Err(IssuerError::NotHttps(url.to_string()))
        }
    }
}

async fn body(request: RequestBuilder) -> Result<Vec<u8>, IssuerError> {
    let unreachable = |error: reqwest::Error| IssuerError::Unreachable(error.without_url());
    let mut answer = request.send().await.map_err(unreachable)?;
    if !answer.status().is_success() {
        return Err(IssuerError::Status(answer.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(IssuerError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Resolves names, and leaves out addresses that are not allowed.
struct Allowed(Arc<AddressPolicy>);

impl Resolve for Allowed {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let (allowed, others): (Vec<SocketAddr>, Vec<SocketAddr>) =
                found.partition(|found| addresses.permits(found.ip()));
            match others.first() {
                Some(other) if allowed.is_empty() => {
                    Err(IssuerError::NotAllowed(other.ip().to_string()).into())
                }
                _ => Ok::<Addrs, _>(Box::new(allowed.into_iter())),
            }
        })
    }
}

/// What an issuer says of itself.
#[derive(Deserialize)]
pub(crate) struct Description {
    pub(crate) issuer: String,
    pub(crate) jwks_uri: Url,
    /// These two are missing where nobody signs in at a page.
    pub(crate) authorization_endpoint: Option<Url>,
    pub(crate) token_endpoint: Option<Url>,
}

impl IssuerClient {
    /// The issuer's description of itself.
    pub(crate) async fn describe(&self, issuer: &str) -> Result<Description, IssuerError> {
        let url = format!("{}{DISCOVERY}", issuer.trim_end_matches('/'));
        let url: Url = url
            .parse()
            .map_err(|_malformed| IssuerError::NotHttps(url))?;
        let body = self.get(&url).await?;
        let described: Option<Description> = serde_json::from_slice(&body).ok();
        described
            .filter(|described| described.issuer == issuer)
            .ok_or(IssuerError::NoDescription)
    }
}
