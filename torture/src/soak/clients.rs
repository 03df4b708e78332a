//! Those who use the service beside the honest load: a producer of batches, a reader, an editor, and one who makes mistakes.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::server::{SPACE, Server};

/// A space of their own, with connectors whose webhooks never answer.
const OTHER_SPACE: &str = "beside";
const HANGING: usize = 50;
/// Alerts of a batch.
const BATCH: usize = 100;
/// Between two requests of one client.
const PAUSE: Duration = Duration::from_millis(50);
/// Values of a body that is too much.
const VALUES: usize = 100_000;

/// Clients that go on until they are stopped.
pub(super) struct Clients {
    tasks: JoinSet<anyhow::Result<()>>,
    counts: Arc<Counts>,
    /// Takes connections and says nothing.
    _silent: TcpListener,
}

impl Clients {
    pub(super) async fn start(server: &Server) -> anyhow::Result<Self> {
        let (_, _, token) = server.target();
        let counts = Arc::new(Counts::default());
        let caller = Caller {
            client: Client::builder().no_proxy().build()?,
            base: server.url("").into(),
            token: token.into(),
            counts: Arc::clone(&counts),
        };
        let silent = TcpListener::bind("127.0.0.1:0")?;
        caller.furnish(silent.local_addr()?.port()).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(caller.clone().produce());
        tasks.spawn(caller.clone().read());
        tasks.spawn(caller.clone().edit());
        tasks.spawn(caller.err());
        Ok(Self {
            tasks,
            counts,
            _silent: silent,
        })
    }

    /// Fails where one of them could not go on.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => ended?.and_then(|()| bail!("a client ended")),
        }
    }

    /// Stops them, and says how many of their requests were done and how many refused.
    pub(super) fn stop(self) -> (u64, u64) {
        let Counts { done, refused } = &*self.counts;
        (
            done.load(Ordering::Relaxed),
            refused.load(Ordering::Relaxed),
        )
    }
}

#[derive(Default)]
struct Counts {
    done: AtomicU64,
    refused: AtomicU64,
}

#[derive(Clone)]
struct Caller {
    client: Client,
    base: Arc<str>,
    token: Arc<str>,
    counts: Arc<Counts>,
}

impl Caller {
    async fn furnish(&self, silent_port: u16) -> anyhow::Result<()> {
        let space = json!({"slug": OTHER_SPACE, "name": OTHER_SPACE});
        self.ask(Method::POST, "/spaces", Some(&space)).await?;
        for number in 0..HANGING {
            let body = json!({"name": format!("{number}"), "connector_type": "slack", "severity_filter": [],
                "webhook_url": format!("https://localhost:{silent_port}/{number}")});
            let path = format!("/spaces/{OTHER_SPACE}/alert-connectors");
            self.ask(Method::POST, &path, Some(&body)).await?;
        }
        Ok(())
    }

    /// Asks for something that may be refused, but never fails.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .header("authorization", &*self.token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.send(request, path).await
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        path: &str,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let answer = request.send().await?;
        let status = answer.status();
        let count = if status.is_success() {
            &self.counts.done
        } else {
            &self.counts.refused
        };
        count.fetch_add(1, Ordering::Relaxed);
        ensure!(
            status != StatusCode::INTERNAL_SERVER_ERROR,
            "{path} was answered {status}"
        );
        let body = answer.bytes().await?;
        tokio::time::sleep(PAUSE).await;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// Batches of long alerts, some of which are problems that are raised, repeated and resolved; and alerts for those whose
    /// webhooks never answer.
    async fn produce(self) -> anyhow::Result<()> {
        let description = "| table | rows |\n|---|---|\n| orders | 0 |\n".repeat(40);
        for round in 0_u64.. {
            let alert = |number: usize| {
                let status = if (round + number as u64).is_multiple_of(3) {
                    "resolved"
                } else {
                    "active"
                };
                json!({"alert_type": "batch", "severity": "low", "title": format!("{round} {number}"),
                    "description": description, "dedup_key": format!("k{}", number % 40), "status": status})
            };
            let batch: Vec<Value> = (0..BATCH).map(alert).collect();
            for space in [SPACE, OTHER_SPACE] {
                let path = format!("/spaces/{space}/alerts/batch");
                self.ask(Method::POST, &path, Some(&Value::from(batch.clone())))
                    .await?;
            }
            tokio::time::sleep(10 * PAUSE).await;
        }
        Ok(())
    }

    /// Pages of everything, followed to their end where there are few.
    async fn read(self) -> anyhow::Result<()> {
        loop {
            for path in [
                "/openapi.json",
                "/docs",
                "/metrics",
                "/health/ready",
                "/auth/me",
            ] {
                self.ask(Method::GET, path, None).await?;
            }
            for space in [SPACE, OTHER_SPACE] {
                let space = format!("/spaces/{space}");
                let path = format!("{space}/alerts?limit=200&severity=low");
                let mut cursor = String::new();
                for _ in 0..5 {
                    let path = format!("{path}{cursor}");
                    let (_, page) = self.ask(Method::GET, &path, None).await?;
                    let Some(next) = page["next_cursor"].as_str() else {
                        break;
                    };
                    cursor = format!("&cursor={next}");
                    if let Some(id) = page["items"][0]["id"].as_str() {
                        let path = format!("{space}/alerts/{id}");
                        self.ask(Method::GET, &path, None).await?;
                    }
                }
                let path = format!("{space}/alert-connectors");
                let (_, connectors) = self.ask(Method::GET, &path, None).await?;
                for connector in connectors.as_array().into_iter().flatten().take(6) {
                    let id = connector["id"].as_str().context("a connector has an id")?;
                    for what in ["health", "deliveries?limit=200"] {
                        let path = format!("{path}/{id}/{what}");
                        self.ask(Method::GET, &path, None).await?;
                    }
                }
            }
        }
    }

    /// Connectors that come and go, previews, tests and keys.
    async fn edit(self) -> anyhow::Result<()> {
        let space = format!("/spaces/{OTHER_SPACE}");
        for round in 0_u64.. {
            let body = json!({"name": format!("new {round}"), "connector_type": "teams", "severity_filter": ["critical"],
                "webhook_url": format!("https://localhost:1/{round}")});
            let path = format!("{space}/alert-connectors");
            let (_, made) = self.ask(Method::POST, &path, Some(&body)).await?;
            let one = format!("{path}/{}", made["id"].as_str().unwrap_or_default());
            let change =
                json!({"name": "renamed", "webhook_url": format!("https://localhost:2/{round}")});
            self.ask(Method::PATCH, &one, Some(&change)).await?;
            let test = format!("{one}/test");
            self.ask(Method::POST, &test, Some(&json!({}))).await?;
            let preview = json!({"alert_type": "x", "severity": "high", "title": "t", "description": "# a\n".repeat(500)});
            let path = format!("{space}/alerts/preview");
            self.ask(Method::POST, &path, Some(&preview)).await?;
            self.ask(Method::DELETE, &one, None).await?;
            let key = json!({"name": format!("key {round}")});
            let (_, made) = self.ask(Method::POST, "/api-keys", Some(&key)).await?;
            if let Some(id) = made["id"].as_str() {
                let path = format!("/api-keys/{id}");
                self.ask(Method::DELETE, &path, None).await?;
            }
        }
        Ok(())
    }

    /// Requests that are refused.
    async fn err(self) -> anyhow::Result<()> {
        let values = format!("[{}0]", "0,".repeat(VALUES - 1));
        let query = "unknown=1&".repeat(500);
        for round in 0_u64.. {
            let guess = json!({"email": format!("{round}@example.com"), "password": "guess"});
            self.ask(Method::POST, "/auth/token", Some(&guess)).await?;
            let path = format!("/spaces/{SPACE}/alerts?{query}");
            self.ask(Method::GET, &path, None).await?;
            let path = format!("/spaces/{SPACE}/alerts/batch");
            for body in [values.as_str(), "[{", "{}"] {
                let request = self.client.post(format!("{}{path}", self.base));
                let request = request
                    .header("authorization", &*self.token)
                    .header("content-type", "application/json")
                    .body(body.to_owned());
                self.send(request, &path).await?;
            }
            self.ask(Method::GET, &format!("/nowhere/{round}"), None)
                .await?;
        }
        Ok(())
    }
}
