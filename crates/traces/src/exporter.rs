//! Gathers spans and posts them to a collector.

use std::time::Duration;

use alert_connectors_model::{Secret, cause_chain};
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use reqwest::{
    Client,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
    redirect::Policy,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{otlp, span::Span, tracer::SpanSink};

/// At most this many spans wait. A span is some 500 bytes.
const WAITING_MAX: usize = 4_096;
/// A request carries at most this many spans.
const BATCH_MAX: usize = 512;
/// A span waits at most this long for others.
const GATHERED_FOR: Duration = Duration::from_secs(2);
/// No request to the collector takes longer.
const REQUEST_MAX: Duration = Duration::from_secs(5);
/// A collector that takes nothing is said to this often.
const SAID_EVERY: Duration = Duration::from_mins(1);
/// After a stop, the request under way has as long as this, and so has all that waits.
const LAST_REQUESTS: Duration = Duration::from_secs(3);
/// After a stop, spans are waited for as long as this, again and again while some come.
const LAST_SPANS: Duration = Duration::from_millis(300);
/// Where a collector takes traces, below its address (OTLP/HTTP).
const PATH: &str = "v1/traces";

/// Why spans can't be posted to a collector.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// The address is none, or holds what may be a secret, which would be seen in the list of processes.
    #[error(
        "an address begins with http:// or https:// and holds no password and no query, such as http://localhost:4318; \
         headers for it stand in the file of --otlp-headers-file"
    )]
    Address,
    /// The client can't be made.
    #[error("the client for the collector can't be made")]
    Client(#[source] reqwest::Error),
}

/// Where spans go.
pub struct Collector {
    url: Url,
    http: Client,
}

impl Collector {
    /// The address to post to. `/v1/traces` is added to that of a collector unless it ends so.
    pub fn address(text: &str) -> Result<Url, CollectorError> {
        let mut url = Url::parse(text).map_err(|_malformed| CollectorError::Address)?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !is_plain {
            return Err(CollectorError::Address);
        }
        if !url.path().ends_with(PATH) {
            let path = format!("{}/{PATH}", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        Ok(url)
    }

    /// Whether a text is a header, written `NAME=VALUE`.
    pub fn is_header(text: &Secret) -> bool {
        header(text).is_some()
    }

    /// A collector that gets these headers with each request. `tls` says whom to trust.
    pub fn new(
        url: Url,
        headers: &[Secret],
        tls: rustls::ClientConfig,
    ) -> Result<Self, CollectorError> {
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(Policy::none())
            .timeout(REQUEST_MAX)
            .default_headers(headers.iter().filter_map(header).collect())
            .build()
            .map_err(CollectorError::Client)?;
        Ok(Self { url, http })
    }

    async fn post(&self, body: Vec<u8>) -> Result<(), String> {
        let request = self.http.post(self.url.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        let answer = request
            .send()
            .await
            .map_err(|error| cause_chain(&error.without_url()))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(format!(
            "it answers with status {}",
            answer.status().as_u16()
        ))
    }
}

fn header(written: &Secret) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = written.expose().split_once('=')?;
    let name = HeaderName::try_from(name.trim()).ok()?;
    let mut value = HeaderValue::try_from(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

/// What became of spans.
#[derive(Debug, Clone, Default)]
struct SpanMeters {
    exported: Counter,
    dropped: Counter,
}

/// Takes spans for an exporter. What does not fit is counted and dropped.
pub struct SpanQueue {
    spans: mpsc::Sender<Span>,
    meters: SpanMeters,
}

impl SpanSink for SpanQueue {
    fn record(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.meters.dropped.inc();
        }
    }
}

/// Posts what is in a queue.
pub struct Exporter {
    collector: Collector,
    spans: mpsc::Receiver<Span>,
    meters: SpanMeters,
    /// Names this server among its replicas.
    instance: String,
    /// The version of the program.
    version: &'static str,
    /// When the next failure is said.
    silent_until: Instant,
}

impl Exporter {
    /// An exporter and its queue. `instance` names this server among its replicas, and `version` is that of the program.
    pub fn new(collector: Collector, instance: String, version: &'static str) -> (SpanQueue, Self) {
        let (spans, waiting) = mpsc::channel(WAITING_MAX);
        let meters = SpanMeters::default();
        let exporter = Self {
            collector,
            spans: waiting,
            meters: meters.clone(),
            instance,
            version,
            silent_until: Instant::now(),
        };
        (SpanQueue { spans, meters }, exporter)
    }

    /// Registers what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let exported = "Spans that the collector has taken";
        registry.register("spans_exported", exported, self.meters.exported.clone());
        let dropped =
            "Spans that were dropped, since too many waited or the collector did not take them";
        registry.register("spans_dropped", dropped, self.meters.dropped.clone());
    }

    /// Works until the service stops, and then for a moment more, until nothing has come for a while. Spans of what ends later are
    /// dropped.
    pub async fn run(mut self, stopping: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => break,
                () = self.gather(&mut batch) => {}
            }
            if batch.is_empty() {
                return;
            }
            let late = async {
                stopping.cancelled().await;
                tokio::time::sleep(LAST_REQUESTS).await;
            };
            tokio::select! {
                () = self.post(&mut batch) => {}
                () = late => return self.lose(&batch),
            }
        }
        let rest = self.post_rest(&mut batch);
        if tokio::time::timeout(LAST_REQUESTS, rest).await.is_err() {
            self.lose(&batch);
        }
    }

    /// Counts what is lost at the end.
    fn lose(&self, batch: &[Span]) {
        let lost = batch.len() + self.spans.len();
        self.meters.dropped.inc_by(lost as u64);
    }

    /// Waits for spans: as many as a request carries, or those that came in a while. None once no more can come. Those that were
    /// gathered when it is cancelled are in the batch.
    async fn gather(&mut self, batch: &mut Vec<Span>) {
        if self.spans.recv_many(batch, BATCH_MAX).await == 0 {
            return;
        }
        let until = Instant::now() + GATHERED_FOR;
        while batch.len() < BATCH_MAX {
            let more = self.spans.recv_many(batch, BATCH_MAX - batch.len());
            match tokio::time::timeout_at(until, more).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// Posts a batch and what comes after it, until nothing comes for a while.
    async fn post_rest(&mut self, batch: &mut Vec<Span>) {
        loop {
            if !batch.is_empty() {
                self.post(batch).await;
            }
            let more = self.spans.recv_many(batch, BATCH_MAX);
            if !matches!(tokio::time::timeout(LAST_SPANS, more).await, Ok(1..)) {
                return;
            }
        }
    }

    /// Posts a batch and empties it. One that is cancelled on the way is still full.
    async fn post(&mut self, batch: &mut Vec<Span>) {
        let body = otlp::request(batch, &self.instance, self.version);
        let posted = self.collector.post(body).await;
        let count = batch.len() as u64;
        batch.clear();
        let Err(reason) = posted else {
            self.meters.exported.inc_by(count);
            return;
        };
        self.meters.dropped.inc_by(count);
        if Instant::now() >= self.silent_until {
            self.silent_until = Instant::now() + SAID_EVERY;
            tracing::warn!(reason, "the collector takes no spans, so they are dropped");
        }
    }
}
