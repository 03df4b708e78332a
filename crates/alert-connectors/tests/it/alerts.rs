//! Alerts from posting to arrival.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, answer};

const ALERTS: &str = "/spaces/data/alerts";

fn alert(title: &str) -> Value {
    json!({"alert_type": "dq_alert", "severity": "high", "title": title})
}

#[tokio::test]
async fn an_alert_arrives_and_its_way_can_be_seen() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let posted = world.post(ALERTS, &alert("Orders are late")).await;
    assert_eq!(posted.status, 202, "{}", posted.text);
    let keys: Vec<_> = posted.body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys.len(), 19, "{keys:?}");
    assert_eq!(posted.body["deliveries"][0]["state"], "pending");
    let id = posted.body["id"].as_str().unwrap();
    let seen = world.settled(id, "delivered").await;
    let delivery = &seen["deliveries"][0];
    assert_eq!(
        (&delivery["kind"], &delivery["attempts"][0]["outcome"]),
        (&json!("opening"), &json!("delivered"))
    );
    assert_eq!(
        (
            &delivery["attempts"][0]["status_code"],
            &delivery["attempts"][0]["digest_size"]
        ),
        (&json!(200), &json!(1))
    );
    assert_eq!(seen["connectors"][0]["rule"], "matched");
    let message = &world.arrived(1).await[0];
    assert_eq!(
        (message.notification().as_str(), message.problem),
        ("HIGH Orders are late", None)
    );
}

#[tokio::test]
async fn filters_decide_who_hears_of_an_alert() {
    let world = World::start().await;
    let make = async |path: &str, extra: Value| {
        let mut body = json!({"name": path, "connector_type": "teams", "webhook_url": format!("{}/workflows/{path}", world.receiver)});
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        assert_eq!(
            world
                .post("/spaces/data/alert-connectors", &body)
                .await
                .status,
            201
        );
    };
    make("default", json!({})).await;
    make("all", json!({"severity_filter": []})).await;
    make(
        "none",
        json!({"severity_filter": [], "alert_type_filter": []}),
    )
    .await;
    make(
        "typed",
        json!({"severity_filter": ["low"], "alert_type_filter": ["smart_alert"]}),
    )
    .await;
    make("off", json!({"severity_filter": [], "is_active": false})).await;
    let heard = async |severity: &str, alert_type: &str| {
        let body = json!({"alert_type": alert_type, "severity": severity, "title": "t"});
        let preview = world.post(&format!("{ALERTS}/preview"), &body).await.body;
        let rules: Vec<_> = preview["connectors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["rule"].clone())
            .collect();
        let posted = world.post(ALERTS, &body).await.body;
        let names: Vec<_> = posted["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["connector_name"].clone())
            .collect();
        (Value::from(names), Value::from(rules))
    };
    let (names, rules) = heard("critical", "dq_alert").await;
    assert_eq!(names, json!(["default", "all"]));
    assert_eq!(
        rules,
        json!([
            "matched",
            "matched",
            "alert_type_filter",
            "severity_filter",
            "inactive"
        ])
    );
    assert_eq!(heard("low", "smart_alert").await.0, json!(["all", "typed"]));
    assert_eq!(heard("low", "dq_alert").await.0, json!(["all"]));
    let arrived = world.arrived(5).await;
    assert!(
        arrived
            .iter()
            .all(|message| message.status == Some(202) && message.problem.is_none())
    );
    let id = world.get(ALERTS).await.body["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    world.settled(&id, "accepted").await;
}

#[tokio::test]
async fn what_can_be_mended_is_sent_and_listed() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let odd = json!({"alert_type": "dq_alert", "severity": "high", "title": "<!channel> *now* \u{202E}", "descripton": "x",
        "description": "x".repeat(17_000), "url": "notaurl", "fields": [{"name": "n", "value": {}}], "occurred_at": "now"});
    let posted = world.post(ALERTS, &odd).await;
    assert_eq!(posted.status, 202);
    let places: Vec<_> = posted.body["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["loc"][1].clone())
        .collect();
    assert_eq!(
        Value::from(places),
        json!(["description", "url", "occurred_at", "descripton"])
    );
    let payload = world.arrived(1).await[0].payload.clone().unwrap();
    assert!(!payload.get().contains("<!channel>"));
    let refused = world
        .post(
            ALERTS,
            &json!({"alert_type": "X!", "title": [1], "status": "open"}),
        )
        .await;
    let kinds: Vec<_> = refused.faults().into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(
        (refused.status.as_u16(), kinds),
        (
            422,
            ["not_one_of", "wrong_type", "missing", "not_one_of"]
                .map(str::to_owned)
                .to_vec()
        )
    );
    assert_eq!(
        world.get(ALERTS).await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_batch_answers_each_on_its_own() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let batch = json!([alert("one"), {"title": "two"}, 3, alert("four")]);
    let answer = world.post(&format!("{ALERTS}/batch"), &batch).await;
    assert_eq!(answer.status, 200);
    let statuses: Vec<_> = answer.body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["status"].clone())
        .collect();
    assert_eq!(Value::from(statuses), json!([202, 422, 422, 202]));
    assert_eq!(
        answer.body["results"][1]["problem"]["errors"][0]["loc"],
        json!(["body", 1, "alert_type"])
    );
    assert_eq!(answer.body["results"][3]["alert"]["title"], "four");
    let titles: Vec<_> = world
        .arrived(2)
        .await
        .iter()
        .map(alert_connectors_inbox::Message::notification)
        .collect();
    assert_eq!(titles, ["HIGH one", "HIGH four"]);
    assert_eq!(
        world
            .post(&format!("{ALERTS}/batch"), &json!([]))
            .await
            .status,
        422
    );
    let many: Vec<_> = (0..1_001).map(|_| alert("x")).collect();
    assert_eq!(
        world
            .post(&format!("{ALERTS}/batch"), &Value::from(many))
            .await
            .status,
        422
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_makes_a_repeat_known_also_after_a_restart() {
    let mut world = World::start().await;
    world.connect("/services/a").await;
    let send = async |world: &World, path: &str, key: &str, body: String| {
        let request = world
            .client
            .post(format!("{}{path}", world.server.base))
            .bearer_auth(&world.token);
        answer(
            request
                .header("content-type", "application/json")
                .header("idempotency-key", key)
                .body(body),
        )
        .await
    };
    let body = alert("once").to_string();
    let first = send(&world, ALERTS, "k1", body.clone()).await;
    let second = send(&world, ALERTS, "k1", body.clone()).await;
    assert_eq!(
        (second.status.as_u16(), &second.body["id"]),
        (202, &first.body["id"])
    );
    assert_eq!(
        second.body["deliveries"][0]["id"],
        first.body["deliveries"][0]["id"]
    );
    let other = send(&world, ALERTS, "k1", alert("twice").to_string()).await;
    assert_eq!(
        (other.status.as_u16(), &other.body["type"]),
        (409, &json!("/problems/idempotency-conflict"))
    );
    let batch = Value::from(vec![alert("b1"), json!(1)]).to_string();
    let batched = send(&world, &format!("{ALERTS}/batch"), "k1", batch.clone()).await;
    assert_eq!(batched.status, 200);
    assert_eq!(
        send(&world, ALERTS, "not ascii é", body.clone())
            .await
            .status,
        422
    );
    let both = send(&world, ALERTS, "a b", "{}".to_owned()).await;
    assert_eq!(
        both.faults().len(),
        4,
        "the header's fault stands beside those of the body"
    );
    world.restart("-TERM");
    let third = send(&world, ALERTS, "k1", body).await;
    assert_eq!(
        (third.status.as_u16(), &third.body["id"]),
        (202, &first.body["id"])
    );
    let again = send(&world, &format!("{ALERTS}/batch"), "k1", batch).await;
    assert_eq!(
        again.body["results"][0]["alert"]["id"],
        batched.body["results"][0]["alert"]["id"]
    );
    assert_eq!(again.body["results"][1]["status"], 422);
    world
        .settled(first.body["id"].as_str().unwrap(), "delivered")
        .await;
    assert_eq!(
        world.get(ALERTS).await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

/// 40 alerts for 110 connectors are 4,440 rows, which are stored in steps of three alerts.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_fan_out_is_listed_in_part_and_repeated_whole() {
    let world = World::start().await;
    for connector in 0..110 {
        world.connect(&format!("/services/{connector}")).await;
    }
    let alerts: Vec<_> = (0..40).map(|at| alert(&format!("{at}"))).collect();
    let send = async |world: &World| {
        let request = world
            .client
            .post(format!("{}{ALERTS}/batch", world.server.base));
        let request = request
            .bearer_auth(&world.token)
            .header("idempotency-key", "k");
        let answer = answer(request.json(&alerts)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let results = answer.body["results"].as_array().unwrap().clone();
        assert!(
            results
                .iter()
                .all(|one| one["alert"]["deliveries"].as_array().unwrap().len() == 100)
        );
        assert!(
            results
                .iter()
                .all(|one| one["alert"]["deliveries_left_out"] == 10)
        );
        let ids = results
            .iter()
            .map(|one| one["alert"]["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let first = send(&world).await;
    assert_eq!(send(&world).await, first);
    let whole = world.get(&format!("{ALERTS}/{}", first[39])).await.body;
    assert_eq!(whole["deliveries"].as_array().unwrap().len(), 110);
    assert!(whole.get("deliveries_left_out").is_none());
    let page = world.get(&format!("{ALERTS}?limit=1")).await.body;
    assert_eq!(page["items"][0]["deliveries_left_out"], 10);
}

#[tokio::test]
async fn a_problem_is_one_alert_until_it_is_resolved() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let mut body = alert("Late");
    body["dedup_key"] = json!("orders");
    let first = world.post(ALERTS, &body).await.body;
    body["severity"] = json!("critical");
    let second = world.post(ALERTS, &body).await.body;
    assert_eq!(
        (&second["id"], &second["occurrences"], &second["severity"]),
        (&first["id"], &json!(2), &json!("critical"))
    );
    assert_eq!(second["deliveries"].as_array().unwrap().len(), 1);
    let id = first["id"].as_str().unwrap();
    for _ in 0..2 {
        let resolved = world
            .ask(Method::PATCH, &format!("{ALERTS}/{id}/resolve"), None)
            .await;
        assert_eq!(
            (resolved.status.as_u16(), &resolved.body["status"]),
            (200, &json!("resolved"))
        );
    }
    assert_ne!(world.post(ALERTS, &body).await.body["id"], first["id"]);
    let listed = world
        .get(&format!(
            "{ALERTS}?status=active&dedup_key=orders&severity=critical&severity=low"
        ))
        .await
        .body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let wrong = world
        .get(&format!(
            "{ALERTS}?status=open&sverity=low&limit=900&since=yesterday"
        ))
        .await;
    assert_eq!((wrong.status.as_u16(), wrong.faults().len()), (422, 4));
}

#[tokio::test]
async fn the_list_is_read_page_by_page() {
    let world = World::start().await;
    let batch: Vec<_> = (0..7).map(|number| alert(&number.to_string())).collect();
    world
        .post(&format!("{ALERTS}/batch"), &Value::from(batch))
        .await;
    let (mut titles, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("{ALERTS}?limit=3{cursor}")).await.body;
        titles.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["title"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(titles, ["6", "5", "4", "3", "2", "1", "0"]);
}

#[tokio::test]
async fn preview_and_live_send_are_the_same_bytes() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let teams = json!({"name": "t", "connector_type": "teams", "severity_filter": [], "webhook_url": format!("{}/workflows/t", world.receiver)});
    world.post("/spaces/data/alert-connectors", &teams).await;
    let body = json!({"alert_type": "dq_alert", "severity": "critical", "title": "Late <b> & co", "description": "- a\n**b**",
        "description_format": "markdown", "occurred_at": "2026-11-23T12:04:00Z", "fields": [{"name": "n", "value": 1.50}],
        "url": "https://data.example.com/1?a=1&b=2", "actions": [{"label": "Runbook", "url": "https://r.example.com/"}]});
    let preview = world.post(&format!("{ALERTS}/preview"), &body).await.body;
    world.post(ALERTS, &body).await;
    for message in world.arrived(2).await {
        let platform = if message.kind == "slack" {
            "slack"
        } else {
            "teams"
        };
        let sent: Value = serde_json::from_str(message.payload.unwrap().get()).unwrap();
        assert_eq!(sent, preview["messages"][platform]["payload"]);
    }
    assert!(preview["messages"]["slack"]["plain"]["text"].is_string());
}

#[tokio::test]
async fn deactivation_and_deletion_cancel_what_waits() {
    let world = World::start().await;
    let hang = alert_connectors_inbox::Behaviour {
        hang: true,
        ..alert_connectors_inbox::Behaviour::default()
    };
    world.inbox.behave("/services/a", hang);
    let id = world.connect("/services/a").await;
    world.post(ALERTS, &alert("in flight")).await;
    world.arrived(1).await;
    let waiting = world.post(ALERTS, &alert("waiting")).await.body;
    let one = format!("/spaces/data/alert-connectors/{id}");
    world
        .ask(Method::PATCH, &one, Some(&json!({"is_active": false})))
        .await;
    let seen = world
        .settled(waiting["id"].as_str().unwrap(), "cancelled")
        .await;
    assert_eq!(seen["deliveries"][0]["reason"], "connector_inactive");
    assert_eq!(
        world.post(ALERTS, &alert("nobody")).await.body["deliveries"],
        json!([])
    );
}
