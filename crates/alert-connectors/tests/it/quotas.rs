//! Quotas: what a space or a key posts beyond its limit is refused with the limit's name, and nothing of it is stored.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::{Answer, World};

fn alerts(count: usize) -> Value {
    vec![json!({"alert_type": "dq_alert", "title": "t", "severity": "low"}); count].into()
}

async fn post_batch(world: &World, space: &str, count: usize) -> Answer {
    let path = format!("/spaces/{space}/alerts/batch");
    world.post(&path, &alerts(count)).await
}

/// How long the refusal asks to wait, in seconds.
fn waits(refusal: &Answer) -> u64 {
    refusal.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_space_that_posts_too_fast_waits_and_the_others_do_not() {
    let quota = "alerts-per-second=1,free:alerts-per-second=unlimited";
    let world = World::start_with(&[("ALERT_CONNECTORS_QUOTA", quota)]).await;
    world.command(&["space", "add", "free", "--name", "Free"]);
    // Taken whole, and paid off for 99 seconds.
    assert_eq!(post_batch(&world, "data", 100).await.status, 200);
    let refused = post_batch(&world, "data", 1).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!((2..=100).contains(&waits(&refused)), "{}", waits(&refused));
    assert!(
        refused.text.contains("limit alerts-per-second"),
        "{}",
        refused.text
    );

    let group = json!({"alerts": [{"status": "firing", "labels": {"alertname": "a"}}]});
    let producer = world.post("/spaces/data/ingest/alertmanager", &group).await;
    assert_eq!(producer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(waits(&producer) >= 2);
    let wanted = json!({"name": "hook", "scope": "send", "space": "data"});
    let key = world.post("/api-keys", &wanted).await.body["key"].clone();
    let hook = format!("/hooks/{}", key.as_str().unwrap());
    let hooked = world.post(&hook, &json!({"text": "hello"})).await;
    assert_eq!(hooked.status, StatusCode::SERVICE_UNAVAILABLE);

    for _ in 0..2 {
        assert_eq!(post_batch(&world, "free", 100).await.status, 200);
    }
    let listed = world.get("/spaces/data/alerts?limit=200").await.body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 100);
    let metrics = world.get("/metrics").await.text;
    let counted = r#"alert_connectors_requests_over_quota_total{limit="alerts-per-second"} 3"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn a_day_has_a_limit_and_the_usage_says_what_is_left() {
    let quota = "alerts-per-day=10,connectors=1,key-alerts-per-second=5";
    let world = World::start_with(&[("ALERT_CONNECTORS_QUOTA", quota)]).await;
    assert_eq!(post_batch(&world, "data", 12).await.status, 200);
    let refused = post_batch(&world, "data", 1).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(
        refused.text.contains("limit alerts-per-day is 10"),
        "{}",
        refused.text
    );
    assert!(waits(&refused) <= 24 * 60 * 60);

    world.connect("/one").await;
    let second = json!({"name": "two", "connector_type": "slack", "webhook_url": format!("{}/two", world.receiver)});
    let second = world.post("/spaces/data/alert-connectors", &second).await;
    assert_eq!(second.status, StatusCode::CONFLICT);
    assert!(second.text.contains("limit connectors"), "{}", second.text);

    let usage = world.get("/spaces/data/usage").await.body;
    assert_eq!(
        (&usage["alerts_today"], &usage["connectors"]),
        (&json!(12), &json!(1))
    );
    let limits = json!({"alerts_per_second": null, "key_alerts_per_second": 5, "alerts_per_day": 10, "connectors": 1});
    assert_eq!(usage["quota"], limits);
}

#[tokio::test]
async fn a_day_goes_on_after_a_restart() {
    let quota = "alerts-per-day=10";
    let mut world = World::start_with(&[("ALERT_CONNECTORS_QUOTA", quota)]).await;
    assert_eq!(post_batch(&world, "data", 10).await.status, 200);
    world.restart("-TERM");
    let refused = post_batch(&world, "data", 1).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
}
