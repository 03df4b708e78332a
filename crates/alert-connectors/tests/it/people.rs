//! People over HTTP: users, invitations, passwords, spaces and what is erased.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{Answer, World, answer};

const CAROL: &str = "carol@example.com";

async fn public(world: &World, path: &str, body: &Value) -> Answer {
    let request = world.client.post(format!("{}{path}", world.server.base));
    answer(request.json(body)).await
}

async fn accept(world: &World, token: &Value, password: &str) -> Answer {
    let body = json!({"token": token, "password": password});
    public(world, "/auth/invitation", &body).await
}

async fn sign_in(world: &World, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    public(world, "/auth/token", &body).await
}

fn bearer(signed_in: &Answer) -> String {
    format!(
        "Bearer {}",
        signed_in.body["access_token"].as_str().unwrap()
    )
}

#[tokio::test]
async fn an_operator_makes_a_user_who_sets_a_password_by_the_invitation() {
    let world =
        World::start_with(&[("ALERT_CONNECTORS_PUBLIC_URL", "https://alerts.example.com")]).await;
    let new = json!({"email": "Carol@Example.com", "full_name": "Carol"});
    let made = world.post("/users", &new).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let user = &made.body["user"];
    assert_eq!(
        (&user["email"], &user["has_password"]),
        (&json!(CAROL), &json!(false))
    );
    let token = made.body["invitation"]["token"].clone();
    let page = format!(
        "https://alerts.example.com/console/invitation#{}",
        token.as_str().unwrap()
    );
    assert_eq!(made.body["invitation"]["url"], page);
    assert_eq!(world.post("/users", &new).await.status, 409);

    let short = accept(&world, &token, "short").await;
    assert_eq!(
        (short.status, &short.body["errors"][0]["loc"][1]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("password"))
    );
    assert_eq!(
        accept(&world, &json!("acinvite_0"), "long enough")
            .await
            .status,
        404
    );
    assert_eq!(accept(&world, &token, "long enough").await.status, 204);
    assert_eq!(accept(&world, &token, "long enough").await.status, 404);
    let signed_in = sign_in(&world, CAROL, "long enough").await;
    assert_eq!(signed_in.status, 200);
    let own = bearer(&signed_in);

    // Another invitation leaves the password good until it is used.
    let again = world
        .post("/users/carol@example.com/invitation", &json!({}))
        .await;
    assert_eq!(again.status, 201, "{}", again.text);
    assert_eq!(
        world
            .ask_as(&own, Method::GET, "/auth/me", None)
            .await
            .status,
        200
    );
    assert_eq!(
        accept(&world, &again.body["token"], "quite another")
            .await
            .status,
        204
    );
    assert_eq!(
        world
            .ask_as(&own, Method::GET, "/auth/me", None)
            .await
            .status,
        401
    );
    assert_eq!(sign_in(&world, CAROL, "long enough").await.status, 401);
    assert_eq!(sign_in(&world, CAROL, "quite another").await.status, 200);
    let listed = world.get("/users").await;
    let names = listed.body["items"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|user| user["email"].clone()).collect();
    assert_eq!(names, [json!("alice@example.com"), json!(CAROL)]);
    let logged = world.server.log();
    assert!(!logged.contains("acinvite_") && !logged.contains("quite another"));
}

#[tokio::test]
async fn an_admin_invites_someone_who_is_no_user_yet() {
    let world = World::start().await;
    let member = "/spaces/data/members/carol@example.com";
    let body = json!({"role": "editor", "full_name": "Carol Diaz"});
    let invited = world.ask(Method::PUT, member, Some(&body)).await;
    assert_eq!(invited.status, 201, "{}", invited.text);
    assert_eq!(invited.body["user"]["full_name"], "Carol Diaz");
    let token = &invited.body["invitation"]["token"];
    assert_eq!(invited.body["invitation"]["url"], Value::Null);
    assert_eq!(accept(&world, token, "long enough").await.status, 204);
    let own = bearer(&sign_in(&world, CAROL, "long enough").await);
    let me = world.ask_as(&own, Method::GET, "/auth/me", None).await;
    assert_eq!(me.body["spaces"][0]["role"], "editor");
    // A user who is there already gets no invitation: an admin of a space can't take an account over.
    for status in [StatusCode::OK, StatusCode::OK] {
        let again = world
            .ask(Method::PUT, member, Some(&json!({"role": "viewer"})))
            .await;
        assert_eq!((again.status, again.body.get("invitation")), (status, None));
    }
    let viewer = json!({"role": "viewer"});
    let dan = "/spaces/data/members/dan@example.com";
    let plain = world.ask(Method::PUT, dan, Some(&viewer)).await;
    assert_eq!(plain.body["user"]["full_name"], "dan");
}

/// With an invitation, a key would become a session, and its holder another user.
#[tokio::test]
async fn a_key_makes_no_user_and_no_invitation() {
    let world = World::start().await;
    let key = world.post("/api-keys", &json!({"name": "k"})).await;
    let by_key = format!("Bearer {}", key.body["key"].as_str().unwrap());
    let new = json!({"email": CAROL, "full_name": "Carol", "is_operator": true});
    for (method, path, body) in [
        (Method::POST, "/users", &new),
        (
            Method::POST,
            "/users/alice@example.com/invitation",
            &json!({}),
        ),
        (
            Method::PATCH,
            "/users/alice@example.com",
            &json!({"is_disabled": true}),
        ),
        (Method::DELETE, "/users/alice@example.com", &json!({})),
        (
            Method::PUT,
            "/spaces/data/members/carol@example.com",
            &json!({"role": "admin"}),
        ),
    ] {
        let refused = world.ask_as(&by_key, method, path, Some(body)).await;
        assert_eq!(refused.status, 403, "{path}: {}", refused.text);
    }
    assert_eq!(
        world.get("/users").await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_user_is_locked_out_let_in_and_removed() {
    let world = World::start().await;
    let member = "/spaces/data/members/carol@example.com";
    let invited = world
        .ask(Method::PUT, member, Some(&json!({"role": "admin"})))
        .await;
    accept(&world, &invited.body["invitation"]["token"], "long enough").await;
    let own = bearer(&sign_in(&world, CAROL, "long enough").await);
    let connector = json!({"name": "hers", "connector_type": "slack", "webhook_url": format!("{}/services/x", world.receiver)});
    let made = world
        .ask_as(
            &own,
            Method::POST,
            "/spaces/data/alert-connectors",
            Some(&connector),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let user = "/users/carol@example.com";
    let lock = |flag: bool| json!({"is_disabled": flag});
    let locked = world.ask(Method::PATCH, user, Some(&lock(true))).await;
    assert_eq!(locked.body["is_disabled"], true);
    assert_eq!(
        world
            .ask_as(&own, Method::GET, "/auth/me", None)
            .await
            .status,
        401
    );
    assert_eq!(sign_in(&world, CAROL, "long enough").await.status, 401);
    let refused = world
        .post("/users/carol@example.com/invitation", &json!({}))
        .await;
    assert_eq!(refused.status, 404);
    assert_eq!(
        world
            .ask(Method::PATCH, user, Some(&lock(false)))
            .await
            .status,
        200
    );
    assert_eq!(sign_in(&world, CAROL, "long enough").await.status, 200);
    for (method, body) in [(Method::PATCH, Some(lock(true))), (Method::DELETE, None)] {
        let oneself = world
            .ask(method, "/users/alice@example.com", body.as_ref())
            .await;
        assert_eq!(oneself.status, 409, "{}", oneself.text);
    }
    let alice = "/spaces/data/members/alice@example.com";
    assert_eq!(world.ask(Method::DELETE, alice, None).await.status, 204);
    let alone = world.ask(Method::DELETE, user, None).await;
    assert_eq!(alone.status, 409);
    assert!(alone.text.contains("data"), "{}", alone.text);
    let back = world
        .ask(Method::PUT, alice, Some(&json!({"role": "admin"})))
        .await;
    assert_eq!(back.status, 201);
    assert_eq!(world.ask(Method::DELETE, user, None).await.status, 204);
    assert_eq!(world.ask(Method::DELETE, user, None).await.status, 404);
    let connectors = world.get("/spaces/data/alert-connectors").await.body;
    assert_eq!(connectors[0]["created_by"]["email"], CAROL);
}

#[tokio::test]
async fn everybody_changes_their_own_password() {
    let world = World::start().await;
    let made = world
        .post("/users", &json!({"email": CAROL, "full_name": "Carol"}))
        .await;
    accept(&world, &made.body["invitation"]["token"], "long enough").await;
    let own = bearer(&sign_in(&world, CAROL, "long enough").await);
    let key = world
        .ask_as(&own, Method::POST, "/api-keys", Some(&json!({"name": "k"})))
        .await;
    let by_key = format!("Bearer {}", key.body["key"].as_str().unwrap());
    let change = async |who: &str, current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        world
            .ask_as(who, Method::PUT, "/auth/password", Some(&body))
            .await
    };
    assert_eq!(
        change(&by_key, "long enough", "another word").await.status,
        403
    );
    let wrong = change(&own, "wrong", "another word").await;
    assert_eq!(
        (wrong.status, &wrong.body["errors"][0]["loc"][1]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("current_password"))
    );
    assert_eq!(change(&own, "long enough", "short").await.status, 422);
    assert_eq!(
        change(&own, "long enough", "another word").await.status,
        204
    );
    assert_eq!(
        world
            .ask_as(&own, Method::GET, "/auth/me", None)
            .await
            .status,
        401
    );
    assert_eq!(
        world
            .ask_as(&by_key, Method::GET, "/auth/me", None)
            .await
            .status,
        200
    );
    assert_eq!(sign_in(&world, CAROL, "another word").await.status, 200);
    // Guessing the password of a session that was left open is limited as a sign-in is.
    let own = bearer(&sign_in(&world, CAROL, "another word").await);
    let mut last = StatusCode::OK;
    for _ in 0..11 {
        last = change(&own, "guess", "another word").await.status;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn an_operator_renames_and_removes_a_space() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let renamed = world
        .ask(
            Method::PATCH,
            "/spaces/data",
            Some(&json!({"name": "Warehouse"})),
        )
        .await;
    assert_eq!(
        (renamed.status, &renamed.body["name"]),
        (StatusCode::OK, &json!("Warehouse"))
    );
    assert_eq!(
        world.get("/spaces").await.body["items"][0]["name"],
        "Warehouse"
    );
    assert_eq!(
        world.ask(Method::DELETE, "/spaces/data", None).await.status,
        204
    );
    assert_eq!(world.get("/spaces/data/alerts").await.status, 404);
    let trail = world.get("/audit?limit=2").await.body;
    let actions: Vec<_> = trail["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["action"].clone())
        .collect();
    assert_eq!(actions, [json!("space_removed"), json!("space_renamed")]);
}

#[tokio::test]
async fn an_alert_or_a_whole_problem_is_erased() {
    let world = World::start().await;
    world.connect("/services/a").await;
    let post = async |key: Option<&str>| {
        let alert = json!({"alert_type": "t", "title": "about a person", "severity": "high", "dedup_key": key});
        let posted = world.post("/spaces/data/alerts", &alert).await.body;
        posted["id"].as_str().unwrap().to_owned()
    };
    let (one, stays) = (post(None).await, post(None).await);
    world.arrived(2).await;
    let path = format!("/spaces/data/alerts/{one}");
    assert_eq!(world.ask(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(world.ask(Method::DELETE, &path, None).await.status, 404);
    assert_eq!(world.get(&path).await.status, 404);
    let key = "person & key";
    for _ in 0..2 {
        let id = post(Some(key)).await;
        let resolve = format!("/spaces/data/alerts/{id}/resolve");
        assert_eq!(world.ask(Method::PATCH, &resolve, None).await.status, 200);
    }
    let all = "/spaces/data/alerts?dedup_key=person+%26+key";
    let erased = world.ask(Method::DELETE, all, None).await;
    assert_eq!(
        (erased.status, &erased.body["count"]),
        (StatusCode::OK, &json!(2))
    );
    assert_eq!(world.ask(Method::DELETE, all, None).await.body["count"], 0);
    let listed = world.get("/spaces/data/alerts").await.body;
    assert_eq!(
        (
            listed["items"].as_array().unwrap().len(),
            &listed["items"][0]["id"]
        ),
        (1, &json!(stays))
    );
    let two = "/spaces/data/alerts?dedup_key=a&dedup_key=b";
    for wrong in ["/spaces/data/alerts", "/spaces/data/alerts?key=k", two] {
        assert_eq!(
            world.ask(Method::DELETE, wrong, None).await.status,
            422,
            "{wrong}"
        );
    }
}
