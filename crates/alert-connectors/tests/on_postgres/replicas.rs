//! Two servers on one database.

use std::{path::PathBuf, time::Duration};

use alert_connectors_inbox::{Behaviour, Message};
use alert_connectors_torture::{Plan, Standby, database, failover, replicas};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::{
    events::Stream,
    world::{Answer, PROGRAM, Server, World, answer, until},
};

impl World {
    /// Another server on the same database.
    fn replica(&self) -> Server {
        self.replica_at(&self.place.arguments[1])
    }

    fn replica_at(&self, url: &str) -> Server {
        let ca_file = self.path("ca.pem").display().to_string();
        let place = [
            "--database-url",
            url,
            "--secret-key-file",
            &self.place.arguments[3],
        ];
        let receiver = ["--ca-file", &ca_file, "--allow-network", "127.0.0.0/8"];
        let rate = ("ALERT_CONNECTORS_RATE", "slack=unlimited,teams=unlimited");
        Server::start(&[place, receiver].concat(), &[rate, ("RUST_LOG", "trace")])
    }
}

async fn ask(world: &World, server: &Server, method: Method, path: &str, body: &Value) -> Answer {
    let request = world
        .client
        .request(method, format!("{}{path}", server.base))
        .header("authorization", format!("Bearer {}", world.token))
        .header("content-type", "application/json")
        .body(body.to_string());
    answer(request).await
}

async fn post(world: &World, server: &Server, title: &str) -> Answer {
    let alert = json!({"alert_type": "a", "severity": "high", "title": title});
    ask(world, server, Method::POST, "/spaces/data/alerts", &alert).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_accepts_the_other_sends_in_order() {
    let world = World::start().await;
    let other = world.replica();
    world.connect("/services/a").await;
    let titles: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
    for (at, title) in titles.iter().enumerate() {
        let server = if at % 2 == 0 { &world.server } else { &other };
        assert_eq!(post(&world, server, title).await.status, 202);
    }
    let messages = world.arrived(40).await;
    let arrived: Vec<_> = messages.iter().map(Message::notification).collect();
    let wanted: Vec<_> = titles.iter().map(|title| format!("HIGH {title}")).collect();
    assert_eq!(arrived, wanted);
    world.server.assert_log_clean();
    other.assert_log_clean();
}

/// Whatever happens, at whichever server, is seen by who follows at either.
async fn is_followed(world: &World, servers: [&Server; 2]) {
    let connector = world.connect("/services/a").await;
    let mut streams = Vec::new();
    for server in servers {
        streams.push(Stream::open(world, &server.base, &world.token, None).await);
    }
    for server in servers {
        let alert = post(world, server, "t").await;
        let alert = alert.body["id"].as_str().unwrap();
        for stream in &mut streams {
            let is_told = |name: &str, data: &Value| {
                name == "resync" || name == "alert" && data["id"] == alert
            };
            stream.until(is_told).await;
        }
    }
    let path = format!("/spaces/data/alert-connectors/{connector}");
    let off = json!({"is_active": false});
    let answer = ask(world, servers[0], Method::PATCH, &path, &off).await;
    assert_eq!(answer.status, 200);
    for stream in &mut streams {
        let is_told = |name: &str, data: &Value| {
            name == "resync" || name == "health" && data["state"] == "paused"
        };
        stream.until(is_told).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_at_one_is_followed_at_the_other() {
    let world = World::start().await;
    let other = world.replica();
    is_followed(&world, [&world.server, &other]).await;
    // Where they hear of each other, no watcher is left to read everything again for long.
    let mut stream = Stream::open(&world, &other.base, &world.token, None).await;
    let alert = post(&world, &world.server, "told by its id").await;
    let alert = alert.body["id"].as_str().unwrap();
    let is_told = |name: &str, data: &Value| name == "alert" && data["id"] == alert;
    stream.until(is_told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_followed_without_notifications() {
    let world = World::start().await;
    let quiet = world.place.arguments[1].clone() + "?listen=off";
    let servers = [world.replica_at(&quiet), world.replica_at(&quiet)];
    is_followed(&world, [&servers[0], &servers[1]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_without_notifications() {
    let world = World::start().await;
    let quiet = world.place.arguments[1].clone() + "?listen=off";
    let servers = [world.replica_at(&quiet), world.replica_at(&quiet)];
    world.connect("/services/a").await;
    for number in 0..6 {
        let server = &servers[number % 2];
        assert_eq!(
            post(&world, server, &format!("t{number}")).await.status,
            202
        );
    }
    let messages = world.arrived(6).await;
    assert_eq!(messages.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stops_hands_on_what_it_works() {
    let mut world = World::start().await;
    let slow = Behaviour {
        delay_ms: 20,
        body: Some("ok".to_owned()),
        ..Behaviour::default()
    };
    world.inbox.behave("/services/a", slow);
    world.connect("/services/a").await;
    let alerts: Vec<_> = (0..200)
        .map(|number| json!({"alert_type": "a", "severity": "high", "title": format!("t{number}")}))
        .collect();
    let batch = Value::from(alerts);
    assert_eq!(
        world.post("/spaces/data/alerts/batch", &batch).await.status,
        200
    );
    world.arrived(20).await;
    let other = world.replica();
    let first = std::mem::replace(&mut world.server, other);
    assert_eq!(first.stop("-TERM"), Some(0));
    // Leases lapse after fifteen seconds; nobody waits for that.
    let soon = tokio::time::timeout(Duration::from_secs(14), world.arrived(200)).await;
    let messages = soon.expect("the rest is sent at once");
    let arrived: Vec<_> = messages.iter().map(Message::notification).collect();
    let wanted: Vec<_> = (0..200).map(|number| format!("HIGH t{number}")).collect();
    assert_eq!(arrived, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_spreads_to_a_replica_that_joins() {
    let world = World::start().await;
    let slow = Behaviour {
        delay_ms: 100,
        body: Some("ok".to_owned()),
        ..Behaviour::default()
    };
    for path in ["/services/a", "/services/b", "/services/c", "/services/d"] {
        world.inbox.behave(path, slow.clone());
        world.connect(path).await;
    }
    let alert =
        |number| json!({"alert_type": "a", "severity": "high", "title": format!("t{number}")});
    let batch = Value::from((0..150).map(alert).collect::<Vec<_>>());
    assert_eq!(
        world.post("/spaces/data/alerts/batch", &batch).await.status,
        200
    );
    let other = world.replica();
    let attempts = async || {
        let metrics = ask(&world, &other, Method::GET, "/metrics", &json!({}))
            .await
            .text;
        let mut lines = metrics.lines().map(str::to_owned);
        lines.find(|line| line.starts_with("alert_connectors_attempts_total{"))
    };
    until(attempts, Option::is_some).await;
    let pending = world.get("/spaces/data/alerts?limit=1").await;
    let newest = pending.body["items"][0]["id"].as_str().unwrap().to_owned();
    world.settled(&newest, "delivered").await;
    for path in ["/services/a", "/services/b", "/services/c", "/services/d"] {
        assert_eq!(world.texts(path).len(), 150, "{path}: each once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_a_change_and_a_test_hold_on_both() {
    let world = World::start().await;
    let other = world.replica();
    let connector = world.connect("/services/a").await;
    assert_eq!(post(&world, &world.server, "one").await.status, 202);
    world.arrived(1).await;
    // The first works the destination; the other asks it for that, so that the pace holds for tests too.
    let path = format!("/spaces/data/alert-connectors/{connector}");
    let tested = ask(
        &world,
        &other,
        Method::POST,
        &format!("{path}/test"),
        &json!({}),
    )
    .await;
    assert_eq!(
        (tested.status.as_u16(), &tested.body["success"]),
        (200, &json!(true))
    );
    let off = json!({"is_active": false});
    assert_eq!(
        ask(&world, &other, Method::PATCH, &path, &off).await.status,
        200
    );
    let unheard = post(&world, &world.server, "two").await;
    assert_eq!(
        (unheard.status.as_u16(), &unheard.body["deliveries"]),
        (202, &json!([]))
    );
    let out = ask(&world, &other, Method::POST, "/auth/logout", &json!({})).await;
    assert_eq!(out.status, 204);
    assert_eq!(post(&world, &world.server, "three").await.status, 401);
    assert_eq!(world.get("/auth/me").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_on_one_releases_what_the_other_holds() {
    let world = World::start().await;
    let other = world.replica();
    let connector = world.connect("/services/a").await;
    let dead = Behaviour {
        row: Some("slack:no_service".to_owned()),
        ..Behaviour::default()
    };
    world.inbox.behave("/services/a", dead);
    assert_eq!(post(&world, &world.server, "held").await.status, 202);
    let path = format!("/spaces/data/alert-connectors/{connector}");
    let health = async || world.get(&format!("{path}/health")).await.body["state"].clone();
    until(health, |state| state == "blocked").await;
    let alive = json!({"webhook_url": format!("{}/services/b", world.receiver)});
    let repaired = ask(&world, &other, Method::PATCH, &path, &alive).await;
    assert_eq!(repaired.status, 200);
    until(
        async || world.texts("/services/b").len(),
        |count| *count == 1,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_of_the_database_is_in_no_log_and_no_answer() {
    let world = World::start().await;
    let mut url = Url::parse(&world.place.arguments[1]).unwrap();
    if url.password().is_none() {
        // A server that trusts everyone takes any.
        url.set_password(Some("marked-password")).unwrap();
    }
    let password = url.password().unwrap();
    let server = world.replica_at(url.as_str());
    assert_eq!(post(&world, &server, "one").await.status, 202);
    assert!(!server.log().contains(password), "{}", server.log());
    let shown = crate::world::output(&[
        "serve",
        "--print-config",
        "--database-url",
        url.as_str(),
        "--secret-key-file",
        &world.place.arguments[3],
    ]);
    assert!(!shown.contains(password), "{shown}");
    let nowhere = "postgres://me:marked-password@127.0.0.1:1/db";
    let arguments = [
        "user",
        "list",
        "--database-url",
        nowhere,
        "--secret-key-file",
        "x",
    ];
    let refused = crate::world::run(&arguments);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said.contains("can't be reached at postgres://127.0.0.1:1/db"),
        "{said}"
    );
    assert!(!said.contains("marked"), "{said}");
}

fn plan(rounds: usize, between: Duration) -> Plan {
    Plan {
        program: PathBuf::from(PROGRAM),
        rounds,
        seed: 7,
        pause: Duration::from_millis(5),
        replicas: 2,
        standby: Standby::None,
        between,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_replica_loses_nothing() {
    let figures = replicas(&plan(1, Duration::ZERO)).await.unwrap();
    assert!(figures.accepted > 20, "{figures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_loses_nothing() {
    let figures = database(&plan(5, Duration::from_millis(1_500)))
        .await
        .unwrap();
    assert!(figures.accepted > 20, "{figures:?}");
}

/// The standby takes the place of the primary, and every commit has waited for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_machine_that_dies_loses_nothing() {
    let plan = Plan {
        standby: Standby::Promoted,
        ..plan(1, Duration::from_millis(500))
    };
    let figures = failover(&plan).await.unwrap();
    assert!(figures.accepted > 20, "{figures:?}");
}
