//! What every measurement stands on: a release server, furnished, and a receiver in a process of its own.

use std::{
    fs,
    io::{BufRead, BufReader},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use reqwest::{Certificate, Client};
use serde_json::json;

use crate::{
    client::Target,
    home::Home,
    process::{Process, output, until},
};

/// Paced like any other, but at a pace that never binds.
pub(crate) const PACED: &str = "slack=10000/1s,burst=10000";

/// A receiver in a process of its own.
pub(crate) struct Receiver {
    _process: Process,
    pub(crate) base: String,
    client: Client,
}

impl Receiver {
    pub(crate) fn start(own: &str, ca_file: &str) -> anyhow::Result<Self> {
        let mut process = Process::start(own, &["receive", ca_file])?;
        let out = process
            .0
            .stdout
            .take()
            .context("the receiver has an output")?;
        let mut port = String::new();
        BufReader::new(out).read_line(&mut port)?;
        let root = Certificate::from_pem(&fs::read(ca_file)?)?;
        let client = Client::builder()
            .tls_certs_only([root])
            .no_proxy()
            .build()?;
        Ok(Self {
            _process: process,
            base: format!("https://localhost:{}", port.trim()),
            client,
        })
    }

    pub(crate) async fn ask(&self, what: &str) -> anyhow::Result<String> {
        let answer = self.client.get(format!("{}/{what}", self.base)).send();
        Ok(answer.await?.text().await?)
    }

    pub(crate) async fn count(&self) -> anyhow::Result<u64> {
        Ok(self.ask("count").await?.parse()?)
    }
}

/// A server and its database.
pub(crate) struct Lab {
    pub(crate) process: Process,
    pub(crate) started_in: Duration,
    pub(crate) idle: f64,
    program: String,
    pub(crate) home: Home,
    base: String,
    token: String,
    client: Client,
}

impl Lab {
    /// Starts a server on a fresh database.
    pub(crate) async fn start(
        program: &str,
        home: Home,
        ca_file: &str,
        rate: &str,
    ) -> anyhow::Result<Self> {
        let place: Vec<&str> = home.arguments.iter().map(String::as_str).collect();
        let command = |arguments: &[&str]| output(program, &[arguments, &place].concat());
        command(&["user", "add", "b@example.com", "--name", "B", "--operator"])?;
        let token = command(&["token", "issue", "b@example.com"])?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let listen = format!("127.0.0.1:{port}");
        let started = Instant::now();
        let serve = [
            "serve",
            "--listen",
            &listen,
            "--ca-file",
            ca_file,
            "--allow-network",
            "127.0.0.0/8",
            "--rate",
            rate,
        ];
        let process = Process::start(program, &[&serve[..], &place].concat())?;
        until("the start", async || {
            Ok(std::net::TcpStream::connect(&listen).is_ok())
        })
        .await?;
        let started_in = started.elapsed();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let idle = process.resident()?;
        Ok(Self {
            process,
            started_in,
            idle,
            program: program.to_owned(),
            home,
            base: format!("http://{listen}"),
            token: format!("Bearer {token}"),
            client: Client::builder().no_proxy().build()?,
        })
    }

    /// Makes a space.
    pub(crate) fn space(&self, slug: &str) -> anyhow::Result<()> {
        let place: Vec<&str> = self.home.arguments.iter().map(String::as_str).collect();
        let arguments = ["space", "add", slug, "--name", slug];
        output(&self.program, &[&arguments[..], &place].concat()).map(drop)
    }

    /// CPU seconds of the server and of its database's own processes.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        Ok(self.process.cpu()? + self.home.cpu()?)
    }

    /// Makes a connector for one type of alerts.
    pub(crate) async fn connect(
        &self,
        space: &str,
        url: &str,
        alert_type: &str,
        severities: &[&str],
    ) -> anyhow::Result<()> {
        let connector = json!({
            "name": alert_type, "connector_type": "slack", "webhook_url": url,
            "severity_filter": severities, "alert_type_filter": [alert_type],
        });
        let answer = self
            .client
            .post(format!("{}/spaces/{space}/alert-connectors", self.base))
            .header("authorization", &self.token)
            .json(&connector)
            .send()
            .await?;
        ensure!(
            answer.status() == 201,
            "a connector was answered {}",
            answer.text().await?
        );
        Ok(())
    }

    /// Where a space takes alerts.
    pub(crate) fn target(&self, space: &str) -> Target {
        Target {
            client: self.client.clone(),
            alerts: format!("{}/spaces/{space}/alerts", self.base),
            token: self.token.clone(),
        }
    }
}
