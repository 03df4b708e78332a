//! A log that can't be written is no reason to stop.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStderr, Command, Stdio},
};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::{self, PROGRAM, World, answer};

/// A second server on a world's database, whose log nobody reads beyond the address.
struct Unread {
    child: Child,
    base: String,
    log: Option<BufReader<ChildStderr>>,
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Unread {
    fn start(world: &mut World) -> Self {
        world.server.child.kill().unwrap();
        world.server.child.wait().unwrap();
        let ca_file = world.path("ca.pem").display().to_string();
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--ca-file",
            &ca_file,
            "--allow-network",
            "127.0.0.0/8",
            "--rate",
            "slack=unlimited",
        ];
        let mut child = Command::new(PROGRAM)
            .args(world.place.with(&arguments))
            .env_clear()
            .env("RUST_LOG", "debug")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the server ended");
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["message"] == "listening" {
                break line["address"].as_str().unwrap().to_owned();
            }
        };
        Self {
            child,
            base: format!("http://{address}"),
            log: Some(log),
        }
    }

    /// Posts so many alerts and waits until all of them arrived.
    async fn delivers(&self, world: &World, count: u64) {
        let before = world.inbox.count();
        for number in 0..count {
            let alert =
                json!({"alert_type": "t", "title": format!("alert {number}"), "severity": "high"});
            let request = world
                .client
                .post(format!("{}/spaces/data/alerts", self.base))
                .bearer_auth(&world.token)
                .json(&alert);
            assert_eq!(answer(request).await.status, StatusCode::ACCEPTED);
        }
        world::until(async || world.inbox.count(), |seen| *seen >= before + count).await;
    }

    /// How many lines were dropped.
    async fn dropped(&self, world: &World) -> u64 {
        let metrics = answer(world.client.get(format!("{}/metrics", self.base))).await;
        let name = "alert_connectors_log_lines_dropped_total ";
        let line = metrics
            .text
            .lines()
            .find_map(|line| line.strip_prefix(name));
        line.unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn a_log_whose_reader_is_gone_stops_nothing() {
    let mut world = World::start().await;
    world.connect("/hook").await;
    let mut server = Unread::start(&mut world);
    server.log = None;
    server.delivers(&world, 20).await;
    assert!(server.dropped(&world).await > 20);
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing_and_says_later_what_is_missing() {
    let mut world = World::start().await;
    world.connect("/hook").await;
    let mut server = Unread::start(&mut world);
    // The pipe holds 64 KiB, and the queue in front of it 16,384 lines.
    let live = format!("{}/health/live", server.base);
    while server.dropped(&world).await == 0 {
        for _ in 0..500 {
            let answer = world.client.get(&live).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
        }
    }
    server.delivers(&world, 20).await;
    let dropped = server.dropped(&world).await;
    let lines = server.log.take().unwrap().lines().map_while(Result::ok);
    let counts = lines.filter_map(|line| {
        let entry: serde_json::Value = serde_json::from_str(&line).ok()?;
        let text = entry["message"].as_str()?;
        text.contains("log lines were dropped")
            .then(|| entry["count"].as_u64().unwrap())
    });
    // The log reports every dropped line, in one entry or in several.
    let mut told = 0;
    for count in counts {
        told += count;
        if told >= dropped {
            return;
        }
    }
    unreachable!("the log reports {told} of {dropped} dropped lines");
}

#[tokio::test]
async fn it_begins_with_the_version_and_the_settings() {
    let world = World::start_with(&[("ALERT_CONNECTORS_PROXY", "")]).await;
    let log = world.server.log();
    let line = log.lines().find(|line| line.contains("listening"));
    let line: Value = serde_json::from_str(line.unwrap()).unwrap();
    assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
    let settings = line["settings"].as_str().unwrap();
    assert!(
        settings.contains("listen=127.0.0.1:0 (--listen)"),
        "{settings}"
    );
    assert!(!settings.contains("proxy="), "{settings}");
}
