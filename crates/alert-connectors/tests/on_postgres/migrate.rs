//! Moving from a SQLite file to PostgreSQL, by the command.

use alert_connectors_cluster::TestDatabase;
use alert_connectors_inbox::Behaviour;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    place::Place,
    world::{Server, World, output, run},
};

/// What must read the same before and after.
const READ: [&str; 9] = [
    "/auth/me",
    "/spaces",
    "/spaces/data/members",
    "/api-keys",
    "/spaces/data/alert-connectors",
    "/spaces/data/alerts?limit=200",
    "/spaces/data/deliveries?state=delivered",
    "/spaces/data/pauses",
    "/spaces/data/ingest/alertmanager/mapping",
];

async fn read(world: &World) -> Vec<String> {
    let mut answers = Vec::new();
    for path in READ {
        let answer = world.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answers.push(answer.text);
    }
    answers
}

/// A space with some of everything: what arrived, a problem that goes on, one that ended, a pause, a key, a mapping.
async fn furnish(world: &World) {
    let good = world.connect("/services/good").await;
    let odd = "tab\\t \\N back\\slash \u{1F600}";
    world
        .connect_for("/services/bad", odd, &json!(["low"]))
        .await;
    for (severity, title, key, status) in [
        ("high", "one\nline", Value::Null, "active"),
        ("high", "goes on", json!("odd \t\\ key"), "active"),
        ("medium", "ends", json!("other"), "active"),
        ("medium", "ended", json!("other"), "resolved"),
    ] {
        let alert = json!({"alert_type": "a", "severity": severity, "title": title, "description": "a\tb\nc\\d",
            "dedup_key": key, "status": status});
        let posted = world.post("/spaces/data/alerts", &alert).await;
        assert_eq!(posted.status, 202, "{}", posted.text);
        world
            .settled(posted.body["id"].as_str().unwrap(), "delivered")
            .await;
    }
    let path = format!("/spaces/data/alert-connectors/{good}");
    for is_active in [false, true] {
        let switched = world
            .ask(Method::PATCH, &path, Some(&json!({"is_active": is_active})))
            .await;
        assert_eq!(switched.status, 200);
    }
    let key = json!({"name": "dbt", "scope": "send", "space": "data"});
    assert_eq!(world.post("/api-keys", &key).await.status, 201);
    let mapping = json!({"rules": [{"where": {"label": "a", "is": "b"}, "alert_type": "c"}]});
    let path = "/spaces/data/ingest/alertmanager/mapping";
    let set = world.ask(Method::PUT, path, Some(&mapping)).await;
    assert!(set.status.is_success(), "{}", set.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_moves_with_its_ids_and_what_is_pending_arrives() {
    let mut world = World::start_at(Place::in_file, &[]).await;
    furnish(&world).await;
    let refuse = Behaviour {
        status: Some(503),
        ..Behaviour::default()
    };
    world.inbox.behave("/services/bad", refuse);
    let low = json!({"alert_type": "a", "severity": "low", "title": "pending"});
    assert_eq!(world.post("/spaces/data/alerts", &low).await.status, 202);
    let before = read(&world).await;
    let target = TestDatabase::make().unwrap();
    let from = world.place.arguments[1].clone();
    let key_file = world.path("secret.key").display().to_string();
    let url = target.url();
    let command = ["migrate", "--from", &from, "--to", &url];

    let refused = run(&command);
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("another server is running"), "{why}");
    world.server.child.kill().unwrap();
    world.server.child.wait().unwrap();
    let said = output(&command);
    assert!(
        said.starts_with("copied 1 users, 1 spaces, 2 connectors, 4 alerts"),
        "{said}"
    );
    assert_eq!(output(&command), "the copy is finished already");
    world.command(&["space", "add", "late", "--name", "Late"]);
    let refused = run(&command);
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("is not in the copy"), "{why}");

    let ca_file = world.path("ca.pem").display().to_string();
    world.server = Server::start(
        &[
            "--database-url",
            &url,
            "--secret-key-file",
            &key_file,
            "--ca-file",
            &ca_file,
            "--allow-network",
            "127.0.0.0/8",
        ],
        &[("ALERT_CONNECTORS_RATE", "slack=unlimited,teams=unlimited")],
    );
    assert_eq!(read(&world).await, before);
    world.inbox.behave_normally("/services/bad");
    let pending = world.get("/spaces/data/alerts?severity=low").await.body;
    world
        .settled(pending["items"][0]["id"].as_str().unwrap(), "delivered")
        .await;
    // The order goes on, and so does the problem.
    let repeat = json!({"alert_type": "a", "severity": "high", "title": "goes on", "dedup_key": "odd \t\\ key"});
    let repeated = world.post("/spaces/data/alerts", &repeat).await;
    assert_eq!(
        (repeated.status.as_u16(), &repeated.body["occurrences"]),
        (202, &json!(2))
    );
    let fresh = json!({"alert_type": "a", "severity": "high", "title": "fresh"});
    let posted = world.post("/spaces/data/alerts", &fresh).await;
    world
        .settled(posted.body["id"].as_str().unwrap(), "delivered")
        .await;
    world.connect("/services/more").await;
    // It warns of the channel that was down.
    let log = world.server.log();
    assert!(!log.contains(r#""level":"ERROR""#), "{log}");
}
