//! The data platform of the torture: posts alerts and repeats each until it is answered, with the same key.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::bail;
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use crate::ledger::Posted;

/// How many post at once.
const CLIENTS: usize = 4;
/// How long to wait before a request is repeated.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// Clients that post until they are stopped.
pub(crate) struct Load {
    stopping: Arc<AtomicBool>,
    posted: Arc<Mutex<Vec<Posted>>>,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Load {
    /// Posts alerts of these types in turn, numbered from `first` on, with a pause between two of a client.
    pub(crate) fn start(
        targets: &[Target],
        types: &'static [&'static str],
        pause: Duration,
        first: u64,
    ) -> Self {
        let load = Self {
            stopping: Arc::default(),
            posted: Arc::default(),
            tasks: JoinSet::new(),
        };
        let next = Arc::new(AtomicU64::new(first));
        let mut tasks = JoinSet::new();
        for number in 0..CLIENTS {
            let client = Poster {
                targets: targets.to_vec(),
                at: number,
                stopping: Arc::clone(&load.stopping),
                posted: Arc::clone(&load.posted),
                next: Arc::clone(&next),
            };
            tasks.spawn(client.post(types, pause));
        }
        Self { tasks, ..load }
    }

    /// Lets every client finish what it posts, and returns everything that was accepted, in the order of the answers.
    pub(crate) async fn stop(mut self) -> anyhow::Result<Vec<Posted>> {
        self.stopping.store(true, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        let mut posted = self.posted.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut posted))
    }
}

/// A client, an address, and as whom to post.
pub(crate) type Target = (Client, String, String);

struct Poster {
    /// The replicas; where one does not take an alert, the next is asked.
    targets: Vec<Target>,
    at: usize,
    stopping: Arc<AtomicBool>,
    posted: Arc<Mutex<Vec<Posted>>>,
    next: Arc<AtomicU64>,
}

impl Poster {
    async fn post(mut self, types: &'static [&'static str], pause: Duration) -> anyhow::Result<()> {
        while !self.stopping.load(Ordering::SeqCst) {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let alert_type = types[usize::try_from(number)? % types.len()];
            let title = format!("n{number}");
            let body = json!({"alert_type": alert_type, "severity": "high", "title": title});
            let began = Instant::now();
            loop {
                let (client, url, token) = &self.targets[self.at % self.targets.len()];
                let answer = client
                    .post(url)
                    .header("authorization", token)
                    .header("idempotency-key", &title)
                    .json(&body)
                    .send()
                    .await;
                match answer.map(|answer| answer.status()) {
                    Ok(StatusCode::ACCEPTED) => break,
                    // It may be stored or not; the same key makes asking again safe.
                    Ok(StatusCode::SERVICE_UNAVAILABLE) | Err(_) => {
                        self.at += 1;
                        tokio::time::sleep(TRY_AGAIN).await;
                    }
                    Ok(status) => bail!("an alert was answered {status}"),
                }
            }
            let posted = Posted {
                alert_type,
                title,
                began,
                answered: Instant::now(),
            };
            self.posted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(posted);
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        Ok(())
    }
}
