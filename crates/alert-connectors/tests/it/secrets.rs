//! Everything that is logged, told, measured or stored, searched for what must never be seen.

use std::{
    io::Read,
    process::{Command, Stdio},
};

use alert_connectors_inbox::Behaviour;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{PROGRAM, World, until};

fn lines_until_six_messages(out: impl Read) -> Vec<String> {
    let mut out = std::io::BufReader::new(out);
    let (mut lines, mut messages) = (Vec::new(), 0);
    while messages < 6 {
        let mut line = String::new();
        let read = std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        assert!(read > 0, "{lines:?}");
        messages += usize::from(line.contains("Freshness check"));
        lines.push(line);
    }
    lines
}

/// What the demo shows in its welcome only.
fn secrets_of(welcome: &[String]) -> Vec<String> {
    let line = |begin: &str| welcome.iter().find(|line| line.starts_with(begin)).unwrap();
    let password = line("Open").split_whitespace().last().unwrap();
    let token = line("curl").split("Bearer ").nth(1).unwrap();
    let token = token.split('\'').next().unwrap();
    let secrets = [
        password,
        token,
        "T00000DEMO",
        "demo0000slack",
        "/workflows/0call",
        "demo-on-call",
        "demo-everything",
    ];
    secrets.map(str::to_owned).to_vec()
}

#[test]
fn the_demo_shows_no_secret_outside_its_welcome() {
    let mut child = Command::new(PROGRAM)
        .args(["demo", "--listen", "127.0.0.1:0", "--every-ms", "20"])
        .env_clear()
        .env("RUST_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        log.read_to_string(&mut text).ok();
        text
    });
    let lines = lines_until_six_messages(child.stdout.take().unwrap());
    let welcome_ends = lines
        .iter()
        .position(|line| line.starts_with("Messages as they arrive"))
        .unwrap();
    let (welcome, messages) = lines.split_at(welcome_ends);
    for curl in welcome.iter().filter(|line| line.starts_with("curl")) {
        let ended = Command::new("sh").args(["-c", curl]).output().unwrap();
        assert!(ended.status.success() && !ended.stdout.is_empty(), "{curl}");
        let answer: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert!(answer.get("type").is_none(), "{curl}\n{answer}");
    }
    let pid = child.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let log = reader.join().unwrap();
    assert!(
        log.lines().count() > 50,
        "the log at trace level is too short to prove anything: {log}"
    );
    for secret in secrets_of(welcome) {
        assert!(
            !log.contains(&secret),
            "{secret} is in the log: {}",
            log.lines().find(|line| line.contains(&secret)).unwrap()
        );
        assert!(
            !messages.concat().contains(&secret),
            "{secret} is in the output"
        );
    }
}

/// Marked, so that any part of them is found wherever it may be.
const URL_MARK: &str = "T0SECRETMARK";
const PASSWORD: &str = "PasswordSecretMark-1";
const SOURCE_SECRET: &str = "SourceSecretMark-1";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_happens_leaves_a_secret_behind() {
    let mut world = World::start_with(&[
        ("RUST_LOG", "trace"),
        ("ALERT_CONNECTORS_RATE", "slack=1/20ms,burst=2"),
    ])
    .await;
    let mut told = Told(Vec::new());
    set_password(&world);
    let sign_in = json!({"email": "alice@example.com", "password": PASSWORD});
    let signed_in = world
        .ask_as("", Method::POST, "/auth/token", Some(&sign_in))
        .await;
    assert_eq!(signed_in.status, 200);
    signed_in.body["access_token"]
        .as_str()
        .unwrap()
        .clone_into(&mut world.token);
    let wrong = json!({"email": "alice@example.com", "password": format!("{PASSWORD}x")});
    told.keep(&world.post("/auth/token", &wrong).await.text);
    let path = |name: &str| format!("/services/{URL_MARK}/{name}?sig={URL_MARK}");
    let (sound, broken) = (
        world.connect_for(&path("sound"), "sound", &json!([])).await,
        world
            .connect_for(&path("broken"), "broken", &json!([]))
            .await,
    );
    live_through(&world, &mut told, &sound, &broken).await;
    sign(&world, &mut told).await;
    world.command(&["key", "rotate", "--new"]);
    let keys = std::fs::read_to_string(world.path("secret.key")).unwrap();
    let before = world.server.log();
    world.restart("-KILL");
    let log = before + &world.server.log();
    // Each kind of thing that could give a secret away was logged.
    for said in [
        "\"delivered\"",
        "\"not delivered\"",
        "\"answered\"",
        "\"listening\"",
    ] {
        assert!(log.contains(said), "the log says nothing of {said}: {log}");
    }
    told.keep(&world.ask_as("", Method::GET, "/metrics", None).await.text);
    let database: Vec<u8> = ["test.db", "test.db-wal"]
        .iter()
        .flat_map(|name| std::fs::read(world.path(name)).unwrap_or_default())
        .collect();
    let token = world.token.strip_prefix("acs_").unwrap_or(&world.token);
    for secret in [
        URL_MARK,
        PASSWORD,
        SOURCE_SECRET,
        token,
        keys.lines().next().unwrap(),
    ] {
        let seen = log.lines().find(|line| line.contains(secret));
        assert_eq!(seen, None, "{secret} is in the log");
        let answer = told.0.iter().find(|answer| answer.contains(secret));
        assert_eq!(answer, None, "{secret} is in an answer");
        let in_database = database
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!in_database, "{secret} is in the database");
    }
}

/// Sets a secret, and posts without it.
async fn sign(world: &World, told: &mut Told) {
    let secret = json!({"secret": SOURCE_SECRET});
    let path = "/spaces/data/ingest/grafana/secret";
    told.keep(&world.ask(Method::PUT, path, Some(&secret)).await.text);
    let unsigned = json!({"alerts": []});
    told.keep(
        &world
            .post("/spaces/data/ingest/grafana", &unsigned)
            .await
            .text,
    );
}

/// What was answered where no secret may be.
struct Told(Vec<String>);

impl Told {
    fn keep(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }
}

fn set_password(world: &World) {
    let arguments = [
        "user",
        "password",
        "alice@example.com",
        "--password-stdin",
        "--database-url",
    ];
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .arg(&world.place.arguments[1])
        .env_clear()
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, PASSWORD.as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
}

/// Refusals, a block, digests, tests, wrong requests: everything that has something to say.
async fn live_through(world: &World, told: &mut Told, sound: &str, broken: &str) {
    for (name, row) in [
        ("broken", "slack:no_service"),
        ("sound", "slack:invalid_attachments"),
    ] {
        let behaviour = Behaviour {
            row: Some(row.to_owned()),
            times: (name == "sound").then_some(3),
            ..Behaviour::default()
        };
        world
            .inbox
            .behave(&format!("/services/{URL_MARK}/{name}"), behaviour);
    }
    let alerts: Vec<_> = (0..200)
        .map(|at| json!({"alert_type": "a", "severity": "high", "title": format!("t{at}")}))
        .collect();
    let posted = world
        .post("/spaces/data/alerts/batch", &Value::from(alerts))
        .await;
    told.keep(&posted.text);
    let health = |id: &str| format!("/spaces/data/alert-connectors/{id}/health");
    let state = async || world.get(&health(broken)).await.body;
    until(state, |health| health["state"] == "blocked").await;
    let depth = async || world.get(&health(sound)).await.body;
    until(depth, |health| health["queue_depth"] == 0).await;
    for id in [sound, broken] {
        let path = format!("/spaces/data/alert-connectors/{id}");
        for what in ["health", "deliveries?limit=200"] {
            told.keep(&world.get(&format!("{path}/{what}")).await.text);
        }
        told.keep(&world.post(&format!("{path}/test"), &json!({})).await.text);
        let wrong = json!({"webhook_url": format!("http://x/{URL_MARK}"), "name": 1});
        told.keep(&world.ask(Method::PATCH, &path, Some(&wrong)).await.text);
    }
    let listed = world.get("/spaces/data/alerts?limit=200").await;
    told.keep(&listed.text);
    for alert in listed.body["items"].as_array().unwrap().iter().take(20) {
        let id = alert["id"].as_str().unwrap();
        told.keep(&world.get(&format!("/spaces/data/alerts/{id}")).await.text);
    }
    for path in ["/docs", "/openapi.json", "/health/ready"] {
        told.keep(&world.get(path).await.text);
    }
}
