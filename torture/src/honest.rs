//! The honest load: alerts at an even pace, each posted once. One that is not accepted at once is a failure.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::bail;
use reqwest::StatusCode;
use serde_json::json;
use tokio::{task::JoinSet, time::MissedTickBehavior};

use crate::{ledger::Posted, load::Target, scenario::TYPES, server::Server};

/// How many clients post, each so often: 500 alerts a second.
const CLIENTS: u64 = 16;
const EVERY: Duration = Duration::from_millis(32);
/// A producer that waits for longer has given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clients that post until they are stopped.
pub(crate) struct Honest {
    tasks: JoinSet<anyhow::Result<()>>,
    shared: Arc<Shared>,
    /// How many of those that were posted have been asked for.
    told: usize,
}

#[derive(Default)]
struct Shared {
    is_stopping: AtomicBool,
    next: AtomicU64,
    posted: Mutex<Vec<Posted>>,
}

impl Shared {
    fn posted(&self) -> MutexGuard<'_, Vec<Posted>> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Honest {
    pub(crate) fn start(server: &Server) -> Self {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        for client in 0..CLIENTS {
            let begins_after =
                EVERY / u32::try_from(CLIENTS).unwrap_or(1) * u32::try_from(client).unwrap_or(0);
            tasks.spawn(post(server.target(), Arc::clone(&shared), begins_after));
        }
        Self {
            tasks,
            shared,
            told: 0,
        }
    }

    /// How long each request took since the last time that this was asked.
    pub(crate) fn so_far(&mut self) -> Vec<Duration> {
        let posted = self.shared.posted();
        let new = posted.get(self.told..).unwrap_or_default();
        self.told = posted.len();
        new.iter().map(|one| one.answered - one.began).collect()
    }

    /// Everything that was accepted; and adds how long the last requests took.
    pub(crate) async fn stop(mut self, took: &mut Vec<Duration>) -> anyhow::Result<Vec<Posted>> {
        self.shared.is_stopping.store(true, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        took.extend(self.so_far());
        Ok(std::mem::take(&mut *self.shared.posted()))
    }
}

async fn post(
    (client, url, token): Target,
    shared: Arc<Shared>,
    begins_after: Duration,
) -> anyhow::Result<()> {
    tokio::time::sleep(begins_after).await;
    let mut ticks = tokio::time::interval(EVERY);
    // Each keeps its place in time, so that a wait does not bring all clients to post at the same moment from then on.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while !shared.is_stopping.load(Ordering::SeqCst) {
        ticks.tick().await;
        let number = shared.next.fetch_add(1, Ordering::SeqCst);
        let alert_type = TYPES[usize::try_from(number)? % TYPES.len()];
        let title = format!("n{number}");
        let body = json!({"alert_type": alert_type, "severity": "high", "title": title});
        let began = Instant::now();
        let request = client
            .post(&url)
            .header("authorization", &token)
            .json(&body);
        let answer = request.timeout(PATIENCE).send().await;
        let answered = Instant::now();
        match answer.map(|answer| answer.status()) {
            Ok(StatusCode::ACCEPTED) => {}
            other => bail!(
                "an honest request got {other:?} after {:?}",
                answered - began
            ),
        }
        let posted = Posted {
            alert_type,
            title,
            began,
            answered,
        };
        shared.posted().push(posted);
    }
    Ok(())
}

/// What many requests took, in milliseconds.
pub(crate) struct Summary {
    count: usize,
    p50: f64,
    p99: f64,
    /// The median of the 99th percentiles of ten seconds each: a stall of the machine's disk is in one of them only.
    pub(crate) usual_p99: f64,
    max: f64,
}

/// How many requests are posted in ten seconds.
const TEN_SECONDS: usize = 5_000;

/// The figures of requests in the order of their answers.
pub(crate) fn summary(mut took: Vec<Duration>) -> Summary {
    let mut p99s: Vec<Duration> = took
        .chunks(TEN_SECONDS)
        .filter(|chunk| chunk.len() > TEN_SECONDS / 2)
        .map(|chunk| {
            let mut chunk = chunk.to_vec();
            chunk.sort_unstable();
            percentile(&chunk, 99)
        })
        .collect();
    p99s.sort_unstable();
    took.sort_unstable();
    let millis = |took: Duration| took.as_secs_f64() * 1_000.0;
    Summary {
        count: took.len(),
        p50: millis(percentile(&took, 50)),
        p99: millis(percentile(&took, 99)),
        usual_p99: millis(percentile(&p99s, 50)),
        max: millis(percentile(&took, 100)),
    }
}

/// A percentile of what is sorted; zero of nothing.
fn percentile(sorted: &[Duration], hundredth: usize) -> Duration {
    let at = sorted.len().saturating_sub(1) * hundredth / 100;
    sorted.get(at).copied().unwrap_or_default()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            p50,
            p99,
            usual_p99,
            max,
        } = self;
        write!(
            f,
            "{count}, median {p50:.1} ms, p99 {p99:.1} ms (of ten seconds, in the median: {usual_p99:.1} ms), \
             slowest {max:.1} ms"
        )
    }
}
