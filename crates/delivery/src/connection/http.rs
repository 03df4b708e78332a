//! One kept HTTP/1.1 connection to a webhook. The worker that posts polls it, so no task of its own is woken for each request.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};

use alert_connectors_model::WebhookUrl;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};
use http_body_util::BodyExt;
use hyper::{
    Response,
    body::Incoming,
    client::conn::http1::{Connection, SendRequest},
    ext::ReasonPhrase,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};

use super::departure::{Departing, DepartingStream, Departure};

/// At most this much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// A webhook's answer is a word or two; a larger one is read in several steps.
const USUAL_ANSWER_BYTES: usize = 2 * 1_024;

/// A byte stream to a server.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

type Stream = TokioIo<DepartingStream<Box<dyn Io>>>;
type Open = Pin<Box<Connection<Stream, Departing>>>;

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
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::HOST, HeaderValue::try_from(url.authority()).ok()?);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        let agent = concat!("alert-connectors/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        Some(Self { target, headers })
    }

    fn request(&self, body: Departing) -> Request<Departing> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_11;
        request.uri_mut().clone_from(&self.target);
        request.headers_mut().clone_from(&self.headers);
        request
    }
}

/// An answer as it was read.
pub(crate) struct WebhookResponse {
    pub(crate) status: u16,
    pub(crate) phrase: String,
    pub(crate) retry_after: Option<String>,
    /// The encoding of the body, as the server names it.
    pub(crate) encoding: Option<String>,
    pub(crate) body: BytesMut,
    pub(crate) body_end: BodyEnd,
}

/// How the body of an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    /// It was read to its end.
    Whole,
    /// It is longer than anything that a webhook says.
    TooLong,
    /// The connection ended, or the time was up, before the body did.
    BrokeOff,
}

/// Why there is no answer to a request.
pub(crate) enum ConnectionError {
    /// The time was up.
    TimedOut,
    /// The connection broke.
    Broken(hyper::Error),
}

impl ConnectionError {
    /// Whether the request never began to leave.
    pub(crate) fn nothing_was_sent(&self) -> bool {
        matches!(self, Self::Broken(error) if error.is_canceled())
    }
}

/// A kept connection.
pub(crate) struct HttpConnection {
    sender: SendRequest<Departing>,
    /// Gone once the server closed it.
    connection: Option<Open>,
    departure: Departure,
}

impl HttpConnection {
    pub(crate) async fn open(stream: Box<dyn Io>) -> hyper::Result<Self> {
        let departure = Departure::default();
        let stream = TokioIo::new(DepartingStream::new(stream, departure.clone()));
        let (sender, connection) = hyper::client::conn::http1::Builder::new()
            .read_buf_exact_size(Some(USUAL_ANSWER_BYTES))
            .handshake(stream)
            .await?;
        Ok(Self {
            sender,
            connection: Some(Box::pin(connection)),
            departure,
        })
    }

    /// Whether the last request left whole, so that the server may have acted on it.
    pub(crate) fn has_sent_whole(&self) -> bool {
        self.departure.is_whole()
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

    pub(crate) async fn post(
        &mut self,
        head: &RequestHead,
        body: Bytes,
        deadline: Instant,
    ) -> Result<WebhookResponse, ConnectionError> {
        let Self {
            sender,
            connection,
            departure,
        } = self;
        let body = Departing::new(body, departure.clone());
        let mut begun = None;
        let exchange = async {
            let response = sender.send_request(head.request(body)).await?;
            let posted = begun.insert(WebhookResponse::of(&response));
            posted.body_end = read(response.into_body(), &mut posted.body).await;
            Ok(())
        };
        let ended = timeout_at(deadline, driven(connection, exchange)).await;
        match (begun, ended) {
            (Some(posted), _) => Ok(posted),
            (None, Ok(Err(error))) => Err(ConnectionError::Broken(error)),
            (None, _) => Err(ConnectionError::TimedOut),
        }
    }
}

impl WebhookResponse {
    /// Status and headers. The body counts as broken off until it is read to its end.
    fn of(response: &Response<Incoming>) -> Self {
        let text = |name| {
            let value = response.headers().get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        let phrase = response.extensions().get::<ReasonPhrase>();
        let phrase = phrase.map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned());
        Self {
            status: response.status().as_u16(),
            phrase: phrase.unwrap_or_default(),
            retry_after: text(header::RETRY_AFTER),
            encoding: text(header::CONTENT_ENCODING),
            body: BytesMut::new(),
            body_end: BodyEnd::BrokeOff,
        }
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

/// Reads the body up to the limit.
async fn read(mut body: Incoming, into: &mut BytesMut) -> BodyEnd {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return BodyEnd::BrokeOff;
        };
        if let Ok(data) = frame.into_data() {
            let room = ANSWER_BYTES_MAX - into.len();
            if data.len() > room {
                into.extend_from_slice(&data[..room]);
                return BodyEnd::TooLong;
            }
            into.extend_from_slice(&data);
        }
    }
    BodyEnd::Whole
}
