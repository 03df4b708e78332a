//! A dead webhook: held, told of, repaired.

use alert_connectors_inbox::Behaviour;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, until};

fn dead() -> Behaviour {
    Behaviour {
        row: Some("slack:no_service".to_owned()),
        ..Behaviour::default()
    }
}

async fn state(world: &World, connector: &str) -> Value {
    world
        .get(&format!("/spaces/data/alert-connectors/{connector}/health"))
        .await
        .body
}

fn assert_blocked(health: &Value, queue_depth: u64) {
    assert_eq!(
        (&health["state"], &health["queue_depth"]),
        (&json!("blocked"), &json!(queue_depth))
    );
    let last_error = health["last_error"].as_str().unwrap();
    assert!(last_error.starts_with("no_service"), "{last_error}");
    assert!(!health["next_attempt_at"].is_null());
}

/// Operators see which webhook of which space is dead, and none that is switched off.
#[tokio::test(flavor = "multi_thread")]
async fn operators_list_the_dead_webhooks_of_all_spaces() {
    let world = World::start().await;
    world.command(&["space", "add", "other", "--name", "Other"]);
    world.inbox.behave("/services/broken", dead());
    world
        .connect_for("/services/sound", "sound", &json!([]))
        .await;
    let mut broken = Vec::new();
    for space in ["other", "data"] {
        let connector = json!({"name": space, "connector_type": "slack", "severity_filter": [],
            "webhook_url": format!("{}/services/broken", world.receiver)});
        let path = format!("/spaces/{space}/alert-connectors");
        broken.push(world.post(&path, &connector).await.body["id"].clone());
    }
    let alert = json!({"alert_type": "a", "severity": "low", "title": "held"});
    world.post("/spaces/other/alerts", &alert).await;
    let list = async || world.get("/connectors?state=blocked").await.body["items"].clone();
    let listed = until(list, |items| items[1] != Value::Null).await;
    let named = |at: usize| {
        (
            &listed[at]["space"],
            &listed[at]["connector_id"],
            &listed[at]["connector_name"],
        )
    };
    assert_eq!(named(0), (&json!("data"), &broken[1], &json!("data")));
    assert_eq!(named(1), (&json!("other"), &broken[0], &json!("other")));
    assert!(
        listed[0]["reason"]
            .as_str()
            .unwrap()
            .starts_with("no_service"),
        "{listed}"
    );
    let first = world.get("/connectors?state=blocked&limit=1").await.body;
    let next = format!(
        "/connectors?state=blocked&cursor={}",
        first["next_cursor"].as_str().unwrap()
    );
    let second = world.get(&next).await.body;
    assert_eq!(
        (&second["items"][0], &second["next_cursor"]),
        (&listed[1], &Value::Null)
    );
    let path = format!(
        "/spaces/data/alert-connectors/{}",
        broken[1].as_str().unwrap()
    );
    world
        .ask(Method::PATCH, &path, Some(&json!({"is_active": false})))
        .await;
    assert_eq!(list().await, json!([listed[1]]));
    for wrong in ["/connectors", "/connectors?state=healthy"] {
        assert_eq!(world.get(wrong).await.status, 422, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_webhook_holds_its_backlog_and_the_others_hear_of_it_until_it_is_repaired() {
    let mut world = World::start().await;
    let broken = world
        .connect_for("/services/broken", "broken", &json!([]))
        .await;
    world
        .connect_for("/services/sound", "sound", &json!(["high"]))
        .await;
    world.inbox.behave("/services/broken", dead());
    let alert = json!({"alert_type": "a", "severity": "low", "title": "held"});
    let mut ids = Vec::new();
    for _ in 0..3 {
        let posted = world.post("/spaces/data/alerts", &alert).await.body;
        ids.push(posted["id"].as_str().unwrap().to_owned());
    }
    let heard = async || world.texts("/services/sound");
    let told = until(heard, |texts| !texts.is_empty()).await;
    assert!(
        told[0].contains("Connector broken is blocked"),
        "{}",
        told[0]
    );
    assert!(
        told[0].contains("no_service") && told[0].contains("make a new one"),
        "{}",
        told[0]
    );
    assert_blocked(&state(&world, &broken).await, 3);
    // A kill changes nothing of it, and it is told of once.
    world.restart("-KILL");
    assert_eq!(state(&world, &broken).await["state"], "blocked");
    let alerts = world
        .get("/spaces/data/alerts?alert_type=connector_blocked")
        .await
        .body;
    let notice = &alerts["items"][0];
    assert_eq!(
        (&notice["occurrences"], &notice["status"]),
        (&json!(1), &json!("active"))
    );
    assert_eq!(
        notice["deliveries"].as_array().unwrap().len(),
        1,
        "never to itself"
    );
    let url = json!({"webhook_url": format!("{}/services/new", world.receiver)});
    let path = format!("/spaces/data/alert-connectors/{broken}");
    assert_eq!(
        world.ask(Method::PATCH, &path, Some(&url)).await.status,
        200
    );
    for id in &ids {
        world.settled(id, "delivered").await;
    }
    assert_eq!(world.texts("/services/new").len(), 3);
    let heard = async || world.texts("/services/sound");
    let told = until(heard, |texts| texts.len() == 2).await;
    assert!(
        told[1].contains("RESOLVED") && told[1].contains("resolved after"),
        "{}",
        told[1]
    );
    let alerts = world
        .get("/spaces/data/alerts?alert_type=connector_blocked")
        .await
        .body;
    assert_eq!(alerts["items"].as_array().unwrap().len(), 1);
    assert_eq!(alerts["items"][0]["status"], "resolved");
    assert_eq!(state(&world, &broken).await["state"], "healthy");
}

#[tokio::test]
async fn a_successful_test_releases_what_is_held() {
    let world = World::start().await;
    let broken = world.connect("/services/broken").await;
    world.inbox.behave("/services/broken", dead());
    let alert = json!({"alert_type": "a", "severity": "low", "title": "held"});
    let posted = world.post("/spaces/data/alerts", &alert).await.body;
    let health = async || state(&world, &broken).await;
    until(health, |health| health["state"] == "blocked").await;
    let test = format!("/spaces/data/alert-connectors/{broken}/test");
    let failed = world.post(&test, &json!({})).await.body;
    assert_eq!(
        (&failed["success"], &failed["status_code"]),
        (&json!(false), &json!(404))
    );
    assert_eq!(state(&world, &broken).await["state"], "blocked");
    world.inbox.behave_normally("/services/broken");
    assert_eq!(world.post(&test, &json!({})).await.body["success"], true);
    world
        .settled(posted["id"].as_str().unwrap(), "delivered")
        .await;
}

#[tokio::test]
async fn a_connector_that_comes_back_to_a_dead_webhook_is_told_of_again_and_nothing_stray_is_stored()
 {
    let world = World::start().await;
    let broken = world
        .connect_for("/services/broken", "broken", &json!([]))
        .await;
    world
        .connect_for("/services/sound", "sound", &json!(["high"]))
        .await;
    world.inbox.behave("/services/broken", dead());
    let alert = json!({"alert_type": "a", "severity": "low", "title": "held"});
    world.post("/spaces/data/alerts", &alert).await;
    let notices = async || {
        let listed = world
            .get("/spaces/data/alerts?alert_type=connector_blocked")
            .await
            .body;
        let items = listed["items"].as_array().unwrap().clone();
        let status = |item: &Value| item["status"].as_str().unwrap().to_owned();
        items.iter().map(status).collect::<Vec<_>>()
    };
    until(notices, |all| *all == ["active"]).await;
    let path = format!("/spaces/data/alert-connectors/{broken}");
    for on in [false, true] {
        let body = json!({"is_active": on});
        assert_eq!(
            world.ask(Method::PATCH, &path, Some(&body)).await.status,
            200
        );
        until(notices, |all| *all == ["resolved"]).await;
    }
    // The next message finds it dead, which is told at once.
    world.post("/spaces/data/alerts", &alert).await;
    until(notices, |all| *all == ["active", "resolved"]).await;
    world.inbox.behave_normally("/services/broken");
    world
        .connect_for("/services/broken", "another", &json!(["critical"]))
        .await;
    until(notices, |all| !all.contains(&"active".to_owned())).await;
    assert_eq!(
        notices().await.len(),
        2,
        "nothing is taken back that was not told"
    );
}
