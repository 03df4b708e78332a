//! Posting to a webhook: HTTPS only, no redirects, no credentials, and only to addresses that were checked.
//!
//! Nothing of a webhook URL after its host is in any error. The environment's proxy variables are never read.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use alert_connectors_model::{AddressPolicy, Clock, UrlRules, WebhookHost, WebhookUrl};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::ServerName};
use tokio::{net::TcpStream, time};
use tokio_rustls::TlsConnector;
use url::Url;

use crate::{
    Resolve,
    link::{Io, Link, Posted, RequestHead},
};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct TimeLimits {
    /// Name, connection and TLS handshake together.
    pub connect: Duration,
    /// The whole request, connection included.
    pub request: Duration,
}

impl Default for TimeLimits {
    /// Five and ten seconds.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(10),
        }
    }
}

/// How webhooks are reached.
pub struct SenderOptions {
    /// Which addresses and hosts may be connected to.
    pub rules: UrlRules,
    /// Who is trusted.
    pub trust: Trust,
    /// Through what, if not directly.
    pub proxy: Option<Proxy>,
    /// How names are looked up.
    pub resolver: Arc<dyn Resolve>,
    /// Tells the time for `Retry-After`.
    pub clock: Arc<dyn Clock>,
    /// How long things may take.
    pub limits: TimeLimits,
}

/// Whose certificates are trusted.
#[derive(Debug, Default)]
pub struct Trust {
    /// Beside Mozilla's public roots, these.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

/// An HTTP proxy for outgoing webhooks.
#[derive(Clone)]
pub struct Proxy {
    host: String,
    port: u16,
    authorization: Option<HeaderValue>,
}

impl Proxy {
    /// Reads `http://[user:password@]host[:port]`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted = "write it as http://host:port";
        let url = Url::parse(text).map_err(|error| format!("it is no URL ({error}); {wanted}"))?;
        if url.scheme() != "http" {
            return Err(format!("only http proxies are supported; {wanted}"));
        }
        let host = url
            .host_str()
            .ok_or_else(|| format!("it has no host; {wanted}"))?
            .to_owned();
        let authorization = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some(basic(user, password.unwrap_or_default())?),
        };
        Ok(Self {
            host,
            port: url.port().unwrap_or(80),
            authorization,
        })
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proxy({}:{})", self.host, self.port)
    }
}

/// `Basic …` of RFC 7617.
fn basic(user: &str, password: &str) -> Result<HeaderValue, String> {
    let decoded = |text| percent_decode_str(text).decode_utf8_lossy();
    let plain = BASE64_STANDARD.encode(format!("{}:{}", decoded(user), decoded(password)));
    let mut value = HeaderValue::try_from(format!("Basic {plain}"))
        .map_err(|_invalid| "its user name or password can't be sent".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Why there is no answer. The texts are those of the API's test call.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// It took too long.
    #[error("Connection timeout")]
    Timeout,
    /// Nobody listens there.
    #[error("Connection refused")]
    Refused,
    /// The name is not known.
    #[error("DNS lookup failed")]
    Dns,
    /// The certificate is not trusted, or not for that name.
    #[error("TLS certificate not trusted")]
    Untrusted,
    /// The name leads to an address that webhooks may not go to, or the host is not allowed.
    #[error("Address not allowed")]
    NotAllowed,
    /// The connection broke, or what answered is no HTTPS server.
    #[error("Connection failed")]
    Broken,
    /// The proxy did not let the request through.
    #[error("Proxy refused the connection")]
    Proxy,
}

/// Posts to webhooks.
pub struct Sender {
    rules: UrlRules,
    tls: TlsConnector,
    proxy: Option<Proxy>,
    resolver: Arc<dyn Resolve>,
    pub(crate) clock: Arc<dyn Clock>,
    limits: TimeLimits,
}

impl Sender {
    /// Prepares for TLS. Fails where a root certificate can't be read.
    pub fn new(options: SenderOptions) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        for root in options.trust.extra_roots {
            roots.add(root)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            rules: options.rules,
            tls: TlsConnector::from(Arc::new(config)),
            proxy: options.proxy,
            resolver: options.resolver,
            clock: options.clock,
            limits: options.limits,
        })
    }

    /// Posts once, over `kept` if it is still open, else over a new connection, which is kept there.
    pub(crate) async fn post(
        &self,
        url: &WebhookUrl,
        head: &RequestHead,
        kept: &mut Option<Link>,
        body: Bytes,
    ) -> Result<Posted, PostError> {
        let posted = time::timeout(
            self.limits.request,
            self.post_unbounded(url, head, kept, body),
        )
        .await;
        let posted = posted.unwrap_or(Err(PostError::Timeout));
        if posted.is_err() {
            *kept = None;
        }
        posted
    }

    async fn post_unbounded(
        &self,
        url: &WebhookUrl,
        head: &RequestHead,
        kept: &mut Option<Link>,
        body: Bytes,
    ) -> Result<Posted, PostError> {
        if let Some(link) = kept.as_mut() {
            if link.is_open().await {
                let outcome = link.post(head, body.clone()).await;
                // The server may have closed the connection while it was idle. If so, nothing was sent on it.
                match outcome {
                    Err(error) if error.nothing_was_sent() => {}
                    outcome => {
                        return outcome
                            .map(|posted| keep_if_clean(kept, posted))
                            .map_err(|_broken| PostError::Broken);
                    }
                }
            }
            *kept = None;
        }
        let connected = time::timeout(self.limits.connect, self.connect(url)).await;
        let link = kept.insert(connected.unwrap_or(Err(PostError::Timeout))?);
        let outcome = link.post(head, body).await;
        outcome
            .map(|posted| keep_if_clean(kept, posted))
            .map_err(|_broken| PostError::Broken)
    }

    /// Opens a connection to an address that was checked.
    async fn connect(&self, url: &WebhookUrl) -> Result<Link, PostError> {
        if !self.rules.permits_host(url) {
            return Err(PostError::NotAllowed);
        }
        let io: Box<dyn Io> = match &self.proxy {
            Some(proxy) => self.through(proxy, url).await?,
            None => Box::new(connect_any(&self.checked_addresses(url).await?).await?),
        };
        let name = match url.host() {
            WebhookHost::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|_invalid| PostError::Dns)?
            }
            WebhookHost::Address(address) => ServerName::IpAddress((*address).into()),
        };
        let stream = self
            .tls
            .connect(name, io)
            .await
            .map_err(|error| tls_error(&error))?;
        Link::open(TokioIo::new(Box::new(stream)))
            .await
            .map_err(|_broken| PostError::Broken)
    }

    /// The addresses of the host that may be connected to. The connection goes to one of these and no other, so that a
    /// name cannot lead elsewhere between the check and the connection.
    async fn checked_addresses(&self, url: &WebhookUrl) -> Result<Vec<SocketAddr>, PostError> {
        let found = match url.host() {
            WebhookHost::Address(address) => vec![SocketAddr::new(*address, url.port())],
            WebhookHost::Name(name) => self
                .resolver
                .resolve(name, url.port())
                .await
                .map_err(|_cause| PostError::Dns)?,
        };
        if found.is_empty() {
            return Err(PostError::Dns);
        }
        let permits = |address: &SocketAddr| self.policy().permits(address.ip());
        let allowed: Vec<_> = found.into_iter().filter(permits).collect();
        if allowed.is_empty() {
            Err(PostError::NotAllowed)
        } else {
            Ok(allowed)
        }
    }

    fn policy(&self) -> &AddressPolicy {
        &self.rules.addresses
    }

    /// Asks the proxy for a tunnel. What a name resolves to is the proxy's to judge; literals are judged here.
    async fn through(&self, proxy: &Proxy, url: &WebhookUrl) -> Result<Box<dyn Io>, PostError> {
        if let WebhookHost::Address(address) = url.host()
            && !self.policy().permits(*address)
        {
            return Err(PostError::NotAllowed);
        }
        let found = tokio::net::lookup_host((proxy.host.as_str(), proxy.port)).await;
        let addresses: Vec<_> = found.map_err(|_cause| PostError::Proxy)?.collect();
        let stream = connect_any(&addresses)
            .await
            .map_err(|_cause| PostError::Proxy)?;
        let target = format!("{}:{}", url.host(), url.port());
        let mut request = Request::connect(&target);
        request = request.header(header::HOST, &target);
        if let Some(authorization) = &proxy.authorization {
            request = request.header(header::PROXY_AUTHORIZATION, authorization);
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|_invalid| PostError::Proxy)?;
        tunnel(stream, request).await.ok_or(PostError::Proxy)
    }
}

/// Only a connection whose answer was read to its end can carry another request.
fn keep_if_clean(kept: &mut Option<Link>, posted: Posted) -> Posted {
    if !posted.read_to_end {
        *kept = None;
    }
    posted
}

async fn tunnel(stream: TcpStream, request: Request<Empty<Bytes>>) -> Option<Box<dyn Io>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    let connection = connection.with_upgrades();
    let asked = async {
        let mut response = sender.send_request(request).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let upgraded = hyper::upgrade::on(&mut response);
        drop(response.into_body().collect());
        upgraded.await.ok()
    };
    let (upgraded, _ended) = tokio::join!(asked, connection);
    upgraded.map(|upgraded| Box::new(TokioIo::new(upgraded)) as Box<dyn Io>)
}

/// Connects to the first address that answers.
async fn connect_any(addresses: &[SocketAddr]) -> Result<TcpStream, PostError> {
    let mut failure = PostError::Dns;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Requests are written whole, so waiting for more only delays them.
                let _delayed_at_worst = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                failure = PostError::Refused;
            }
            Err(_other) => failure = PostError::Broken,
        }
    }
    Err(failure)
}

fn tls_error(error: &std::io::Error) -> PostError {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => PostError::Untrusted,
        _ => PostError::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_http_url_whose_credentials_are_not_shown() {
        let proxy = Proxy::parse("http://user:p%40ss@proxy.example:3128").unwrap();
        assert_eq!(format!("{proxy:?}"), "Proxy(proxy.example:3128)");
        assert_eq!(proxy.authorization.unwrap(), "Basic dXNlcjpwQHNz");
        assert!(Proxy::parse("socks5://x").is_err());
        assert!(Proxy::parse("proxy:3128").is_err());
    }
}
