//! The audit trail: who did what, when and from where, told by the API and the log, and never a secret.

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, PROGRAM, World, answer, fed};

/// Action, actor, how they came in, and subject of each entry, oldest first.
fn told(page: &Value) -> Vec<(String, String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let entries = page["items"].as_array().unwrap().iter().rev();
    entries
        .map(|entry| {
            let actor = &entry["actor"];
            (
                text(&entry["action"]),
                text(&actor["email"]),
                text(&actor["auth_method"]),
                text(&entry["subject"]["name"]),
            )
        })
        .collect()
}

fn row(
    action: &str,
    email: &str,
    auth_method: &str,
    subject: &str,
) -> (String, String, String, String) {
    (
        action.into(),
        email.into(),
        auth_method.into(),
        subject.into(),
    )
}

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";

/// A space in which much was done.
struct Busy {
    world: World,
    connector: String,
    key: String,
    /// What its trail says then.
    trail: Answer,
}

/// Does everything in a space that leaves an entry, and some of it twice.
async fn busy() -> Busy {
    let world = World::start().await;
    world.command(&["user", "add", "vera@example.com", "--name", "Vera"]);
    for nothing in [
        ["member", "set", "data", ALICE, "--role", "admin"].as_slice(),
        &["space", "rename", "data", "--name", "Data"],
        &["user", "enable", ALICE],
    ] {
        world.command(nothing);
    }
    let connector = world.connect("/services/T/B/verysecret").await;
    let path = format!("/spaces/data/alert-connectors/{connector}");
    let url = format!("{}/services/T/B/anothersecret", world.receiver);
    for change in [
        json!({"name": "renamed"}),
        json!({"name": "renamed"}),
        json!({"webhook_url": url, "severity_filter": ["high"]}),
    ] {
        assert_eq!(
            world.ask(Method::PATCH, &path, Some(&change)).await.status,
            200
        );
    }
    let key = json!({"name": "ci", "space": "data", "scope": "all"});
    let key = world.post("/api-keys", &key).await.body;
    let by_key = format!("Bearer {}", key["key"].as_str().unwrap());
    let vera = "/spaces/data/members/vera@example.com";
    for role in ["viewer", "editor", "editor"] {
        let role = json!({"role": role});
        let set = world.ask_as(&by_key, Method::PUT, vera, Some(&role)).await;
        assert!(set.status.is_success(), "{}", set.text);
    }
    work(&world, &path).await;
    let key = key["key"].as_str().unwrap().to_owned();
    let trail = world.get("/spaces/data/audit").await;
    assert_eq!(trail.status, 200, "{}", trail.text);
    Busy {
        world,
        connector,
        key,
        trail,
    }
}

/// The second half of it.
async fn work(world: &World, path: &str) {
    let secret = json!({"secret": "a very long and secret word"});
    let set = world
        .ask(
            Method::PUT,
            "/spaces/data/ingest/grafana/secret",
            Some(&secret),
        )
        .await;
    assert_eq!(set.status, 204);
    let alert = json!({"alert_type": "t", "title": "T", "severity": "high", "dedup_key": "k"});
    let alert = world.post("/spaces/data/alerts", &alert).await.body;
    let resolve = format!(
        "/spaces/data/alerts/{}/resolve",
        alert["id"].as_str().unwrap()
    );
    for _ in 0..2 {
        assert_eq!(world.ask(Method::PATCH, &resolve, None).await.status, 200);
    }
    assert_eq!(world.ask(Method::DELETE, path, None).await.status, 204);
    world.command(&["member", "remove", "data", "vera@example.com"]);
}

#[tokio::test]
async fn what_is_done_in_a_space_is_told_to_its_admins() {
    let Busy { trail, .. } = busy().await;
    let (alice, shell) = ((ALICE, "session"), ("-", "command_line"));
    assert_eq!(
        told(&trail.body),
        [
            row("space_created", shell.0, shell.1, "Data"),
            row("member_set", shell.0, shell.1, ALICE),
            row("connector_created", alice.0, alice.1, "connector"),
            row("connector_updated", alice.0, alice.1, "connector"),
            row("connector_updated", alice.0, alice.1, "renamed"),
            row("api_key_created", alice.0, alice.1, "ci"),
            row("member_set", ALICE, "api_key", "vera@example.com"),
            row("member_set", ALICE, "api_key", "vera@example.com"),
            row("secret_set", alice.0, alice.1, "grafana"),
            row("alert_resolved", alice.0, alice.1, "alert"),
            row("connector_deleted", alice.0, alice.1, "renamed"),
            row("member_removed", shell.0, shell.1, "vera@example.com"),
        ]
    );
}

#[tokio::test]
async fn the_trail_says_what_changed_and_from_where() {
    let Busy { world, trail, .. } = busy().await;
    let entry = |at: usize| trail.body["items"][11 - at].clone();
    assert_eq!(
        entry(3)["changes"],
        json!([{"field": "name", "before": "connector", "after": "renamed"}])
    );
    let masked = format!("{}/…", world.receiver);
    assert_eq!(
        entry(4)["changes"],
        json!([
            {"field": "webhook_url", "before": masked, "after": format!("{masked} (another)")},
            {"field": "severity_filter", "before": [], "after": ["high"]},
        ])
    );
    assert_eq!(
        entry(7)["changes"],
        json!([{"field": "role", "before": "viewer", "after": "editor"}])
    );
    assert_eq!(
        (&entry(7)["actor"]["name"], &entry(7)["actor"]["ip_address"]),
        (&json!("ci"), &json!("127.0.0.1"))
    );
    assert_eq!(
        entry(11)["changes"],
        json!([{"field": "role", "before": "editor", "after": null}])
    );
}

#[tokio::test]
async fn the_log_tells_it_too_and_neither_tells_a_secret() {
    let Busy {
        world,
        connector,
        key,
        trail,
    } = busy().await;
    let everything = trail.text + &world.server.log();

    for secret in ["verysecret", "anothersecret", "very long and secret", &key] {
        assert!(!everything.contains(secret), "{secret}");
    }
    let lines = world.server.log();
    let line = lines
        .lines()
        .find(|line| line.contains("connector_deleted"));
    let line: Value = serde_json::from_str(line.unwrap()).unwrap();
    let logged = [
        "target",
        "action",
        "actor",
        "auth_method",
        "ip_address",
        "space",
        "subject",
        "subject_id",
    ];
    assert_eq!(
        logged.map(|field| line[field].as_str().unwrap_or("-").to_owned()),
        [
            "audit",
            "connector_deleted",
            ALICE,
            "session",
            "127.0.0.1",
            "data",
            "renamed",
            &connector
        ]
    );
}

#[tokio::test]
async fn operators_read_who_signed_in_and_who_was_refused() {
    let world = World::start().await;
    let sign_in = async |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        let request = world
            .client
            .post(format!("{}/auth/token", world.server.base));
        answer(request.header("x-forwarded-for", "203.0.113.9").json(&body)).await
    };
    let add = ["user", "add", BOB, "--name", "Bob", "--password-stdin"];
    let mut add_bob = Command::new(PROGRAM);
    let added = fed(
        add_bob.args(world.place.with(&add)).env_clear(),
        "correct horse\n",
    );
    assert!(added.status.success());
    let good = sign_in(BOB, "correct horse").await;
    assert_eq!(good.status, 200, "{}", good.text);
    let token = format!("Bearer {}", good.body["access_token"].as_str().unwrap());
    assert_eq!(sign_in(BOB, "wrong").await.status, 401);
    assert_eq!(sign_in("nobody@example.com", "wrong").await.status, 401);
    let out = world
        .ask_as(&token, Method::POST, "/auth/logout", None)
        .await;
    assert_eq!(out.status, 204);
    let query = "action=signed_in&action=sign_in_failed&action=signed_out";
    let trail = world.get(&format!("/audit?{query}")).await;
    assert_eq!(trail.status, 200, "{}", trail.text);
    let told = told(&trail.body);
    assert_eq!(
        told[told.len() - 4..],
        [
            row("signed_in", BOB, "password", BOB),
            row("sign_in_failed", BOB, "password", BOB),
            row(
                "sign_in_failed",
                "nobody@example.com",
                "password",
                "nobody@example.com"
            ),
            row("signed_out", BOB, "session", BOB),
        ]
    );
    // No proxy is trusted, so what it says of the client is not believed.
    assert_eq!(trail.body["items"][0]["actor"]["ip_address"], "127.0.0.1");
    assert_eq!(trail.body["items"][0]["space"], Value::Null);
    let of_nobody = world.get("/audit?actor=Nobody@example.com&limit=1").await;
    assert_eq!(of_nobody.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(of_nobody.body["next_cursor"], Value::Null);
    let first = world.get("/audit?limit=1").await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = world.get(&format!("/audit?limit=1&cursor={cursor}")).await;
    assert!(second.body["items"][0]["id"].as_i64() < first.body["items"][0]["id"].as_i64());
    let wrong = world
        .get("/audit?action=stolen&actor=x&since=yesterday")
        .await;
    assert_eq!(wrong.status, 422);
    assert_eq!(
        wrong.body["errors"].as_array().unwrap().len(),
        3,
        "{}",
        wrong.text
    );
}

/// A flood of refused sign-ins leaves few entries, and they say how many there were.
#[tokio::test]
async fn a_flood_of_refused_sign_ins_does_not_fill_the_trail() {
    let world = World::start().await;
    for number in 0..15 {
        let body = json!({"email": format!("u{number}@example.com"), "password": "x"});
        let request = world
            .client
            .post(format!("{}/auth/token", world.server.base));
        assert_eq!(answer(request.json(&body)).await.status, 401);
    }
    let trail = world.get("/audit?action=sign_in_failed").await;
    assert_eq!(trail.body["items"].as_array().unwrap().len(), 10);
}
