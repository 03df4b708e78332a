//! Deliveries as history tells them, retry and replay, follow-ups, keys that rotate, metrics.

use alert_connectors_inbox::Behaviour;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, until};

fn refused() -> Behaviour {
    Behaviour {
        row: Some("slack:invalid_attachments".to_owned()),
        times: Some(2),
        ..Behaviour::default()
    }
}

async fn post(world: &World, body: Value) -> Value {
    let answer = world.post("/spaces/data/alerts", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.body
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

const DELIVERY_FIELDS: [&str; 11] = [
    "alert_id",
    "attempts",
    "connector_id",
    "connector_name",
    "created_at",
    "ended_at",
    "id",
    "kind",
    "next_attempt_at",
    "reason",
    "state",
];
const ATTEMPT_FIELDS: [&str; 7] = [
    "digest_size",
    "duration_ms",
    "error",
    "id",
    "outcome",
    "started_at",
    "status_code",
];
const HEALTH_FIELDS: [&str; 8] = [
    "consecutive_failures",
    "last_error",
    "last_success_at",
    "next_attempt_at",
    "oldest_pending_at",
    "queue_depth",
    "since",
    "state",
];

#[tokio::test]
async fn why_nothing_came_is_asked_of_the_whole_space() {
    let world = World::start().await;
    let (a, b) = (
        world.connect("/services/a").await,
        world.connect("/services/b").await,
    );
    world.inbox.behave("/services/b", refused());
    let alert = json!({"alert_type": "a", "severity": "high", "title": "t"});
    let posted = post(&world, alert).await;
    let id = posted["id"].as_str().unwrap();
    let states = async || {
        let all = world.get("/spaces/data/deliveries").await.body;
        let all = all["items"].as_array().unwrap().clone();
        let state = |one: &Value| one["state"].as_str().unwrap().to_owned();
        all.iter().map(state).collect::<Vec<_>>()
    };
    until(states, |states| *states == ["failed", "delivered"]).await;
    let list = async |query: &str| {
        let answer = world.get(&format!("/spaces/data/deliveries?{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let items = answer.body["items"].as_array().unwrap().clone();
        let of = |one: &Value| one["connector_id"].as_str().unwrap().to_owned();
        items.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(list("").await, [b.clone(), a.clone()]);
    assert_eq!(list("state=failed").await, [&*b]);
    assert_eq!(list(&format!("connector_id={a}")).await, [&*a]);
    assert_eq!(list("kind=raised").await, [""; 0]);
    assert_eq!(list("until=2020-01-01T00:00:00Z").await, [""; 0]);
    let page = world.get("/spaces/data/deliveries?limit=1").await.body;
    let mut in_short = DELIVERY_FIELDS.to_vec();
    in_short.retain(|field| *field != "attempts");
    assert_eq!(keys(&page["items"][0]), in_short);
    assert_eq!(page["items"][0]["alert_id"], id);
    let next = page["next_cursor"].as_str().unwrap();
    assert_eq!(list(&format!("limit=1&cursor={next}")).await, [a]);
    let refused = world
        .get("/spaces/data/deliveries?state=gone&kind=x&connector_id=1&since=now&cursor=!&q=1")
        .await;
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.body["errors"].as_array().unwrap().len(),
        6,
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn a_delivery_is_called_what_its_message_says() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let alert = |title: &str, severity: &str| json!({"alert_type": "a", "severity": severity, "title": title, "dedup_key": "k"});
    let id = post(&world, alert("slow", "high")).await["id"].clone();
    let id = id.as_str().unwrap();
    world.settled(id, "delivered").await;
    post(&world, alert("down", "critical")).await;
    let deliveries = world.settled(id, "delivered").await["deliveries"].clone();
    let mut said = Vec::new();
    for delivery in deliveries.as_array().unwrap() {
        let path = format!(
            "/spaces/data/deliveries/{}",
            delivery["id"].as_str().unwrap()
        );
        let delivery = world.get(&path).await.body;
        said.push((delivery["title"].clone(), delivery["severity"].clone()));
    }
    let expected = [("slow", "high"), ("down", "critical")];
    assert_eq!(
        said,
        expected.map(|(title, severity)| (json!(title), json!(severity)))
    );
}

#[tokio::test]
async fn a_pause_is_known_when_it_is_over() {
    let world = World::start().await;
    let connector = world
        .connect_for("/services/a", "a", &json!(["critical"]))
        .await;
    let path = format!("/spaces/data/alert-connectors/{connector}");
    for is_active in [false, true] {
        let change = json!({ "is_active": is_active });
        let changed = world.ask(Method::PATCH, &path, Some(&change)).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
    }
    let list = |query: &str| format!("/spaces/data/pauses?{query}");
    let listed = world.get(&list("")).await.body;
    let pause = &listed["items"][0];
    assert_eq!(pause["connector_id"], json!(connector));
    assert_eq!(pause["severity_filter"], json!(["critical"]));
    assert_eq!(pause["alert_type_filter"], Value::Null);
    assert!(pause["began_at"].as_str() <= pause["ended_at"].as_str());
    let of_it = world.get(&list(&format!("connector_id={connector}"))).await;
    assert_eq!(of_it.body, listed);
    let later = world.get(&list("since=2100-01-01T00:00:00Z")).await;
    assert_eq!(later.body["items"], json!([]));
    let wrong = world.get(&list("connector_id=x&since=y&page=1")).await;
    assert_eq!((wrong.status.as_u16(), wrong.faults().len()), (422, 3));
}

#[tokio::test]
async fn what_failed_can_be_seen_and_sent_again() {
    let world = World::start().await;
    let connector = world.connect("/services/a").await;
    world.inbox.behave("/services/a", refused());
    let alert = json!({"alert_type": "a", "severity": "high", "title": "t"});
    let posted = post(&world, alert).await;
    let id = posted["id"].as_str().unwrap();
    let failed = world.settled(id, "failed").await["deliveries"][0].clone();
    let path = format!("/spaces/data/deliveries/{}", failed["id"].as_str().unwrap());
    let mut delivery = world.get(&path).await.body;
    let fields = delivery.as_object_mut().unwrap();
    let said = (fields.remove("title"), fields.remove("severity"));
    assert_eq!(said, (Some(json!("t")), Some(json!("high"))));
    assert_eq!(delivery, failed);
    assert_eq!(keys(&delivery), DELIVERY_FIELDS);
    assert_eq!(keys(&delivery["attempts"][0]), ATTEMPT_FIELDS);
    // Slack refused the full message and the plain one, which was sent last.
    let message = world.get(&format!("{path}/message")).await;
    let sent = world.texts("/services/a").pop().unwrap();
    assert!(message.text.contains(&sent), "{}: {sent}", message.text);
    assert_eq!(
        (
            &message.body["connector_type"],
            &message.body["digest_size"]
        ),
        (&json!("slack"), &json!(1))
    );
    assert_eq!(
        (&delivery["kind"], &delivery["reason"]),
        (&json!("opening"), &json!("message_refused"))
    );
    let list = format!("/spaces/data/alert-connectors/{connector}/deliveries");
    let listed = world.get(&list).await.body;
    assert!(listed["items"][0].get("attempts").is_none());
    assert_eq!(listed["items"][0]["id"], delivery["id"]);
    let wrong = world.get(&format!("{list}?state=lost&page=2")).await;
    assert_eq!(wrong.status, 422);
    assert_eq!(wrong.faults().len(), 2);
    let retried = world.post(&format!("{path}/retry"), &json!({})).await;
    assert_eq!(
        (retried.status.as_u16(), &retried.body["state"]),
        (202, &json!("pending"))
    );
    world.settled(id, "delivered").await;
    let again = world.post(&format!("{path}/retry"), &json!({})).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["type"]),
        (409, &json!("/problems/conflict"))
    );
    let health = world
        .get(&format!("/spaces/data/alert-connectors/{connector}/health"))
        .await
        .body;
    assert_eq!(keys(&health), HEALTH_FIELDS);
    assert_eq!(
        (&health["state"], &health["queue_depth"]),
        (&json!("healthy"), &json!(0))
    );
    let all = world.get("/spaces/data/alert-connectors/health").await.body;
    let mut listed = health;
    listed["connector_id"] = json!(connector);
    assert_eq!(all["items"], json!([listed]));
    assert_eq!(all["usage"]["connectors"], 1);
}

#[tokio::test]
async fn a_replay_brings_back_what_a_pause_cancelled() {
    let world = World::start().await;
    let connector = world.connect("/services/a").await;
    let path = format!("/spaces/data/alert-connectors/{connector}");
    let busy = Behaviour {
        status: Some(429),
        headers: [("retry-after".to_owned(), "5".to_owned())].into(),
        times: Some(1),
        ..Behaviour::default()
    };
    world.inbox.behave("/services/a", busy);
    let mut ids = Vec::new();
    for number in 0..5 {
        let alert = json!({"alert_type": "a", "severity": "high", "title": format!("t{number}")});
        ids.push(post(&world, alert).await["id"].as_str().unwrap().to_owned());
    }
    let switch = async |on: bool| {
        let body = json!({"is_active": on});
        assert_eq!(
            world.ask(Method::PATCH, &path, Some(&body)).await.status,
            200
        );
    };
    switch(false).await;
    world.settled(&ids[4], "cancelled").await;
    let since = json!({"since": "2020-01-01T00:00:00Z"});
    let replay = format!("{path}/replay");
    assert_eq!(world.post(&replay, &since).await.status, 409);
    let paused = world.get(&format!("{path}/health")).await.body;
    assert_eq!(
        (&paused["state"], &paused["queue_depth"]),
        (&json!("paused"), &json!(0))
    );
    switch(true).await;
    let wrong = json!({"until": "soon", "states": ["pending"], "x": 1});
    let faults = world.post(&replay, &wrong).await.faults();
    assert_eq!(faults.len(), 4, "{faults:?}");
    let replayed = world.post(&replay, &since).await;
    assert_eq!(
        (replayed.status.as_u16(), &replayed.body),
        (202, &json!({"count": 5}))
    );
    world.settled(&ids[4], "delivered").await;
    assert_eq!(world.post(&replay, &since).await.body, json!({"count": 0}));
}

#[tokio::test]
async fn a_problem_is_followed_to_its_end() {
    let world = World::start_with(&[("ALERT_CONNECTORS_RENOTIFY", "1ms")]).await;
    world.connect_for("/services/all", "all", &json!([])).await;
    world
        .connect_for("/services/critical", "critical", &json!(["critical"]))
        .await;
    let problem = |severity: &str, status: &str| {
        json!({"alert_type": "a", "severity": severity, "title": "late", "dedup_key": "k", "status": status,
            "description": "the description"})
    };
    let opened = post(&world, problem("high", "active")).await;
    let id = opened["id"].as_str().unwrap();
    world.settled(id, "delivered").await;
    let raised = post(&world, problem("critical", "active")).await;
    assert_eq!(raised["deliveries"].as_array().unwrap().len(), 2);
    world.settled(id, "delivered").await;
    post(&world, problem("low", "active")).await;
    world.settled(id, "delivered").await;
    post(&world, problem("low", "resolved")).await;
    let story = world.settled(id, "delivered").await;
    let kinds: Vec<_> = story["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "opening",
            "raised",
            "opening",
            "renotified",
            "renotified",
            "resolved",
            "resolved"
        ]
    );
    let all = world.texts("/services/all");
    assert_eq!(all.len(), 4);
    assert!(all[1].contains("*RAISED TO CRITICAL*") && !all[1].contains("the description"));
    assert!(all[2].contains("*STILL CRITICAL*"), "{}", all[2]);
    assert!(all[3].contains("resolved after 0 s"), "{}", all[3]);
    let critical = world.texts("/services/critical");
    assert!(critical[0].contains("*CRITICAL*") && critical[0].contains("the description"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_while_the_server_serves() {
    let world = World::start().await;
    let connector = world.connect("/services/a").await;
    let alert = json!({"alert_type": "a", "severity": "high", "title": "t"});
    world.command(&["key", "rotate", "--new"]);
    let keys = std::fs::read_to_string(world.path("secret.key")).unwrap();
    assert_eq!(keys.lines().count(), 2);
    let first = post(&world, alert.clone()).await;
    world
        .settled(first["id"].as_str().unwrap(), "delivered")
        .await;
    // Nothing needs the old key any more.
    let only = keys.lines().next().unwrap().to_owned() + "\n";
    std::fs::write(world.path("secret.key"), only).unwrap();
    world.command(&["key", "rotate"]);
    let mut world = world;
    assert_eq!(world.restart("-TERM"), Some(0));
    let path = format!("/spaces/data/alert-connectors/{connector}");
    let url = world.get(&path).await.body["webhook_url"].clone();
    assert_eq!(url, format!("{}/services/a", world.receiver));
    let second = post(&world, alert).await;
    world
        .settled(second["id"].as_str().unwrap(), "delivered")
        .await;
}

#[tokio::test]
async fn metrics_tell_what_happens_and_name_no_tenant() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let alert = json!({"alert_type": "a", "severity": "high", "title": "t"});
    let posted = post(&world, alert).await;
    world
        .settled(posted["id"].as_str().unwrap(), "delivered")
        .await;
    let look = async || world.ask_as("", Method::GET, "/metrics", None).await.text;
    let delivered = "alert_connectors_attempts_total{platform=\"slack\",outcome=\"delivered\"} 1";
    let text = until(look, |text| text.contains(delivered)).await;
    for line in [
        "alert_connectors_alerts_accepted_total 1",
        "alert_connectors_deliveries_pending 0",
        "alert_connectors_destinations_blocked 0",
        "alert_connectors_store_group_size_count",
        "alert_connectors_store_group_duration_seconds_bucket",
        "alert_connectors_attempt_duration_seconds_sum",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    assert!(
        !text.contains("data") && !text.contains("localhost"),
        "{text}"
    );
    let docs = world.ask_as("", Method::GET, "/docs", None).await;
    assert!(docs.text.contains("/spaces/{slug}/alerts") && docs.text.contains("Post an alert"));
}

#[tokio::test]
async fn a_new_url_in_the_middle_of_a_request_sends_nothing_twice() {
    let world = World::start().await;
    let connector = world.connect("/services/old").await;
    let slow = Behaviour {
        delay_ms: 300,
        body: Some("ok".to_owned()),
        ..Behaviour::default()
    };
    world.inbox.behave("/services/old", slow);
    let mut ids = Vec::new();
    for number in 0..3 {
        let alert = json!({"alert_type": "a", "severity": "high", "title": format!("t{number}")});
        ids.push(post(&world, alert).await["id"].as_str().unwrap().to_owned());
    }
    world.arrived(1).await;
    let url = json!({"webhook_url": format!("{}/services/new", world.receiver)});
    let path = format!("/spaces/data/alert-connectors/{connector}");
    assert_eq!(
        world.ask(Method::PATCH, &path, Some(&url)).await.status,
        200
    );
    for id in &ids {
        let alert = world.settled(id, "delivered").await;
        let attempts = alert["deliveries"][0]["attempts"].as_array().unwrap().len();
        assert_eq!(attempts, 1, "{alert}");
    }
    assert_eq!(world.texts("/services/old").len(), 1);
    assert_eq!(world.texts("/services/new").len(), 2);
}
