//! A receiver over HTTPS that writes down what arrives where, in order, and can be told to fail.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alert_connectors_inbox::{Authority, Row, serve};
use anyhow::anyhow;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rustls::ServerConfig;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// One request that was accepted: the titles that it carried, or how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arrival {
    One(String),
    Digest(usize),
}

#[derive(Default)]
struct Seen {
    arrivals: HashMap<String, Vec<Arrival>>,
    failing: HashMap<String, Vec<&'static Row>>,
    refused: usize,
}

/// A receiver. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Receiver(Arc<Mutex<Seen>>);

impl Receiver {
    /// Listens; writes its authority's certificate to a file, and returns where it stands, and as whom.
    pub(crate) async fn start(
        &self,
        ca_file: &Path,
        stopping: CancellationToken,
    ) -> anyhow::Result<(String, Arc<ServerConfig>)> {
        let authority = Authority::for_names(vec!["localhost".to_owned()])
            .map_err(|error| anyhow!("{error}"))?;
        std::fs::write(ca_file, authority.ca_pem())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("https://localhost:{}", listener.local_addr()?.port());
        let router = Router::new().fallback(take).with_state(self.clone());
        let tasks = TaskTracker::new();
        let tls = authority.server_config();
        tasks.spawn(serve(
            listener,
            Arc::clone(&tls),
            router,
            tasks.clone(),
            stopping,
        ));
        Ok((base, tls))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What arrived at a path, in order.
    pub(crate) fn arrivals(&self, path: &str) -> Vec<Arrival> {
        self.seen().arrivals.get(path).cloned().unwrap_or_default()
    }

    /// Everything that was taken so far.
    pub(crate) fn count(&self) -> usize {
        self.seen().arrivals.values().map(Vec::len).sum()
    }

    /// The next requests to a path are answered with these rows, one each.
    pub(crate) fn fail_with(&self, path: &str, rows: Vec<&'static Row>) {
        self.seen().failing.insert(path.to_owned(), rows);
    }

    /// How many answers are still to be bad ones.
    pub(crate) fn failures_left(&self) -> usize {
        self.seen().failing.values().map(Vec::len).sum()
    }

    pub(crate) fn refused(&self) -> usize {
        self.seen().refused
    }
}

async fn take(State(receiver): State<Receiver>, uri: Uri, body: Bytes) -> Response {
    let mut seen = receiver.seen();
    let path = uri.path().to_owned();
    let failing = seen.failing.get_mut(&path);
    if let Some(row) = failing.and_then(|rows| (!rows.is_empty()).then(|| rows.remove(0))) {
        seen.refused += 1;
        let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::OK);
        let mut response = (status, row.body).into_response();
        if let Some(wait) = row.retry_after.and_then(|wait| wait.parse().ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        return response;
    }
    seen.arrivals.entry(path).or_default().push(arrival(&body));
    "ok".into_response()
}

/// Titles hold no spaces, so the words around them are easily told apart.
fn arrival(body: &[u8]) -> Arrival {
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    let line = message["text"]
        .as_str()
        .or(message["summary"].as_str())
        .unwrap_or_default();
    let line = line.trim_start_matches('*');
    let first = line.split(' ').next().unwrap_or_default();
    match first.parse() {
        Ok(count) => Arrival::Digest(count),
        Err(_word) => Arrival::One(line.rsplit(' ').next().unwrap_or_default().to_owned()),
    }
}
