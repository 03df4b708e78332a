//! What producers send, from their bodies to the channel.

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::world::{Answer, World, answer};

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

/// The answer is kept, and so is that nothing was.
#[tokio::test]
async fn a_repeat_of_what_was_left_out_is_left_out() {
    let world = World::start().await;
    let good = json!({"success": true, "suite_name": "s", "results": [], "meta": {"validation_time": "2026-11-28T08:00:00Z"}});
    for _ in 0..2 {
        let answer = world
            .post("/spaces/data/ingest/great-expectations", &good)
            .await;
        assert_eq!(
            (&answer.body["ignored"], &answer.body["alerts"]),
            (&json!(1), &json!([])),
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn an_event_in_binary_mode_has_any_data_or_none() {
    let world = World::start().await;
    let post = async |media_type: Option<&str>, data: &'static [u8]| {
        let url = format!(
            "{}/spaces/data/ingest/cloudevents/preview",
            world.server.base
        );
        let mut request = world
            .client
            .post(url)
            .header("authorization", format!("Bearer {}", world.token));
        for (name, value) in [
            ("specversion", "1.0"),
            ("id", "1"),
            ("source", "/s"),
            ("type", "job.failed"),
        ] {
            request = request.header(format!("ce-{name}"), value);
        }
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        let answer = answer(request.body(data)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body["alerts"][0]["alert"]["description"].clone()
    };
    assert_eq!(post(None, b"").await, Value::Null);
    assert_eq!(post(Some("text/plain"), b"disk full").await, "disk full");
    assert_eq!(
        post(Some("application/json"), br#"{"description": "d"}"#).await,
        "d"
    );
    assert_eq!(
        post(Some("application/octet-stream"), b"\xff\x00").await,
        Value::Null
    );
}

#[tokio::test]
async fn a_body_of_another_shape_is_told_how_to_look_at_it() {
    let world = World::start().await;
    let answer = world
        .post("/spaces/data/ingest/alertmanager", &json!({}))
        .await;
    assert_eq!(answer.status, 422);
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("…/ingest/alertmanager/preview"), "{detail}");
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

/// What a request sends, as a producer with headers of its own does.
async fn send(world: &World, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let request = world.client.post(format!("{}{path}", world.server.base));
    let request = request.header("content-type", "application/json");
    let with =
        |request: RequestBuilder, (name, value): &(&str, &str)| request.header(*name, *value);
    answer(headers.iter().fold(request, with).body(body.to_string())).await
}

async fn sending_key(world: &World) -> String {
    let key = json!({"name": "producer", "scope": "send", "space": "data"});
    let made = world.post("/api-keys", &key).await;
    made.body["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_client_of_pagerduty_needs_no_header() {
    const EVENTS: &str = "/spaces/data/ingest/pagerduty";
    let world = World::start().await;
    let key = sending_key(&world).await;
    let event = |action: &str, extra: Value| {
        let mut event = json!({"routing_key": key, "event_action": action, "payload": {"summary": "Full", "severity": "critical", "source": "h"}});
        event
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        event
    };
    let opened = send(&world, EVENTS, &[], &event("trigger", json!({}))).await;
    assert_eq!(opened.status, 202, "{}", opened.text);
    assert_eq!(opened.body["status"], "success");
    let problem = opened.body["dedup_key"].as_str().unwrap();
    let named = json!({"dedup_key": problem});
    for (action, status) in [("acknowledge", 200), ("resolve", 202)] {
        let answered = send(&world, EVENTS, &[], &event(action, named.clone())).await;
        assert_eq!(
            (answered.status.as_u16(), &answered.body["dedup_key"]),
            (status, &json!(problem))
        );
    }
    let listed = world.get("/spaces/data/alerts").await.body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["items"][0]["status"], "resolved");
    for (key, expected) in [(json!("wrong"), 401), (json!(7), 401), (Value::Null, 401)] {
        let refused = send(
            &world,
            EVENTS,
            &[],
            &event("trigger", json!({"routing_key": key})),
        )
        .await;
        assert_eq!(refused.status.as_u16(), expected, "{}", refused.text);
    }
    assert_eq!(send(&world, EVENTS, &[], &json!([])).await.status, 401);
    let refused = send(
        &world,
        EVENTS,
        &[],
        &event("trigger", json!({"payload": {}})),
    )
    .await;
    assert_eq!(refused.status, 422, "{}", refused.text);
}

#[tokio::test]
async fn a_repeated_event_is_the_same_event() {
    const EVENTS: &str = "/spaces/data/ingest/cloudevents";
    let world = World::start().await;
    let bearer = format!("Bearer {}", world.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("ce-specversion", "1.0"),
        ("ce-type", "t"),
        ("ce-source", "/s"),
        ("ce-id", "1"),
        ("ce-subject", "gr%C3%BCn"),
    ];
    let body = json!({"rows": 5});
    let [first, again] = [
        send(&world, EVENTS, &headers, &body).await,
        send(&world, EVENTS, &headers, &body).await,
    ];
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(first.body, again.body);
    let id = first.body["alerts"][0].as_str().unwrap();
    let seen = world.get(&format!("/spaces/data/alerts/{id}")).await.body;
    assert_eq!(
        (&seen["occurrences"], &seen["title"]),
        (&json!(1), &json!("grün"))
    );
    let another =
        json!({"specversion": "1.0", "type": "t", "source": "/s", "id": "2", "subject": "grün"});
    let repeated = world.post(EVENTS, &another).await;
    assert_eq!(repeated.body["alerts"][0], json!(id), "{}", repeated.text);
    let seen = world.get(&format!("/spaces/data/alerts/{id}")).await.body;
    assert_eq!(seen["occurrences"], 2);
}

#[tokio::test]
async fn a_space_maps_a_source_to_its_own_words() {
    let world = World::start().await;
    let mapping = format!("{ALERTMANAGER}/mapping");
    assert_eq!(world.get(&mapping).await.body, json!({"rules": []}));
    let [firing, _] = recorded();
    let rules = json!({"rules": [
        {"where": {"label": "table", "is": "b"}, "drop": true},
        {"severity": "low", "title": "{{label.table}}: {{title}}"},
    ]});
    let set = world.ask(Method::PUT, &mapping, Some(&rules)).await;
    assert_eq!(set.status, 204, "{}", set.text);
    assert_eq!(world.get(&mapping).await.body, rules);
    let shown = world
        .post(&format!("{ALERTMANAGER}/preview"), &firing)
        .await;
    assert_eq!(
        shown.body["alerts"].as_array().unwrap().len(),
        1,
        "{}",
        shown.text
    );
    let posted = world.post(ALERTMANAGER, &firing).await;
    assert_eq!(
        (&posted.body["accepted"], &posted.body["ignored"]),
        (&json!(1), &json!(1))
    );
    let id = posted.body["alerts"][0].as_str().unwrap();
    let seen = world.get(&format!("/spaces/data/alerts/{id}")).await.body;
    assert_eq!(
        (&seen["severity"], &seen["title"]),
        (&json!("low"), &json!("a: a late"))
    );

    let wrong = json!({"rules": [{}, {"severity": "loud"}]});
    let refused = world.ask(Method::PUT, &mapping, Some(&wrong)).await;
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.body["errors"].as_array().unwrap().len(),
        2,
        "{}",
        refused.text
    );
    assert_eq!(world.get(&mapping).await.body, rules);
    let elsewhere = world.get("/spaces/data/ingest/grafana/mapping").await.body;
    assert_eq!(elsewhere, json!({"rules": []}));
    assert_eq!(world.ask(Method::DELETE, &mapping, None).await.status, 204);
    assert_eq!(world.post(ALERTMANAGER, &firing).await.body["accepted"], 2);
}

#[tokio::test]
async fn a_secret_makes_the_signature_the_only_way_in() {
    const GRAFANA: &str = "/spaces/data/ingest/grafana";
    const SECRET: &str = "s3cret-of-grafana";
    let world = World::start().await;
    let body = json!({"orgId": 1, "alerts": [{"status": "firing", "fingerprint": "f", "labels": {"alertname": "A"}}]});
    let bearer = format!("Bearer {}", world.token);
    let authorized = [("authorization", bearer.as_str())];
    assert_eq!(send(&world, GRAFANA, &authorized, &body).await.status, 200);
    let secret = format!("{GRAFANA}/secret");
    let set = world
        .ask(Method::PUT, &secret, Some(&json!({"secret": SECRET})))
        .await;
    assert_eq!(set.status, 204, "{}", set.text);
    // A token alone is not enough any more, also in a replica that has not heard of the secret.
    let refused = send(&world, GRAFANA, &authorized, &body).await;
    assert_eq!(refused.status, 401, "{}", refused.text);
    let digits = |body: &Value, secret: &str| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let tag = ring::hmac::sign(&key, body.to_string().as_bytes());
        tag.as_ref()
            .iter()
            .fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
    };
    for (digits, expected) in [
        (digits(&body, SECRET), 200),
        (digits(&body, "another"), 401),
        (digits(&json!({}), SECRET), 401),
        (String::new(), 401),
    ] {
        let headers = [("x-grafana-alerting-signature", digits.as_str())];
        let answered = send(&world, GRAFANA, &headers, &body).await;
        assert_eq!(answered.status.as_u16(), expected, "{}", answered.text);
    }
    // What is no body of the source's is refused to those who signed it alone.
    let wrong = json!({});
    let signed = digits(&wrong, SECRET);
    let headers = [("x-grafana-alerting-signature", signed.as_str())];
    assert_eq!(send(&world, GRAFANA, &headers, &wrong).await.status, 422);
    assert_eq!(send(&world, GRAFANA, &[], &wrong).await.status, 401);

    let secret_of_azure = "/spaces/data/ingest/azure/secret";
    let refused = world
        .ask(Method::PUT, secret_of_azure, Some(&json!({"secret": "x"})))
        .await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert_eq!(world.ask(Method::DELETE, &secret, None).await.status, 204);
    assert_eq!(send(&world, GRAFANA, &authorized, &body).await.status, 200);
}
