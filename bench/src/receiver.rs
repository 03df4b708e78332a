//! A lean HTTPS receiver: it answers `ok`, counts, keeps one payload, and knows how long each alert was on its way.

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alert_connectors_inbox::{Authority, serve};
use anyhow::anyhow;
use axum::{Router, extract::State, http::Uri, routing::get};
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{process::say, stats::percentile};

#[derive(Default)]
struct Seen {
    count: u64,
    payload: Bytes,
    on_the_way: Vec<Duration>,
}

type Shared = Arc<Mutex<Seen>>;

/// The present time in microseconds, as alerts carry it in their titles.
#[expect(
    clippy::disallowed_methods,
    reason = "two processes of one machine compare it"
)]
pub(crate) fn micros() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(0))
}

/// Listens, prints its port, and serves until it is killed.
pub(crate) async fn receive(ca_file: &str) -> anyhow::Result<()> {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let authority = Authority::for_names(names).map_err(|error| anyhow!("{error}"))?;
    fs::write(ca_file, authority.ca_pem())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(format_args!("{}", listener.local_addr()?.port()))?;
    let seen = Shared::default();
    let router = Router::new()
        .route(
            "/count",
            get(async |State(seen): State<Shared>| lock(&seen).count.to_string()),
        )
        .route(
            "/payload",
            get(async |State(seen): State<Shared>| lock(&seen).payload.clone()),
        )
        .route("/latency", get(latency))
        .fallback(take)
        .with_state(seen);
    serve(
        listener,
        authority.server_config(),
        router,
        TaskTracker::new(),
        CancellationToken::new(),
    )
    .await;
    Ok(())
}

fn lock(seen: &Shared) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Below `/hang/` nothing is ever answered.
async fn take(State(seen): State<Shared>, uri: Uri, body: Bytes) -> &'static str {
    if uri.path().starts_with("/hang/") {
        std::future::pending::<()>().await;
    }
    let sent = sent_at(&body);
    let mut seen = lock(&seen);
    seen.count += 1;
    if let Some(sent) = sent {
        seen.on_the_way
            .push(Duration::from_micros(micros().saturating_sub(sent)));
    }
    seen.payload = body;
    "ok"
}

/// The time in `sent=…=` of the title.
fn sent_at(body: &[u8]) -> Option<u64> {
    let at = body.windows(5).position(|window| window == b"sent=")? + 5;
    let digits = body
        .get(at..)?
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// `p50 p99` in milliseconds since the last time this was asked.
async fn latency(State(seen): State<Shared>) -> String {
    let mut times = std::mem::take(&mut lock(&seen).on_the_way);
    times.sort_unstable();
    format!(
        "{:.2} {:.2}",
        percentile(&times, 0.5),
        percentile(&times, 0.99)
    )
}
