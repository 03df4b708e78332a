//! Quotas: what a space or a key posts beyond its limit is refused with the limit's name, and nothing of it is stored.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{Answer, World, answer, until};

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
    // Nobody is called for what a quota refuses.
    let available = "alert_connectors_requests_unavailable_total 0\n";
    assert!(metrics.contains(available), "{metrics}");
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
    let limits = json!({"alerts_per_second": null, "key_alerts_per_second": 5, "alerts_per_day": 10, "connectors": 1,
        "stored_bytes": null});
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

/// Waits until the figure of a metric is as it should be.
async fn metric_is(world: &World, name: &str, is_right: impl Fn(u64) -> bool) -> u64 {
    let look = async || {
        let metrics = world.get("/metrics").await.text;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse::<u64>().unwrap()
    };
    until(look, |figure| is_right(*figure)).await
}

const STORED: &str = "alert_connectors_stored_bytes ";

#[tokio::test]
async fn a_space_that_stores_too_much_loses_its_oldest_history_and_takes_alerts() {
    let quota = "stored-bytes=30KiB,free:stored-bytes=unlimited";
    let mut world = World::start_with(&[("ALERT_CONNECTORS_QUOTA", quota)]).await;
    let answer = post_batch(&world, "data", 150).await.body;
    let id = |index: usize| {
        answer["results"][index]["alert"]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (oldest, newest) = (id(0), id(149));
    // A round begins with the start.
    world.restart("-TERM");
    let stored = metric_is(&world, STORED, |bytes| (1..=30 * 1024).contains(&bytes)).await;
    let alert = |id| format!("/spaces/data/alerts/{id}");
    assert_eq!(
        world.get(&alert(oldest)).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(world.get(&alert(newest)).await.status, StatusCode::OK);
    assert_eq!(post_batch(&world, "data", 1).await.status, 200);
    let usage = world.get("/spaces/data/usage").await.body;
    assert_eq!(usage["stored_bytes"], json!(stored));
    assert_eq!(usage["quota"]["stored_bytes"], json!(30 * 1024));
    assert_eq!(usage["is_full"], json!(false));
}

/// A world whose space is full of open problems with the keys 0 to 3.
async fn full_of_problems() -> World {
    let quota = "stored-bytes=1KiB,free:stored-bytes=unlimited";
    let mut world = World::start_with(&[("ALERT_CONNECTORS_QUOTA", quota)]).await;
    for key in 0..4 {
        let problem = json!({"alert_type": "dq_alert", "title": "t", "severity": "low", "dedup_key": format!("{key}")});
        let posted = world.post("/spaces/data/alerts", &problem).await;
        assert_eq!(posted.status, 202);
    }
    // A round begins with the start.
    world.restart("-TERM");
    metric_is(&world, FULL, |full| full == 1).await;
    world
}

const FULL: &str = "alert_connectors_spaces_full ";

async fn active(world: &World) -> Vec<Value> {
    let listed = world.get("/spaces/data/alerts?status=active").await.body;
    listed["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_space_that_is_full_of_open_problems_is_refused_until_they_end() {
    let mut world = full_of_problems().await;
    world.command(&["space", "add", "free", "--name", "Free"]);
    let refused = post_batch(&world, "data", 1).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(
        refused.text.contains("limit stored-bytes is 1024"),
        "{}",
        refused.text
    );
    assert_eq!(waits(&refused), 60);
    let group = json!({"alerts": [{"status": "firing", "labels": {"alertname": "a"}}]});
    let producer = world.post("/spaces/data/ingest/alertmanager", &group).await;
    assert_eq!(producer.status, StatusCode::SERVICE_UNAVAILABLE);
    let usage = world.get("/spaces/data/usage").await.body;
    assert_eq!(usage["is_full"], json!(true));
    assert_eq!(post_batch(&world, "free", 1).await.status, 200);

    for alert in active(&world).await {
        let id = alert["id"].as_str().unwrap();
        let resolve = format!("/spaces/data/alerts/{id}/resolve");
        let resolved = world.ask(Method::PATCH, &resolve, None).await;
        assert_eq!(resolved.status, 200);
    }
    world.restart("-TERM");
    metric_is(&world, FULL, |full| full == 0).await;
    assert_eq!(post_batch(&world, "data", 1).await.status, 200);
}

#[tokio::test]
async fn what_ends_a_problem_comes_into_a_full_space() {
    let world = full_of_problems().await;
    let end = |key: &str| json!({"alert_type": "dq_alert", "title": "t", "severity": "low", "status": "resolved", "dedup_key": key});
    let refused = StatusCode::TOO_MANY_REQUESTS;
    // Alone, or beside what is refused.
    let ended = world.post("/spaces/data/alerts", &end("0")).await;
    assert_eq!(ended.status, 202);
    let mixed = json!([alerts(1)[0], end("1")]);
    let answered = world.post("/spaces/data/alerts/batch", &mixed).await;
    assert_eq!(answered.status, refused);
    assert_eq!(active(&world).await.len(), 2);

    // Under a key, an end is kept whole, and a part of a request is not.
    let keyed = async |key: &str, path: &str, body: &Value| {
        let request = world
            .client
            .post(format!("{}/spaces/data/{path}", world.server.base))
            .header("authorization", format!("Bearer {}", world.token))
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        answer(request.body(body.to_string())).await
    };
    let idle = keyed("idle", "alerts", &end("nothing")).await;
    assert_eq!(idle.status, 202);
    let there = format!("/spaces/data/alerts/{}", idle.body["id"].as_str().unwrap());
    assert_eq!(world.get(&there).await.status, 200);
    let mixed = json!([alerts(1)[0], end("2")]);
    assert_eq!(keyed("mixed", "alerts/batch", &mixed).await.status, refused);
    assert_eq!(active(&world).await.len(), 2);
    // None that ends nothing comes in without a key.
    let idle = world.post("/spaces/data/alerts", &end("nothing")).await;
    assert_eq!(idle.status, refused);
}
