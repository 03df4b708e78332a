//! The metrics, as Prometheus reads them, and what is made of them: alert rules and a dashboard.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use alert_connectors_inbox::Behaviour;
use regex::Regex;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, answer, fed, until};

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(name)
}

/// Prometheus' own tool. The chore `test` installs it and names it.
fn promtool(arguments: &[&str], input: &str) {
    let program = std::env::var_os("PROMTOOL").unwrap_or_else(|| "/usr/bin/promtool".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(deploy("prometheus"));
    let output = fed(&mut command, input);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
}

/// A world in which everything that is counted has happened, and its metrics in the classic format.
async fn busy() -> (World, String) {
    let world = World::start().await;
    world.connect("/services/T/B/x").await;
    let alert = json!({"alert_type": "dq_alert", "severity": "high", "title": "Late"});
    let posted = world.post("/spaces/data/alerts", &alert).await;
    world
        .settled(posted.body["id"].as_str().unwrap(), "delivered")
        .await;
    world.get("/no/such/route").await;
    let metrics = world.get("/metrics").await;
    assert_eq!(
        metrics.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    (world, metrics.text)
}

/// The value of a series.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    line?.trim().parse().ok()
}

#[tokio::test]
async fn prometheus_finds_nothing_wrong_with_them() {
    let (_world, metrics) = busy().await;
    promtool(&["check", "metrics"], &metrics);
}

#[tokio::test]
async fn they_say_what_happened_and_what_runs() {
    let (world, metrics) = busy().await;
    for (series, expected) in [
        (
            r#"alert_connectors_http_requests_total{method="POST",route="/spaces/{slug}/alerts",status="202"}"#,
            1.0,
        ),
        (
            r#"alert_connectors_http_requests_total{method="GET",route="none",status="404"}"#,
            1.0,
        ),
        (
            r#"alert_connectors_deliveries_ended_total{state="delivered"}"#,
            1.0,
        ),
        ("alert_connectors_delivery_delay_seconds_count", 1.0),
        ("alert_connectors_oldest_pending_age_seconds", 0.0),
        (
            concat!(
                "alert_connectors_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"}"
            ),
            1.0,
        ),
    ] {
        assert_eq!(
            value(&metrics, series),
            Some(expected),
            "{series}\n{metrics}"
        );
    }
    for series in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_open_fds",
        "process_max_fds",
    ] {
        assert!(
            value(&metrics, series).is_some_and(|value| value > 0.0),
            "{series}\n{metrics}"
        );
    }
    let url = format!("{}/metrics", world.server.base);
    let open = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    let open = answer(world.client.get(url).header("accept", open)).await;
    let content_type = open.headers["content-type"].to_str().unwrap();
    assert!(
        content_type.starts_with("application/openmetrics-text"),
        "{content_type}"
    );
    assert!(open.text.ends_with("# EOF\n") && open.text.matches("# EOF").count() == 1);
}

/// A pending delivery has an age even if its webhook never answers.
#[tokio::test]
async fn the_age_of_what_waits_grows() {
    let world = World::start().await;
    let hang = Behaviour {
        hang: true,
        ..Behaviour::default()
    };
    world.inbox.behave("/services/T/B/x", hang);
    world.connect("/services/T/B/x").await;
    let alert = json!({"alert_type": "dq_alert", "severity": "high", "title": "Late"});
    world.post("/spaces/data/alerts", &alert).await;
    until(
        async || {
            value(
                &world.get("/metrics").await.text,
                "alert_connectors_oldest_pending_age_seconds",
            )
        },
        |age| age.is_some_and(|age| age >= 1.0),
    )
    .await;
}

/// Every name that an expression may mean.
fn names(expressions: &str) -> BTreeSet<&str> {
    let name = Regex::new(r"\b(alert_connectors|process)_[a-z_]+\b").unwrap();
    name.find_iter(expressions)
        .map(|found| found.as_str())
        .collect()
}

#[tokio::test]
async fn rules_and_dashboard_name_metrics_that_there_are() {
    let (_world, metrics) = busy().await;
    let rules = std::fs::read_to_string(deploy("prometheus/alerts.yml")).unwrap();
    let dashboard = std::fs::read_to_string(deploy("grafana/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter();
    let targets = targets.flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions: Vec<&str> = targets
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    let all = format!("{rules}\n{}", expressions.join("\n"));
    let there: BTreeSet<&str> = names(&metrics);
    let missing: Vec<_> = names(&all)
        .into_iter()
        .filter(|name| !there.contains(name))
        .collect();
    assert_eq!(missing, [] as [&str; 0]);
    assert!(names(&all).len() > 15);
}

#[test]
fn the_rules_do_what_they_say() {
    promtool(&["check", "rules", "alerts.yml"], "");
    promtool(&["test", "rules", "alerts_test.yml"], "");
}

#[tokio::test]
async fn metrics_may_be_kept_apart_from_the_api() {
    let world = World::start_with(&[("ALERT_CONNECTORS_METRICS_LISTEN", "127.0.0.1:0")]).await;
    assert_eq!(world.get("/metrics").await.status, 404);
    let log = world.server.log();
    let line = log
        .lines()
        .find(|line| line.contains("metrics are served"))
        .unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let apart = line["address"].as_str().unwrap();
    for (path, status) in [
        ("/metrics", 200),
        ("/health/ready", 200),
        ("/spaces", 404),
        ("/openapi.json", 404),
    ] {
        let request = world
            .client
            .request(Method::GET, format!("http://{apart}{path}"));
        assert_eq!(
            answer(request.bearer_auth(&world.token)).await.status,
            status,
            "{path}"
        );
    }
}
