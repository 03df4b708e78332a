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
