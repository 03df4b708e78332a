//! Commands whose server hangs, is away for a while, is not ready, or does not know them.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, routing::any};
use http::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::{
    terminal::Person,
    world::{PROGRAM, World},
};

const SEND: [&str; 9] = [
    "send",
    "--space",
    "data",
    "--type",
    "dq",
    "--severity",
    "high",
    "Late",
    "--timeout=1s",
];

/// The end of a command, which has to come long before a request would be given up by itself.
async fn ends(arguments: Vec<String>) -> (i32, String) {
    let running = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Person::new().fails_as("ack_1", &arguments)
    });
    let ended = tokio::time::timeout(Duration::from_secs(20), running).await;
    ended.unwrap().unwrap()
}

fn sending_to(server: &str) -> Vec<String> {
    let words = [&SEND[..], &["--server", server]].concat();
    words.into_iter().map(ToOwned::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_waited_for_no_longer_than_said() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", silent.local_addr().unwrap());
    let (status, said) = ends(sending_to(&server)).await;
    assert_eq!(status, 4, "{said}");
    assert!(said.contains("can't be reached"), "{said}");
}

/// A server that answers each request by how many came before it.
async fn server(answer: fn(usize) -> (StatusCode, Json<serde_json::Value>)) -> String {
    let seen = Arc::new(AtomicUsize::new(0));
    let answers = any(async move || answer(seen.fetch_add(1, Ordering::Relaxed)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answers);
    TaskTracker::new().spawn(async { axum::serve(listener, app).await });
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_can_not_take_now_may_be_stored_and_is_not_called_refused() {
    for status in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::BAD_GATEWAY] {
        let away: fn(usize) -> _ = if status == StatusCode::BAD_GATEWAY {
            |_| (StatusCode::BAD_GATEWAY, Json(json!("a proxy's own words")))
        } else {
            |_| {
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    Json(json!({"detail": "The disk is full."})),
                )
            }
        };
        let (status, said) = ends(sending_to(&server(away).await)).await;
        assert_eq!(status, 4, "{said}");
        assert!(
            said.contains("repeat it with --idempotency-key cli-"),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_beyond_a_quota_is_sent_again_and_then_refused() {
    let full = server(|count| {
        let detail = if count == 0 { "at first" } else { "sent again" };
        (
            StatusCode::TOO_MANY_REQUESTS,
            Json(json!({"detail": detail})),
        )
    });
    let (status, said) = ends(sending_to(&full.await)).await;
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("sent again"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_goes_on_when_its_server_is_back() {
    let server = server(|count| match count {
        1 => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({}))),
        2 => (StatusCode::OK, Json(json!({"items": [{"id": "1", "received_at": "2026-11-28T12:00:00Z", "title": "after it"}], "next_cursor": null}))),
        _ => (StatusCode::OK, Json(json!({"items": [], "next_cursor": null}))),
    })
    .await;
    let mut tail = Command::new(PROGRAM)
        .args(["alerts", "tail", "--server", &server, "--space", "data"])
        .env("ALERT_CONNECTORS_TOKEN", "ack_1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let line = BufReader::new(tail.stdout.take().unwrap()).lines().next();
    tail.kill().unwrap();
    let output = tail.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let line = line.unwrap_or_else(|| panic!("{said}")).unwrap();
    assert!(line.contains("after it"), "{line}");
    assert_eq!(
        said.matches("trying again until it answers").count(),
        1,
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_expired_and_wrong_tokens_are_told_apart() {
    let world = World::start().await;
    let alice = Person::new();
    let whoami = ["whoami", "--server", &world.server.base];
    let (status, said) = alice.fails_as("", &whoami);
    assert!(
        status == 2 && said.contains("set ALERT_CONNECTORS_TOKEN"),
        "{said}"
    );
    let (status, said) = alice.fails_as("zzz", &whoami);
    assert!(
        status == 1 && said.contains("does not know the token"),
        "{said}"
    );
    let short = world.command(&["token", "issue", "alice@example.com", "--ttl", "1s"]);
    let (status, said) = loop {
        let output = alice.types_as(&short, &whoami, "");
        if !output.status.success() {
            break (
                output.status.code(),
                String::from_utf8(output.stderr).unwrap(),
            );
        }
    };
    assert!(
        status == Some(1) && said.contains("the token has expired"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn options_say_nothing_of_alerts_from_standard_input() {
    let alice = Person::new();
    let arguments = [
        "send",
        "--server",
        "http://127.0.0.1:1",
        "--space",
        "data",
        "--resolved",
        "--dedup-key",
        "k",
        "-",
    ];
    let (status, said) = alice.fails_as("ack_1", &arguments);
    assert_eq!(status, 2);
    assert!(
        said.contains("--resolved says nothing") && said.contains("--dedup-key says nothing"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_by_its_status_whether_a_server_is_ready() {
    let world = World::start().await;
    let anyone = Person::new();
    let asked = |server: &str| {
        anyone
            .types_as("", &["health", "--server", server], "")
            .status
            .code()
    };
    assert_eq!(asked(&world.server.base), Some(0));
    let not_ready = server(|_| (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})))).await;
    assert_eq!(asked(&not_ready), Some(1));
    assert_eq!(asked("http://127.0.0.1:1"), Some(4));
}
