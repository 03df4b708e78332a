//! Stopping and starting in the middle of a backlog.

use alert_connectors_inbox::Behaviour;
use serde_json::{Value, json};

use crate::world::World;

async fn backlog(world: &World, count: usize) {
    let alerts: Vec<_> = (0..count)
        .map(|number| json!({"alert_type": "a", "severity": "high", "title": format!("t{number}")}))
        .collect();
    assert_eq!(
        world
            .post("/spaces/data/alerts/batch", &Value::from(alerts))
            .await
            .status,
        200
    );
}

fn slow() -> Behaviour {
    Behaviour {
        delay_ms: 5,
        body: Some("ok".to_owned()),
        ..Behaviour::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loses_and_repeats_nothing() {
    let mut world = World::start().await;
    world.inbox.behave("/services/a", slow());
    world.connect("/services/a").await;
    backlog(&world, 300).await;
    world.arrived(20).await;
    assert_eq!(world.restart("-TERM"), Some(0));
    let messages = world.arrived(300).await;
    let titles: Vec<_> = messages
        .iter()
        .map(alert_connectors_inbox::Message::notification)
        .collect();
    assert_eq!(
        titles,
        (0..300)
            .map(|number| format!("HIGH t{number}"))
            .collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nothing_and_repeats_at_most_four() {
    let mut world = World::start().await;
    world.inbox.behave("/services/a", slow());
    world.connect("/services/a").await;
    backlog(&world, 300).await;
    for round in 1..=3_u64 {
        world.arrived(60 * round).await;
        world.restart("-KILL");
    }
    let id = world.get("/spaces/data/alerts?limit=1").await.body["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    world.settled(&id, "delivered").await;
    let titles: Vec<_> = world
        .inbox
        .messages()
        .iter()
        .map(alert_connectors_inbox::Message::notification)
        .collect();
    let mut firsts = Vec::new();
    for title in &titles {
        if !firsts.contains(title) {
            firsts.push(title.clone());
        }
    }
    assert_eq!(
        firsts,
        (0..300)
            .map(|number| format!("HIGH t{number}"))
            .collect::<Vec<_>>()
    );
    assert!(
        titles.len() <= 300 + 3 * 4,
        "{} were repeated in three kills",
        titles.len() - 300
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_sent_is_sent_after_a_restart_to_a_new_url() {
    let mut world = World::start().await;
    let body = json!({"name": "n", "connector_type": "slack", "webhook_url": "https://localhost:1/x", "severity_filter": []});
    let id = world
        .post("/spaces/data/alert-connectors", &body)
        .await
        .body["id"]
        .as_str()
        .unwrap()
        .to_owned();
    backlog(&world, 5).await;
    world.restart("-TERM");
    let change = json!({"webhook_url": format!("{}/services/new", world.receiver)});
    let path = format!("/spaces/data/alert-connectors/{id}");
    assert_eq!(
        world
            .ask(reqwest::Method::PATCH, &path, Some(&change))
            .await
            .status,
        200
    );
    let titles: Vec<_> = world
        .arrived(5)
        .await
        .iter()
        .map(alert_connectors_inbox::Message::notification)
        .collect();
    assert_eq!(
        titles,
        (0..5)
            .map(|number| format!("HIGH t{number}"))
            .collect::<Vec<_>>()
    );
}

/// 40 alerts for 110 connectors are 4,440 rows, which are stored in steps of three alerts.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_goes_on_with_a_large_fan_out_that_was_broken_off() {
    let mut world = World::start().await;
    for connector in 0..110 {
        world.connect(&format!("/services/{connector}")).await;
    }
    let alert = |at| json!({"alert_type": "a", "severity": "high", "title": format!("{at}")});
    let alerts: Vec<_> = (0..40).map(alert).collect();
    let send = async |world: &World| {
        let path = format!("{}/spaces/data/alerts/batch", world.server.base);
        let request = world.client.post(path).bearer_auth(&world.token);
        let request = request.header("idempotency-key", "k").json(&alerts);
        let answer = crate::world::answer(request).await;
        let results = answer.body["results"].as_array().unwrap().clone();
        let ids = results.iter().map(|one| one["alert"]["id"].clone());
        ids.collect::<Vec<_>>()
    };
    let first = send(&world).await;
    // As if the server had been killed before the last step.
    let database = rusqlite::Connection::open(world.path("test.db")).unwrap();
    database
        .busy_timeout(std::time::Duration::from_secs(10))
        .unwrap();
    let forget = "DELETE FROM idempotency WHERE key LIKE 'k 39 %'";
    assert_eq!(database.execute(forget, []).unwrap(), 1);
    let forget = "DELETE FROM deliveries WHERE alert_seq > 39; DELETE FROM alerts WHERE seq > 39";
    database.execute_batch(forget).unwrap();
    world.restart("-KILL");
    let second = send(&world).await;
    assert_eq!(second[..39], first[..39]);
    assert!(second[39..].iter().all(|id| !first.contains(id)));
    let listed = world.get("/spaces/data/alerts?limit=200").await.body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 40);
}

/// A URL that was damaged takes only its own connector out of service, until somebody enters it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_url_is_a_matter_of_its_connector_alone() {
    let mut world = World::start().await;
    let sound = world.connect("/services/sound").await;
    let damaged = world.connect("/services/damaged").await;
    world.restart("-TERM");
    let database = rusqlite::Connection::open(world.path("test.db")).unwrap();
    let wait = std::time::Duration::from_secs(10);
    database.busy_timeout(wait).unwrap();
    let sql = "UPDATE connectors SET url_sealed = zeroblob(length(url_sealed)) WHERE no = 2";
    assert_eq!(database.execute(sql, []).unwrap(), 1);
    drop(database);
    world.restart("-TERM");
    let alert = json!({"alert_type": "a", "severity": "high", "title": "late"});
    let posted = world.post("/spaces/data/alerts", &alert).await;
    assert_eq!(posted.status, 202, "{}", posted.text);
    world.arrived(1).await;
    assert_eq!(world.texts("/services/sound").len(), 1);
    let listed = world.get("/spaces/data/alert-connectors").await;
    let ids: Vec<_> = listed
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids, [&json!(sound), &json!(damaged)]);
    // What was pending arrives once the URL is entered again.
    let url = listed.body[0]["webhook_url"].as_str().unwrap();
    let change = json!({"webhook_url": url.replace("/services/sound", "/services/damaged")});
    let path = format!("/spaces/data/alert-connectors/{damaged}");
    let changed = world
        .ask(reqwest::Method::PATCH, &path, Some(&change))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    world.arrived(2).await;
    assert_eq!(world.texts("/services/damaged").len(), 1);
}
