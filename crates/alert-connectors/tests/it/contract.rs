//! The given contract, every word of it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, answer};

const CONNECTORS: &str = "/spaces/data/alert-connectors";
const FIELDS: [&str; 11] = [
    "alert_type_filter",
    "connector_type",
    "created_at",
    "created_by",
    "id",
    "is_active",
    "name",
    "severity_filter",
    "space_id",
    "updated_at",
    "webhook_url",
];

fn fields(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// The contract's example, letter by letter.
const EXAMPLE: &str = r##"{
"name": "#data-quality-alerts",
"connector_type": "slack",
"webhook_url": "https://hooks.slack.com/services/T00/B00/xxx",
"severity_filter": ["high", "critical"],
"alert_type_filter": null
}"##;

#[tokio::test]
async fn the_examples_work_as_they_stand_there() {
    let world = World::start().await;
    assert_eq!(world.get(CONNECTORS).await.text, "[]");
    let url = format!("{}{CONNECTORS}", world.server.base);
    let request = world
        .client
        .post(&url)
        .bearer_auth(&world.token)
        .header("content-type", "application/json");
    let created = answer(request.body(EXAMPLE)).await;
    assert_eq!(created.status, 201);
    assert_eq!(fields(&created.body), FIELDS);
    assert_eq!(
        created.body["webhook_url"],
        "https://hooks.slack.com/services/T00/B00/xxx"
    );
    assert_eq!(created.body["severity_filter"], json!(["high", "critical"]));
    assert_eq!(created.body["is_active"], true);
    assert_eq!(
        fields(&created.body["created_by"]),
        ["email", "full_name", "id"]
    );
    let time = created.body["created_at"].as_str().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
    assert_eq!(created.body["updated_at"], created.body["created_at"]);
    let list = world.get(CONNECTORS).await;
    assert_eq!(list.body, json!([created.body]));

    let one = format!("{CONNECTORS}/{}", created.body["id"].as_str().unwrap());
    let patch = json!({"name": "Updated Name", "is_active": false, "severity_filter": ["critical"],
        "webhook_url": "https://hooks.slack.com/services/new-url"});
    let patched = world.ask(Method::PATCH, &one, Some(&patch)).await;
    assert_eq!(
        (patched.status.as_u16(), fields(&patched.body)),
        (200, FIELDS.to_vec())
    );
    for (name, value) in patch.as_object().unwrap() {
        assert_eq!(&patched.body[name], value);
    }
    assert_eq!(patched.body["alert_type_filter"], Value::Null);
    let deleted = world.ask(Method::DELETE, &one, None).await;
    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    assert_eq!(world.get(CONNECTORS).await.text, "[]");
    assert_eq!(world.ask(Method::DELETE, &one, None).await.status, 404);
    world.server.assert_log_clean();
}

#[tokio::test]
async fn patch_changes_only_what_is_provided() {
    let world = World::start().await;
    let id = world.connect("/services/a").await;
    let one = format!("{CONNECTORS}/{id}");
    let before = world.get(&one).await.body;
    let patch = async |body: Value| world.ask(Method::PATCH, &one, Some(&body)).await;
    assert_eq!(patch(json!({})).await.body, before);
    let sent_back = patch(before.clone()).await;
    assert_eq!(
        (sent_back.status.as_u16(), &sent_back.body),
        (200, &before),
        "read-only fields are ignored"
    );
    let filtered = patch(json!({"alert_type_filter": ["dq_alert", "dq_alert", "a.b-c"]}))
        .await
        .body;
    assert_eq!(filtered["alert_type_filter"], json!(["dq_alert", "a.b-c"]));
    assert_eq!(
        patch(json!({"alert_type_filter": null})).await.body["alert_type_filter"],
        Value::Null
    );
    assert_eq!(
        patch(json!({"alert_type_filter": []})).await.body["alert_type_filter"],
        json!([])
    );
    let nulls = patch(json!({"name": null, "is_active": null, "severity_filter": null, "webhook_url": null, "connector_type": null})).await;
    assert_eq!((nulls.status.as_u16(), nulls.faults().len()), (422, 5));
    assert!(nulls.faults().iter().all(|(_, kind)| kind == "null"));
    let refused = patch(
        json!({"connector_type": "teams", "webhook_url": "https://hooks.slack.com/services/x"}),
    )
    .await;
    assert_eq!(
        refused.faults(),
        [("body.webhook_url".to_owned(), "wrong_platform".to_owned())]
    );
    patch(json!({"webhook_url": "https://hooks.slack.com/services/x"})).await;
    let refused = patch(json!({"connector_type": "teams"})).await;
    assert_eq!(
        refused.faults(),
        [("body.webhook_url".to_owned(), "wrong_platform".to_owned())]
    );
}

#[tokio::test]
async fn every_fault_of_a_create_is_said_and_nothing_is_stored() {
    let world = World::start().await;
    let body = json!({"name": "", "connector_type": "email", "webhook_url": "http://x/", "severity_filter": ["urgent"],
        "alert_type_filter": ["OK", 1], "webhookurl": 1});
    let refused = world.post(CONNECTORS, &body).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    assert_eq!(refused.body["type"], "/problems/invalid");
    let kinds: Vec<_> = refused.faults();
    let expected = [
        ("body.name", "too_short"),
        ("body.connector_type", "not_one_of"),
        ("body.webhook_url", "not_https"),
        ("body.severity_filter.0", "not_one_of"),
        ("body.alert_type_filter.0", "not_one_of"),
        ("body.alert_type_filter.1", "wrong_type"),
        ("body.webhookurl", "unknown_field"),
    ];
    assert_eq!(
        kinds,
        expected.map(|(place, kind)| (place.to_owned(), kind.to_owned()))
    );
    assert_eq!(world.get(CONNECTORS).await.text, "[]");
}

#[tokio::test]
async fn bodies_are_checked_by_length_then_type_then_syntax() {
    let world = World::start().await;
    let send = async |content_type: &str, body: Vec<u8>| {
        let request = world
            .client
            .post(format!("{}{CONNECTORS}", world.server.base))
            .bearer_auth(&world.token);
        answer(request.header("content-type", content_type).body(body)).await
    };
    let malformed = send("application/json", b"{\"name\": \"x\",\n  oops}".to_vec()).await;
    assert_eq!(malformed.status, 400);
    assert!(
        malformed.body["detail"]
            .as_str()
            .unwrap()
            .contains("line 2, column 3"),
        "{}",
        malformed.text
    );
    assert_eq!(
        send("application/json", b"{\"name\":1,\"name\":2}".to_vec())
            .await
            .status,
        400
    );
    assert_eq!(
        send("application/json", b"{} {}".to_vec()).await.status,
        400
    );
    assert_eq!(send("application/json", Vec::new()).await.status, 400);
    assert_eq!(send("text/plain", b"{}".to_vec()).await.status, 415);
    assert_eq!(
        send("application/json; charset=utf-8", b"[]".to_vec())
            .await
            .status,
        422
    );
    assert_eq!(send("text/plain", vec![b' '; 1_048_577]).await.status, 413);
    assert_eq!(world.get(CONNECTORS).await.text, "[]");
}

#[tokio::test]
async fn a_webhook_is_tested_before_there_is_a_connector_for_it() {
    let world = World::start().await;
    let path = "/spaces/data/alert-connectors/test";
    let webhook = |path: &str| json!({"connector_type": "slack", "webhook_url": format!("{}{path}", world.receiver)});
    let good = world.post(path, &webhook("/services/a")).await;
    assert_eq!(
        (good.status.as_u16(), &good.body),
        (
            200,
            &json!({"success": true, "status_code": 200, "error": null})
        )
    );
    assert!(world.texts("/services/a")[0].contains("Test message"));
    let refused = alert_connectors_inbox::Behaviour {
        row: Some("slack:no_service".to_owned()),
        ..alert_connectors_inbox::Behaviour::default()
    };
    world.inbox.behave("/services/b", refused);
    let bad = world.post(path, &webhook("/services/b")).await.body;
    assert_eq!(
        (&bad["success"], &bad["status_code"]),
        (&json!(false), &json!(404))
    );
    let nonsense = json!({"connector_type": "teams", "webhook_url": "https://hooks.slack.com/services/T/B/x", "name": "x"});
    let refused = world.post(path, &nonsense).await;
    let faults = [
        ("body.name".to_owned(), "unknown_field".to_owned()),
        ("body.webhook_url".to_owned(), "wrong_platform".to_owned()),
    ];
    assert_eq!(refused.faults(), faults);
    for _ in 0..5 {
        world.post(path, &webhook("/services/a")).await;
    }
    let too_many = world.post(path, &webhook("/services/a")).await;
    assert_eq!(
        too_many.status, 429,
        "one webhook is tested five times in ten seconds"
    );
    // Another address each time: the space has a limit of its own.
    let mut last = too_many;
    for number in 0..20 {
        last = world
            .post(path, &webhook(&format!("/services/{number}")))
            .await;
    }
    assert_eq!(last.status, 429);
    assert!(
        last.body["detail"]
            .as_str()
            .unwrap()
            .contains("for each space")
    );
    assert_eq!(world.get(CONNECTORS).await.body, json!([]));
}

#[tokio::test]
async fn the_test_call_tells_what_the_webhook_said() {
    let world = World::start().await;
    let id = world.connect("/services/a").await;
    let test = async |id: &str| {
        world
            .ask(Method::POST, &format!("{CONNECTORS}/{id}/test"), None)
            .await
    };
    let good = test(&id).await;
    assert_eq!(
        (good.status.as_u16(), good.text.as_str()),
        (200, r#"{"success":true,"status_code":200,"error":null}"#)
    );
    assert!(
        world.arrived(1).await[0]
            .notification()
            .contains("Test message")
    );
    let row = |name: &str| alert_connectors_inbox::Behaviour {
        row: Some(name.to_owned()),
        times: Some(1),
        ..alert_connectors_inbox::Behaviour::default()
    };
    world.inbox.behave("/services/a", row("slack:no_service"));
    let bad = test(&id).await;
    assert_eq!(
        (
            bad.status.as_u16(),
            &bad.body["success"],
            &bad.body["status_code"]
        ),
        (200, &json!(false), &json!(404))
    );
    assert!(
        bad.body["error"]
            .as_str()
            .unwrap()
            .starts_with("no_service")
    );
    world
        .ask(
            Method::PATCH,
            &format!("{CONNECTORS}/{id}"),
            Some(&json!({"is_active": false})),
        )
        .await;
    assert_eq!(
        test(&id).await.body["success"],
        true,
        "inactive connectors can be tested"
    );
    let nobody =
        json!({"name": "n", "connector_type": "teams", "webhook_url": "https://localhost:1/x"});
    let nobody = world.post(CONNECTORS, &nobody).await.body["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        test(&nobody).await.body,
        json!({"success": false, "status_code": 500, "error": "Connection refused"})
    );
    assert_eq!(
        test("0197c2a0-0000-7000-8000-000000000001").await.status,
        404
    );
    for _ in 0..2 {
        test(&id).await;
    }
    let too_many = test(&id).await;
    assert_eq!(too_many.status, 429);
    assert!(too_many.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn viewers_see_only_the_host_of_a_webhook() {
    let world = World::start().await;
    world.command(&["user", "add", "vera@example.com", "--name", "Vera"]);
    world.command(&[
        "member",
        "set",
        "data",
        "vera@example.com",
        "--role",
        "viewer",
    ]);
    let vera = format!(
        "Bearer {}",
        world.command(&["token", "issue", "vera@example.com"])
    );
    let id = world.connect("/services/secret").await;
    let seen = world.ask_as(&vera, Method::GET, CONNECTORS, None).await;
    assert_eq!(seen.body[0]["webhook_url"], format!("{}/…", world.receiver));
    assert!(!seen.text.contains("secret"));
    let masked = json!({"webhook_url": seen.body[0]["webhook_url"]});
    let refused = world
        .ask(Method::PATCH, &format!("{CONNECTORS}/{id}"), Some(&masked))
        .await;
    assert_eq!(
        refused.faults(),
        [("body.webhook_url".to_owned(), "bad_url".to_owned())]
    );
}

#[tokio::test]
async fn routes_and_methods_that_are_not_there_are_problems() {
    let world = World::start().await;
    let absent = world.get("/nowhere").await;
    assert_eq!(
        (absent.status.as_u16(), &absent.body["type"]),
        (404, &json!("/problems/not-found"))
    );
    let wrong = world.ask(Method::PUT, CONNECTORS, None).await;
    assert_eq!(
        (wrong.status.as_u16(), &wrong.body["type"]),
        (405, &json!("/problems/method-not-allowed"))
    );
    assert!(wrong.headers["allow"].to_str().unwrap().contains("POST"));
    assert!(wrong.headers.contains_key("x-request-id"));
}
