//! One kept connection to a webhook, driven by whoever posts on it, so that no task of its own is woken for each request.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};

use alert_connectors_model::WebhookUrl;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{Connection, SendRequest},
    ext::ReasonPhrase,
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// At most this much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// A webhook's answer is a word or two; a larger one is read in several steps.
const USUAL_ANSWER_BYTES: usize = 2 * 1_024;

/// A byte stream to a server.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

type Stream = TokioIo<Box<dyn Io>>;
type Open = Pin<Box<Connection<Stream, Full<Bytes>>>>;

/// What every request to one webhook has in common.
pub(crate) struct RequestHead {
    target: Uri,
    headers: HeaderMap,
}

impl RequestHead {
    /// The target is the URL's own path and query, byte for byte.
    pub(crate) fn of(url: &WebhookUrl) -> Option<Self> {
        let typed = url.expose_target();
        let target = if typed.starts_with('/') {
            typed.to_owned()
        } else {
            format!("/{typed}")
        };
        let target = Uri::try_from(target).ok()?;
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(header::HOST, HeaderValue::try_from(url.authority()).ok()?);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        let agent = concat!("alert-connectors/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        Some(Self { target, headers })
    }

    fn request(&self, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_11;
        request.uri_mut().clone_from(&self.target);
        request.headers_mut().clone_from(&self.headers);
        request
    }
}

/// An answer as it was read.
pub(crate) struct Posted {
    pub(crate) status: u16,
    pub(crate) phrase: String,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Bytes,
    pub(crate) read_to_end: bool,
}

/// A connection that broke before its answer was read.
pub(crate) struct Broken(hyper::Error);

impl Broken {
    /// Whether the request never left.
    pub(crate) fn nothing_was_sent(&self) -> bool {
        self.0.is_canceled()
    }
}

/// A kept connection.
pub(crate) struct Link {
    sender: SendRequest<Full<Bytes>>,
    /// Gone once the server closed it.
    connection: Option<Open>,
}

impl Link {
    pub(crate) async fn open(stream: Stream) -> hyper::Result<Self> {
        let (sender, connection) = hyper::client::conn::http1::Builder::new()
            .read_buf_exact_size(Some(USUAL_ANSWER_BYTES))
            .handshake(stream)
            .await?;
        Ok(Self {
            sender,
            connection: Some(Box::pin(connection)),
        })
    }

    /// Whether the connection can carry a request, after a look at what came in while it was idle.
    pub(crate) async fn is_open(&mut self) -> bool {
        poll_fn(|context| {
            if let Some(connection) = &mut self.connection
                && connection.as_mut().poll(context).is_ready()
            {
                self.connection = None;
            }
            Poll::Ready(())
        })
        .await;
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Waits until the server closes the connection. Cancelling it loses nothing: the connection is polled again.
    pub(crate) async fn closed(&mut self) {
        if let Some(connection) = &mut self.connection {
            // How it ended does not matter for a connection that carries nothing.
            drop(connection.await);
            self.connection = None;
        }
    }

    pub(crate) async fn post(&mut self, head: &RequestHead, body: Bytes) -> Result<Posted, Broken> {
        let Self { sender, connection } = self;
        let exchange = async {
            let response = sender.send_request(head.request(body)).await?;
            let status = response.status().as_u16();
            let phrase = response.extensions().get::<ReasonPhrase>();
            let phrase =
                phrase.map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned());
            let retry_after = response.headers().get(header::RETRY_AFTER);
            let retry_after = retry_after
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned);
            let (body, read_to_end) = read(response.into_body()).await?;
            Ok(Posted {
                status,
                phrase: phrase.unwrap_or_default(),
                retry_after,
                body,
                read_to_end,
            })
        };
        driven(connection, exchange).await.map_err(Broken)
    }
}

/// Polls the connection along with what happens on it.
async fn driven<T>(connection: &mut Option<Open>, exchange: impl Future<Output = T>) -> T {
    let mut exchange = pin!(exchange);
    poll_fn(|context| {
        if let Poll::Ready(done) = exchange.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        if let Some(open) = connection
            && open.as_mut().poll(context).is_ready()
        {
            *connection = None;
        }
        exchange.as_mut().poll(context)
    })
    .await
}

/// The body up to the limit, and whether that was all of it.
async fn read(mut body: Incoming) -> hyper::Result<(Bytes, bool)> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            let room = ANSWER_BYTES_MAX - read.len();
            if data.len() > room {
                read.extend_from_slice(&data[..room]);
                return Ok((read.freeze(), false));
            }
            read.extend_from_slice(&data);
        }
    }
    Ok((read.freeze(), true))
}
