//! What producers send, from their bodies to the channel.

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, answer};

const ALERTMANAGER: &str = "/spaces/data/ingest/alertmanager";

/// Bodies that Alertmanager posted, one after the other.
fn recorded() -> [Value; 2] {
    [
        include_str!("../../../ingest/samples/alertmanager-0.25-firing.json"),
        include_str!("../../../ingest/samples/alertmanager-0.25-partly-resolved.json"),
    ]
    .map(|body| serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn a_group_of_alertmanager_arrives_and_its_end_too() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let [firing, partly_resolved] = recorded();
    let posted = world.post(ALERTMANAGER, &firing).await;
    assert_eq!(posted.status, 200, "{}", posted.text);
    let count = |answer: &Value| {
        ["accepted", "resolved", "ignored"].map(|name| answer[name].as_u64().unwrap())
    };
    assert_eq!(count(&posted.body), [2, 0, 0]);
    let [a, b] = [0, 1].map(|at| posted.body["alerts"][at].as_str().unwrap().to_owned());
    world.settled(&a, "delivered").await;
    let ended = world.post(ALERTMANAGER, &partly_resolved).await;
    assert_eq!(count(&ended.body), [1, 1, 0]);
    // The same problems: one is over, the other goes on.
    assert_eq!(ended.body["alerts"], json!([a, b]));
    let seen = world.get(&format!("/spaces/data/alerts/{a}")).await.body;
    assert_eq!(
        (&seen["status"], &seen["severity"]),
        (&json!("resolved"), &json!("critical"))
    );
    let seen = world.get(&format!("/spaces/data/alerts/{b}")).await.body;
    assert_eq!(
        (&seen["status"], &seen["occurrences"]),
        (&json!("active"), &json!(2))
    );
    // Alertmanager repeats a group after each change.
    let again = world.post(ALERTMANAGER, &partly_resolved).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(again.body["alerts"][1], json!(b));
}

#[tokio::test]
async fn a_key_that_may_only_send_does_as_a_password_too() {
    let world = World::start().await;
    let made = world
        .post(
            "/api-keys",
            &json!({"name": "am", "scope": "send", "space": "data"}),
        )
        .await;
    let key = made.body["key"].as_str().unwrap();
    let basic = |password: &str| {
        format!(
            "Basic {}",
            BASE64_STANDARD.encode(format!("anyone:{password}"))
        )
    };
    let [firing, _] = recorded();
    for (authorization, path, expected) in [
        (basic(key), ALERTMANAGER, 200),
        (basic("wrong"), ALERTMANAGER, 401),
        ("Basic %".to_owned(), ALERTMANAGER, 401),
        (basic(key), "/spaces/data/ingest/nagios", 404),
        // Elsewhere a password is no token.
        (basic(key), "/spaces/data/alerts", 401),
    ] {
        let answer = world
            .ask_as(&authorization, Method::POST, path, Some(&firing))
            .await;
        assert_eq!(answer.status.as_u16(), expected, "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_body_of_another_shape_is_refused_and_a_bad_entry_is_not() {
    let world = World::start().await;
    for body in [json!([]), json!({}), json!({"alerts": "none"})] {
        let refused = world.post(ALERTMANAGER, &body).await;
        assert_eq!(refused.status, 422, "{body}: {}", refused.text);
    }
    let body = json!({"alerts": [{"status": "firing", "fingerprint": "f"}, 7]});
    let stored = world.post(ALERTMANAGER, &body).await;
    assert_eq!(
        (stored.status.as_u16(), &stored.body["accepted"]),
        (200, &json!(2))
    );
    assert!(
        stored.body["warnings"].as_array().unwrap().len() >= 2,
        "{}",
        stored.text
    );
}

#[tokio::test]
async fn a_preview_shows_what_would_come_and_stores_nothing() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let [firing, _] = recorded();
    let path = format!("{ALERTMANAGER}/preview");
    let shown = world.post(&path, &firing).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    let alerts = shown.body["alerts"].as_array().unwrap();
    let titles: Vec<_> = alerts.iter().map(|one| &one["alert"]["title"]).collect();
    assert_eq!(titles, ["a late", "b late"]);
    assert_eq!(alerts[0]["connectors"][0]["rule"], "matched");
    assert_eq!(shown.body["warnings"].as_array().unwrap().len(), 1);
    assert_eq!(world.post(&path, &json!({})).await.status, 422);
    let listed = world.get("/spaces/data/alerts").await.body;
    assert_eq!(listed["items"], json!([]));
}

/// A source that says of everything that it is good ends what was bad, and leaves the history alone besides.
#[tokio::test]
async fn a_pass_is_stored_only_where_it_ends_a_problem() {
    const DBT: &str = "/spaces/data/ingest/dbt";
    let world = World::start().await;
    let run = |statuses: [&str; 3]| {
        let result = |(node, status): (usize, &&str)| json!({"unique_id": format!("test.shop.n{node}.abc"), "status": status, "message": "m"});
        json!({"results": statuses.iter().enumerate().map(result).collect::<Vec<_>>()})
    };
    let count = async |statuses| {
        let answer = world.post(DBT, &run(statuses)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        ["accepted", "resolved", "ignored"].map(|name| answer.body[name].as_u64().unwrap())
    };
    assert_eq!(count(["pass", "pass", "skipped"]).await, [0, 0, 3]);
    assert_eq!(count(["fail", "pass", "warn"]).await, [2, 0, 1]);
    assert_eq!(count(["pass", "pass", "warn"]).await, [1, 1, 1]);
    assert_eq!(count(["pass", "pass", "pass"]).await, [0, 1, 2]);
    let listed = world.get("/spaces/data/alerts").await.body;
    let statuses: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["status"])
        .collect();
    assert_eq!(statuses, ["resolved", "resolved"]);
}

/// Python writes such numbers into JSON, and dbt is written in Python.
#[tokio::test]
async fn a_number_that_json_does_not_have_loses_no_body() {
    let world = World::start().await;
    let body =
        r#"{"results": [{"status": "fail", "unique_id": "test.shop.n.abc", "failures": NaN}]}"#;
    let request = world
        .client
        .post(format!("{}/spaces/data/ingest/dbt", world.server.base))
        .header("authorization", format!("Bearer {}", world.token))
        .header("content-type", "application/json")
        .body(body);
    let stored = answer(request).await;
    assert_eq!(
        (stored.status.as_u16(), &stored.body["accepted"]),
        (200, &json!(1)),
        "{}",
        stored.text
    );
}
