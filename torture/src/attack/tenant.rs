//! What a token buys: a tenant of other spaces who means harm.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::Attackers;
use crate::server::{Server, talk};

/// The tenant's spaces, each with this many connectors whose webhooks never answer.
const SPACES: [&str; 3] = ["hostile-a", "hostile-b", "hostile-c"];
const CONNECTORS: usize = 400;
/// A space whose webhooks answer with interim responses without end, and one whose webhooks have names that never resolve.
const INTERIM: (&str, usize) = ("hostile-interim", 20);
const UNRESOLVED: (&str, usize) = ("hostile-names", 200);
/// Alerts of one batch that every connector of a space hears of.
const WIDE: usize = 100;
/// It gives up a request after this time.
const PATIENCE: Duration = Duration::from_secs(30);
/// Values of a body that is nothing but values.
const VALUES: usize = 8_000_000;

/// Where its webhooks lead.
pub(super) struct Receivers {
    /// Never answers.
    pub(super) silent: String,
    /// Answers without end.
    pub(super) interim: String,
    /// Whether the server has a name server that never answers.
    pub(super) unresolved: bool,
}

impl Receivers {
    /// The tenant's spaces, each with its webhooks, in the order in which alerts are posted to them.
    fn spaces(&self) -> Vec<(&'static str, Vec<String>)> {
        let url = |number| format!("{}/{number}", self.interim);
        let mut spaces = vec![(INTERIM.0, (0..INTERIM.1).map(url).collect())];
        if self.unresolved {
            let url = |number| format!("https://hooks-{number}.example.com/hook");
            spaces.push((UNRESOLVED.0, (0..UNRESOLVED.1).map(url).collect()));
        }
        for space in SPACES {
            let url = |number| format!("{}/{space}/{number}", self.silent);
            spaces.push((space, (0..CONNECTORS).map(url).collect()));
        }
        spaces
    }
}

/// A tenant.
#[derive(Clone)]
pub(super) struct Tenant {
    client: Client,
    base: Arc<str>,
    token: Arc<str>,
    /// All its spaces.
    spaces: Arc<[&'static str]>,
}

impl Tenant {
    /// Makes the spaces and their connectors.
    pub(super) async fn furnish(server: &Server, receivers: &Receivers) -> anyhow::Result<Self> {
        let (_, _, token) = server.target();
        let spaces = receivers.spaces();
        let tenant = Self {
            // Its own, so that no honest request shares a connection with it.
            client: Client::builder().no_proxy().timeout(PATIENCE).build()?,
            base: server.url("").into(),
            token: token.into(),
            spaces: spaces.iter().map(|(space, _)| *space).collect(),
        };
        for (space, urls) in &spaces {
            let made = tenant
                .send(
                    Method::POST,
                    "/spaces",
                    &json!({"slug": space, "name": space}),
                )
                .await?;
            ensure!(made == StatusCode::CREATED, "a space was answered {made}");
            for url in urls {
                let body = json!({"name": "c", "connector_type": "slack", "severity_filter": [], "webhook_url": url});
                let path = format!("/spaces/{space}/alert-connectors");
                let made = tenant.send(Method::POST, &path, &body).await?;
                ensure!(
                    made == StatusCode::CREATED,
                    "a connector was answered {made}"
                );
            }
        }
        let count: usize = spaces.iter().map(|(_, urls)| urls.len()).sum();
        talk(format_args!(
            "a tenant has {count} webhooks: silent, endless and without an address"
        ));
        Ok(tenant)
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> reqwest::Result<StatusCode> {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = request.header("authorization", &*self.token).json(body);
        Ok(request.send().await?.status())
    }

    /// Starts everything that the tenant does.
    pub(super) fn attack(&self, attackers: &Attackers) {
        let again = |every: u64| tokio::time::interval(Duration::from_millis(every));
        let tenant = self.clone();
        attackers.spawn(async move {
            let mut ticks = again(10_000);
            loop {
                for space in &*tenant.spaces {
                    ticks.tick().await;
                    tenant.post_wide(space).await;
                }
            }
        });
        for _ in 0..2 {
            let tenant = self.clone();
            attackers.spawn(async move {
                let body = format!("[{}0]", "0,".repeat(VALUES - 1));
                let mut ticks = again(500);
                loop {
                    ticks.tick().await;
                    tenant.post_values(&body).await;
                }
            });
        }
        let tenant = self.clone();
        attackers.spawn(async move {
            let mut ticks = again(200);
            let query: String = (0..6_000)
                .flat_map(|at| ["q".to_owned(), at.to_string(), "=&".to_owned()])
                .collect();
            loop {
                ticks.tick().await;
                tenant
                    .get(&format!("/spaces/{}/alerts?{query}", SPACES[0]))
                    .await;
                tenant
                    .get(&format!("/spaces/{}/alerts?limit=200", SPACES[0]))
                    .await;
                tenant
                    .get(&format!("/spaces/{}/alert-connectors", SPACES[1]))
                    .await;
            }
        });
    }

    /// One request that causes a delivery for each alert and connector.
    async fn post_wide(&self, space: &str) {
        let alert = json!({"alert_type": "wide", "severity": "high", "title": "wide"});
        let batch = Value::from(vec![alert; WIDE]);
        // What comes of it is the server's affair.
        drop(
            self.send(
                Method::POST,
                &format!("/spaces/{space}/alerts/batch"),
                &batch,
            )
            .await,
        );
    }

    async fn post_values(&self, body: &str) {
        let url = format!("{}/spaces/{}/alerts/batch", self.base, SPACES[0]);
        let request = self.client.post(url).header("authorization", &*self.token);
        let request = request
            .header("content-type", "application/json")
            .body(body.to_owned());
        drop(request.send().await);
    }

    async fn get(&self, path: &str) {
        let request = self.client.get(format!("{}{path}", self.base));
        let request = request.header("authorization", &*self.token);
        if let Ok(answer) = request.send().await {
            drop(answer.bytes().await);
        }
    }
}
