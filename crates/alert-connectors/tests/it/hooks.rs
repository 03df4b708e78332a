//! Hooks: tools that know nothing but a webhook of Slack or Teams post to them, by a key in the address.

use std::{path::Path, process::Command};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::world::{World, client};

/// Makes a key, and returns it with its id.
async fn key(world: &World, wanted: Value) -> (String, String) {
    let made = world.post("/api-keys", &wanted).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let text = |name: &str| made.body[name].as_str().unwrap().to_owned();
    (text("key"), text("id"))
}

async fn hook_key(world: &World) -> String {
    let wanted = json!({"name": "hook", "scope": "send", "space": "data"});
    key(world, wanted).await.0
}

/// Posts to a hook; returns the status, the type of the answer and the answer.
async fn post(world: &World, hook: &str, body: &str) -> (StatusCode, String, String) {
    let url = format!("{}/hooks/{hook}", world.server.base);
    let request = client()
        .post(url)
        .header("content-type", "application/json");
    let answer = request.body(body.to_owned()).send().await.unwrap();
    let media_type = answer.headers().get("content-type");
    let media_type = media_type.map_or("", |value| value.to_str().unwrap());
    let (status, media_type) = (answer.status(), media_type.to_owned());
    (status, media_type, answer.text().await.unwrap())
}

async fn newest(world: &World) -> Value {
    let alerts = world.get("/spaces/data/alerts").await.body;
    alerts["items"][0].clone()
}

#[tokio::test]
async fn only_a_key_that_sends_to_one_space_is_good_in_an_address() {
    let world = World::start_with(&[("RUST_LOG", "trace")]).await;
    let good = hook_key(&world).await;
    let hello = r#"{"text": "hello"}"#;
    let all_spaces = key(&world, json!({"name": "a", "scope": "send"})).await.0;
    let everything = key(
        &world,
        json!({"name": "b", "scope": "all", "space": "data"}),
    )
    .await
    .0;
    let (revoked, id) = key(
        &world,
        json!({"name": "c", "scope": "send", "space": "data"}),
    )
    .await;
    let path = format!("/api-keys/{id}");
    assert_eq!(world.ask(Method::DELETE, &path, None).await.status, 204);
    let session = world.command(&["token", "issue", "alice@example.com"]);
    let unknown = "ack_unknown";
    let mut answers = Vec::new();
    for wrong in [
        &all_spaces,
        &everything,
        &revoked,
        &session,
        unknown,
        "%00",
        "a%20b",
    ] {
        let (status, _, text) = post(&world, wrong, hello).await;
        assert_eq!(status, 404, "{wrong}: {text}");
        answers.push(text);
    }
    // Nobody learns which of them there are.
    assert!(
        answers.iter().all(|text| *text == answers[0]),
        "{answers:?}"
    );
    let read = world.get(&format!("/hooks/{good}")).await;
    assert_eq!(read.status, 405);
    let (status, media_type, text) = post(&world, &good, hello).await;
    assert_eq!((status.as_u16(), text.as_str()), (200, "ok"));
    assert!(media_type.starts_with("text/plain"), "{media_type}");
    assert_eq!(newest(&world).await["title"], "hello");
    let log = world.server.log();
    assert!(log.contains("/hooks/"), "{log}");
    for secret in [good, all_spaces, everything, revoked] {
        assert!(!log.contains(&secret), "a key is in the log");
    }
}

#[tokio::test]
async fn a_hook_answers_as_the_platform_does() {
    let world = World::start().await;
    let key = hook_key(&world).await;
    for (body, status, text) in [
        (r#"{"text": "x"}"#, 200, "ok"),
        (r#"{"@type": "MessageCard", "text": "x"}"#, 200, "1"),
        (
            r#"{"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "x"}]}"#,
            202,
            "",
        ),
        ("payload=%7B%22text%22%3A%22x%22%7D", 200, "ok"),
        (
            "channel=%23data&payload=%7B%22text%22%3A%22x%22%7D",
            200,
            "ok",
        ),
        ("channel=%23data", 400, "invalid_payload"),
        (r#"{"text": ""}"#, 400, "no_text"),
        ("[]", 400, "invalid_payload"),
        ("no JSON", 400, "invalid_payload"),
        ("payload=no+JSON", 400, "invalid_payload"),
        ("payload", 400, "invalid_payload"),
        ("", 400, "invalid_payload"),
        (
            r#"{"@type": "MessageCard"}"#,
            400,
            "Summary or Text is required.",
        ),
    ] {
        let got = post(&world, &key, body).await;
        assert_eq!((got.0.as_u16(), got.2.as_str()), (status, text), "{body}");
    }
    let alerts = world.get("/spaces/data/alerts").await.body;
    assert_eq!(alerts["items"].as_array().unwrap().len(), 5);
    let typed = format!("{key}?type=jenkins&severity=critical");
    assert_eq!(post(&world, &typed, r#"{"text": "x"}"#).await.0, 200);
    let alert = newest(&world).await;
    assert_eq!(
        (&alert["alert_type"], &alert["severity"]),
        (&json!("jenkins"), &json!("critical"))
    );
    let wrong = format!("{key}?type=A%20B&severity=worst&colour=red");
    let (status, _, text) = post(&world, &wrong, r#"{"text": "x"}"#).await;
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (status.as_u16(), problem["errors"].as_array().unwrap().len()),
        (422, 2)
    );
    for (slip, meant) in [("sverity=critical", "severity"), ("Type=jenkins", "type")] {
        let (status, _, text) = post(&world, &format!("{key}?{slip}"), r#"{"text": "x"}"#).await;
        assert_eq!(status.as_u16(), 422, "{slip}");
        assert!(text.contains(&format!("Did you mean {meant}?")), "{text}");
    }
    let others = format!("{key}?api-version=2016-06-01&sp=%2Ftriggers&sv=1.0&sig=abc&time=9");
    assert_eq!(post(&world, &others, r#"{"text": "x"}"#).await.0, 200);
    let large = format!(r#"{{"text": "{}"}}"#, "x".repeat(1_100_000));
    assert_eq!(post(&world, &key, &large).await.0, 413);
}

/// The channel shows what the tool has posted, whether or not a problem ends with it.
#[tokio::test]
async fn an_end_that_ends_no_problem_is_sent_as_news() {
    let world = World::start().await;
    let hook = hook_key(&world).await;
    let posted = [
        ("[RESOLVED] Disk db-1", "active", Value::Null),
        (
            "[FIRING:1] Disk db-1",
            "active",
            json!("hook:webhook:Disk db-1"),
        ),
        (
            "[RESOLVED] Disk db-1",
            "resolved",
            json!("hook:webhook:Disk db-1"),
        ),
    ];
    for (title, status, key) in posted {
        let body = json!({"text": title}).to_string();
        let (answered, _, text) = post(&world, &hook, &body).await;
        assert_eq!((answered.as_u16(), text.as_str()), (200, "ok"));
        let alert = newest(&world).await;
        assert_eq!(
            (&alert["status"], &alert["dedup_key"]),
            (&json!(status), &key),
            "{alert}"
        );
    }
    let alerts = world.get("/spaces/data/alerts").await.body;
    assert_eq!(alerts["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_that_is_revoked_while_a_message_is_on_its_way_posts_nothing() {
    let world = World::start().await;
    let (key, id) = key(
        &world,
        json!({"name": "hook", "scope": "send", "space": "data"}),
    )
    .await;
    let address = world.server.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = r#"{"text": "late"}"#;
    let head = format!(
        "POST /hooks/{key} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut wanted = [0; 25];
    stream.read_exact(&mut wanted).await.unwrap();
    assert_eq!(&wanted, b"HTTP/1.1 100 Continue\r\n\r\n");
    let path = format!("/api-keys/{id}");
    assert_eq!(world.ask(Method::DELETE, &path, None).await.status, 204);
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    let alerts = world.get("/spaces/data/alerts").await.body;
    assert_eq!(alerts["items"], json!([]));
}

/// Runs a sender as it is, and returns the alert that came of it.
async fn sent(world: &World, key: &str, sender: &str) -> Value {
    let python = std::env::var_os("HOOK_SENDERS");
    let python = python.expect(
        "HOOK_SENDERS names the Python with the senders; `cargo xtask test` installs it by itself",
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/hook_senders.py");
    let url = format!("{}/hooks/{key}", world.server.base);
    let output = Command::new(python)
        .arg(script)
        .args([sender, &url])
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{sender}: {output:?}");
    newest(world).await
}

/// What an alert says, in lines.
fn said(alert: &Value) -> String {
    let mut lines = vec![format!(
        "{} {}: {}",
        alert["severity"].as_str().unwrap(),
        alert["status"].as_str().unwrap(),
        alert["title"].as_str().unwrap()
    )];
    lines.extend(alert["description"].as_str().map(ToOwned::to_owned));
    for field in alert["fields"].as_array().unwrap() {
        lines.push(format!(
            "{}={}",
            field["name"].as_str().unwrap(),
            field["value"].as_str().unwrap()
        ));
    }
    lines.extend(alert["url"].as_str().map(ToOwned::to_owned));
    for action in alert["actions"].as_array().unwrap() {
        lines.push(format!(
            "{} {}",
            action["label"].as_str().unwrap(),
            action["url"].as_str().unwrap()
        ));
    }
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_that_know_slack_or_teams_alone_post_as_they_are() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let key = hook_key(&world).await;
    for (sender, expected) in [
        (
            "workflow_card",
            "low active: [RESOLVED] DiskFull db-1\nSince=2026-11-28 00:00:00\nView https://example.com/1",
        ),
        (
            "slack_sdk_text",
            "critical active: Critical: orders is late\nSee [the run](https://dbt.example.com/runs/1) & retry.",
        ),
        (
            "slack_sdk_blocks",
            "medium active: Airflow: load_orders failed\nThe task **extract** ended with `TimeoutError`.\n\nscheduler-1\n\
             Dag=load_orders\nTry=3\nLog https://airflow.example.com/log",
        ),
        (
            "slack_sdk_attachments",
            "high active: orders has nulls\n37 rows\n\nGrafana v11\nTable=analytics.orders\nhttps://grafana.example.com/d/1",
        ),
        (
            "pymsteams_card",
            "high active: Load failed\nThe load of **orders** failed.\n\n**load_orders**\nRows=0\nOpen https://example.com/runs/1",
        ),
        (
            "apprise_slack",
            "high active: Disk is full\n/var has 0 bytes left\n\nApprise",
        ),
        (
            "apprise_workflows",
            "medium active: Disk is full\n/var has 0 bytes left\nfailure https://github.com/caronc/apprise/raw/master/apprise/assets/themes/default/apprise-failure-32x32.png",
        ),
        (
            "notifiers_slack",
            "high active: Nightly backup\n**Backup failed**\n\nNo space left on `/backup`\nSize=12 GB\nhttps://example.com/backups/7",
        ),
        (
            "slackweb_text",
            "medium active: [FIRING:2] QueueLong (team-a)\n- one\n- two",
        ),
        ("form", "medium active: warning: queue is long"),
        ("undeclared", "medium active: plain words"),
    ] {
        let alert = sent(&world, &key, sender).await;
        assert_eq!(said(&alert), expected, "{sender}");
        assert_eq!(alert["alert_type"], "webhook");
    }
    let id = newest(&world).await["id"].as_str().unwrap().to_owned();
    world.settled(&id, "delivered").await;
}
