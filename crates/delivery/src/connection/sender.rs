//! Posting to a webhook: HTTPS only, no redirects, no credentials, and only to addresses that were checked.
//!
//! Nothing of a webhook URL after its host is in any error. The environment's proxy variables are never read.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use alert_connectors_model::{
    AddressPolicy, Clock, HostPattern, UrlRules, WebhookHost, WebhookUrl,
};
use bytes::Bytes;
use rustls::pki_types::ServerName;
use tokio::time::{self, Instant};
use tokio_rustls::TlsConnector;

use super::{
    Proxy, RequestError, Resolve, Trust,
    connect::connect_any,
    http::{BodyEnd, ConnectionError, HttpConnection, Io, RequestHead, WebhookResponse},
    trust::handshake_error,
};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct TimeLimits {
    /// Name, connection and TLS handshake together.
    pub connect: Duration,
    /// The whole request, connection included.
    pub request: Duration,
    /// The whole request of a test call.
    pub test: Duration,
}

impl Default for TimeLimits {
    /// 5, 30 and 15 seconds.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(30),
            test: Duration::from_secs(15),
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
    /// Hosts that are reached without the proxy.
    pub no_proxy: Vec<HostPattern>,
    /// How names are looked up.
    pub resolver: Arc<dyn Resolve>,
    /// Tells the time to the whole engine.
    pub clock: Arc<dyn Clock>,
    /// How long things may take.
    pub limits: TimeLimits,
}

/// Posts to webhooks.
pub struct Sender {
    rules: UrlRules,
    tls: TlsConnector,
    proxy: Option<Proxy>,
    no_proxy: Vec<HostPattern>,
    resolver: Arc<dyn Resolve>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: TimeLimits,
}

impl Sender {
    /// Prepares for TLS. Fails where a root certificate can't be read.
    pub fn new(options: SenderOptions) -> Result<Self, rustls::Error> {
        Ok(Self {
            rules: options.rules,
            tls: TlsConnector::from(Arc::new(options.trust.client_config()?)),
            proxy: options.proxy,
            no_proxy: options.no_proxy,
            resolver: options.resolver,
            clock: options.clock,
            limits: options.limits,
        })
    }

    /// Posts once within `limit`, over `kept` if it is still open, else over a new connection, which is kept there.
    pub(crate) async fn post(
        &self,
        url: &WebhookUrl,
        head: &RequestHead,
        kept: &mut Option<HttpConnection>,
        body: Bytes,
        limit: Duration,
    ) -> Result<WebhookResponse, RequestError> {
        let deadline = Instant::now() + limit;
        let posted = self.post_before(url, head, kept, body, deadline).await;
        // Only a connection whose answer was read to its end can carry another request.
        if !matches!(&posted, Ok(posted) if posted.body_end == BodyEnd::Whole) {
            *kept = None;
        }
        posted
    }

    async fn post_before(
        &self,
        url: &WebhookUrl,
        head: &RequestHead,
        kept: &mut Option<HttpConnection>,
        body: Bytes,
        deadline: Instant,
    ) -> Result<WebhookResponse, RequestError> {
        if let Some(connection) = kept.as_mut()
            && connection.is_open().await
        {
            match connection.post(head, body.clone(), deadline).await {
                // The server closed the connection while it was idle.
                Err(error) if error.nothing_was_sent() => {}
                outcome => return outcome.map_err(|error| request_error(&error, connection)),
            }
        }
        *kept = None;
        let connect_before = deadline.min(Instant::now() + self.limits.connect);
        let connected = time::timeout_at(connect_before, self.connect(url)).await;
        let connection = kept.insert(connected.unwrap_or(Err(RequestError::ConnectTimeout))?);
        let outcome = connection.post(head, body, deadline).await;
        outcome.map_err(|error| request_error(&error, connection))
    }

    /// Opens a connection to an address that was checked.
    async fn connect(&self, url: &WebhookUrl) -> Result<HttpConnection, RequestError> {
        if !self.rules.permits_host(url) {
            return Err(RequestError::NotAllowed);
        }
        let io: Box<dyn Io> = match &self.proxy {
            Some(proxy) if !self.is_direct(url.host()) => self.through(proxy, url).await?,
            _ => Box::new(connect_any(&self.checked_addresses(url).await?).await?),
        };
        let name = match url.host() {
            WebhookHost::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|_invalid| RequestError::Dns)?
            }
            WebhookHost::Address(address) => ServerName::IpAddress((*address).into()),
        };
        let stream = self.tls.connect(name, io).await;
        let stream = stream.map_err(|error| handshake_error(&error))?;
        HttpConnection::open(Box::new(stream))
            .await
            .map_err(|_broken| RequestError::NotConnected)
    }

    /// Whether a host is one of those that are reached without the proxy.
    fn is_direct(&self, host: &WebhookHost) -> bool {
        self.no_proxy.iter().any(|pattern| pattern.matches(host))
    }

    /// The addresses of the host that may be connected to. The connection goes to one of these and no other, so that a
    /// name cannot lead elsewhere between the check and the connection.
    async fn checked_addresses(&self, url: &WebhookUrl) -> Result<Vec<SocketAddr>, RequestError> {
        let found = match url.host() {
            WebhookHost::Address(address) => vec![SocketAddr::new(*address, url.port())],
            WebhookHost::Name(name) => self
                .resolver
                .resolve(name, url.port())
                .await
                .map_err(|_cause| RequestError::Dns)?,
        };
        if found.is_empty() {
            return Err(RequestError::Dns);
        }
        let permits = |address: &SocketAddr| self.policy().permits(address.ip());
        let allowed: Vec<_> = found.into_iter().filter(permits).collect();
        if allowed.is_empty() {
            Err(RequestError::NotAllowed)
        } else {
            Ok(allowed)
        }
    }

    fn policy(&self) -> &AddressPolicy {
        &self.rules.addresses
    }

    /// Asks the proxy for a tunnel. What a name resolves to is the proxy's to check; literals are checked here.
    async fn through(&self, proxy: &Proxy, url: &WebhookUrl) -> Result<Box<dyn Io>, RequestError> {
        if let WebhookHost::Address(address) = url.host()
            && !self.policy().permits(*address)
        {
            return Err(RequestError::NotAllowed);
        }
        proxy
            .tunnel(&format!("{}:{}", url.host(), url.port()))
            .await
    }
}

/// Returns why there is no response, and whether the channel may have received the message.
fn request_error(error: &ConnectionError, connection: &HttpConnection) -> RequestError {
    match (error, connection.has_sent_whole()) {
        (ConnectionError::TimedOut, true) => RequestError::Unanswered,
        (ConnectionError::TimedOut, false) => RequestError::Timeout,
        (ConnectionError::Broken(error), true) if error.is_parse() => RequestError::NotHttp,
        (ConnectionError::Broken(_), true) => RequestError::ClosedUnanswered,
        (ConnectionError::Broken(_), false) => RequestError::Broken,
    }
}
