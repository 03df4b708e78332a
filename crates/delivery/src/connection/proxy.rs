//! An HTTP proxy for outgoing webhooks, and the tunnel through it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::net::TcpStream;
use url::Url;

use super::{ProxyFault, RequestError, connect::connect_any, http::Io};

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

    /// Asks for a tunnel to `target`, a host and port.
    pub(crate) async fn tunnel(&self, target: &str) -> Result<Box<dyn Io>, RequestError> {
        let unreachable = RequestError::Proxy(ProxyFault::Unreachable);
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let addresses: Vec<_> = found.map_err(|_cause| unreachable)?.collect();
        let stream = connect_any(&addresses)
            .await
            .map_err(|_cause| unreachable)?;
        let mut request = Request::connect(target).header(header::HOST, target);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::PROXY_AUTHORIZATION, authorization);
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|_invalid| RequestError::Proxy(ProxyFault::Broken))?;
        tunnel(stream, request).await.map_err(RequestError::Proxy)
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

async fn tunnel(
    stream: TcpStream,
    request: Request<Empty<Bytes>>,
) -> Result<Box<dyn Io>, ProxyFault> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|_broken| ProxyFault::Broken)?;
    let connection = connection.with_upgrades();
    let asked = async {
        let response = sender.send_request(request).await;
        let mut response = response.map_err(|_broken| ProxyFault::Broken)?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => return Err(ProxyFault::Credentials),
            status => return Err(ProxyFault::Refused(status.as_u16())),
        }
        let upgraded = hyper::upgrade::on(&mut response);
        drop(response.into_body().collect());
        upgraded.await.map_err(|_broken| ProxyFault::Broken)
    };
    let mut asked = std::pin::pin!(asked);
    // A refusal is final, though the proxy may keep its connection open.
    let upgraded = tokio::select! {
        biased;
        upgraded = &mut asked => upgraded,
        _ended = connection => asked.await,
    };
    upgraded.map(|upgraded| Box::new(TokioIo::new(upgraded)) as Box<dyn Io>)
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
