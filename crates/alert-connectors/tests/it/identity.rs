//! Signing in, keys, spaces and members over HTTP.

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, PROGRAM, World, answer, fed};

fn set_password(world: &World, email: &str, password: &str) {
    let arguments = world
        .place
        .with(&["user", "password", email, "--password-stdin"]);
    let output = fed(Command::new(PROGRAM).args(arguments).env_clear(), password);
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn a_password_gives_a_session_that_ends_with_logout() {
    let world = World::start().await;
    set_password(&world, "alice@example.com", "correct horse\n");
    let wrong = world
        .ask_as(
            "",
            Method::POST,
            "/auth/token",
            Some(&json!({"email": "alice@example.com", "password": "wrong"})),
        )
        .await;
    let unknown = world
        .ask_as(
            "",
            Method::POST,
            "/auth/token",
            Some(&json!({"email": "x@example.com", "password": "wrong"})),
        )
        .await;
    assert_eq!((wrong.status.as_u16(), &wrong.body), (401, &unknown.body));
    let body = json!({"email": " Alice@Example.com", "password": "correct horse"});
    let session = world
        .ask_as("", Method::POST, "/auth/token", Some(&body))
        .await;
    assert_eq!(
        (session.status.as_u16(), &session.body["token_type"]),
        (200, &json!("bearer"))
    );
    let token = format!("bearer {}", session.body["access_token"].as_str().unwrap());
    let me = world.ask_as(&token, Method::GET, "/auth/me", None).await;
    assert_eq!(
        (&me.body["user"]["email"], &me.body["spaces"][0]["role"]),
        (&json!("alice@example.com"), &json!("admin"))
    );
    assert_eq!(
        world
            .ask_as(&token, Method::POST, "/auth/logout", None)
            .await
            .status,
        204
    );
    assert_eq!(
        world
            .ask_as(&token, Method::GET, "/auth/me", None)
            .await
            .status,
        401
    );
}

/// Sends a request as a browser does from one of the service's pages, unless `site` says otherwise.
async fn browse(
    world: &World,
    method: Method,
    path: &str,
    (site, cookie): (&str, &str),
    body: Option<&Value>,
) -> Answer {
    let url = format!("{}{path}", world.server.base);
    let mut request = world
        .client
        .request(method, url)
        .header("sec-fetch-site", site);
    if !cookie.is_empty() {
        request = request.header("cookie", cookie);
    }
    if let Some(body) = body {
        request = request
            .header("content-type", "application/json")
            .body(body.to_string());
    }
    answer(request).await
}

#[tokio::test]
async fn a_browser_is_signed_in_by_a_cookie_until_it_signs_out() {
    let world = World::start().await;
    set_password(&world, "alice@example.com", "correct horse\n");
    let own = ("same-origin", "");
    let good = json!({"email": "alice@example.com", "password": "correct horse"});
    let sign_in = async |way, body: &Value| {
        browse(&world, Method::POST, "/auth/session", way, Some(body)).await
    };
    let wrong = json!({"email": "alice@example.com", "password": "wrong"});
    assert_eq!(sign_in(own, &wrong).await.status, 401);
    assert_eq!(sign_in(("cross-site", ""), &good).await.status, 403);
    let session = sign_in(own, &good).await;
    assert_eq!((session.status.as_u16(), session.text.as_str()), (204, ""));
    let set = session.headers["set-cookie"].to_str().unwrap();
    let (cookie, rest) = set.split_once("; ").unwrap();
    assert_eq!(
        rest,
        "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"
    );
    let signed_in = ("same-origin", cookie);
    let me = browse(&world, Method::GET, "/auth/me", signed_in, None).await;
    assert_eq!(me.body["user"]["email"], "alice@example.com");
    let stolen = ("cross-site", cookie);
    let space = json!({"slug": "stolen", "name": "Stolen"});
    let refused = browse(&world, Method::POST, "/spaces", stolen, Some(&space)).await;
    assert_eq!(refused.status, 403);
    let out = browse(&world, Method::DELETE, "/auth/session", signed_in, None).await;
    assert_eq!(out.status, 204);
    let forgotten = out.headers["set-cookie"].to_str().unwrap();
    assert!(forgotten.starts_with("__Host-session=; Path=/; Max-Age=0;"));
    let after = browse(&world, Method::GET, "/auth/me", signed_in, None).await;
    assert_eq!(after.status, 401);
}

#[tokio::test]
async fn too_many_failed_sign_ins_are_refused_for_that_address_however_one_signs_in() {
    let world = World::start().await;
    let body = json!({"email": "alice@example.com", "password": "guess"});
    let attempt = async |path: &str| {
        let answer = world.ask_as("", Method::POST, path, Some(&body)).await;
        answer.status.as_u16()
    };
    for _ in 0..5 {
        assert_eq!(attempt("/auth/token").await, 401);
        assert_eq!(attempt("/auth/session").await, 401);
    }
    assert_eq!(attempt("/auth/token").await, 429);
    assert_eq!(attempt("/auth/session").await, 429);
}

#[tokio::test]
async fn too_many_failed_sign_ins_are_refused_for_that_address() {
    let world = World::start().await;
    let body = json!({"email": "nobody@example.com", "password": "guess"});
    for _ in 0..10 {
        assert_eq!(
            world
                .ask_as("", Method::POST, "/auth/token", Some(&body))
                .await
                .status,
            401
        );
    }
    let refused = world
        .ask_as("", Method::POST, "/auth/token", Some(&body))
        .await;
    assert_eq!(
        (
            refused.status.as_u16(),
            refused.headers.contains_key("retry-after")
        ),
        (429, true)
    );
    let other = json!({"email": "other@example.com", "password": "guess"});
    assert_eq!(
        world
            .ask_as("", Method::POST, "/auth/token", Some(&other))
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_key_acts_as_its_user_within_its_limits_and_makes_no_keys() {
    let world = World::start().await;
    world.command(&["space", "add", "other", "--name", "Other"]);
    let made = world
        .post(
            "/api-keys",
            &json!({"name": "ci", "space": "data", "expires_at": "2999-01-01T00:00:00Z"}),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let key = format!("Bearer {}", made.body["key"].as_str().unwrap());
    let status = async |method: Method, path: &str, body: Option<Value>| {
        let answer = world.ask_as(&key, method, path, body.as_ref()).await;
        answer.status.as_u16()
    };
    for (path, expected) in [("/spaces/data/alerts", 200), ("/spaces/other/alerts", 403)] {
        assert_eq!(status(Method::GET, path, None).await, expected, "{path}");
    }
    for (path, body) in [
        ("/api-keys", json!({"name": "x"})),
        ("/spaces", json!({"slug": "x", "name": "X"})),
    ] {
        assert_eq!(status(Method::POST, path, Some(body)).await, 403, "{path}");
    }
    let spaces = world.ask_as(&key, Method::GET, "/spaces", None).await.body;
    assert_eq!(spaces["items"].as_array().unwrap().len(), 1);
    let listed = world.get("/api-keys").await.body;
    assert_eq!(
        (&listed["items"][0]["name"], listed["items"][0].get("key")),
        (&json!("ci"), None)
    );
    assert!(listed["items"][0]["last_used_at"].is_string());
    let faults = world
        .post(
            "/api-keys",
            &json!({"scope": "x", "space": 1, "expires_at": "2000-01-01T00:00:00Z", "nmae": 1}),
        )
        .await;
    assert_eq!((faults.status.as_u16(), faults.faults().len()), (422, 5));
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(
        world
            .ask(Method::DELETE, &format!("/api-keys/{id}"), None)
            .await
            .status,
        204
    );
    assert_eq!(status(Method::GET, "/spaces", None).await, 401);
}

#[tokio::test]
async fn spaces_and_members_are_managed_over_http() {
    let world = World::start().await;
    let made = world
        .post("/spaces", &json!({"slug": "new-one", "name": "New"}))
        .await;
    assert_eq!(
        (made.status.as_u16(), &made.body["role"]),
        (201, &json!("admin"))
    );
    assert_eq!(
        world
            .post("/spaces", &json!({"slug": "new-one", "name": "New"}))
            .await
            .status,
        409
    );
    assert_eq!(
        world
            .post("/spaces", &json!({"slug": "New One", "name": ""}))
            .await
            .faults()
            .len(),
        2
    );
    world.command(&["user", "add", "bob@example.com", "--name", "Bob"]);
    let member = "/spaces/new-one/members/BOB@example.com";
    let set = async |role: &str| {
        world
            .ask(Method::PUT, member, Some(&json!({"role": role})))
            .await
    };
    assert_eq!(set("viewer").await.status, 201);
    assert_eq!(set("editor").await.status, 200);
    assert_eq!(set("owner").await.status, 422);
    let unknown = world
        .ask(
            Method::PUT,
            "/spaces/new-one/members/nobody@example.com",
            Some(&json!({"role": "viewer"})),
        )
        .await;
    assert_eq!(unknown.status, 201);
    assert!(unknown.body["invitation"]["token"].is_string());
    let alice = "/spaces/new-one/members/alice@example.com";
    assert_eq!(world.ask(Method::DELETE, alice, None).await.status, 409);
    let listed = world.get("/spaces/new-one/members?limit=1").await.body;
    assert_eq!(listed["items"][0]["user"]["email"], "alice@example.com");
    assert!(listed["next_cursor"].is_string());
    assert_eq!(world.ask(Method::DELETE, member, None).await.status, 204);
    assert_eq!(world.ask(Method::DELETE, member, None).await.status, 404);
    let bob = format!(
        "Bearer {}",
        world.command(&["token", "issue", "bob@example.com"])
    );
    assert_eq!(
        world
            .ask_as(
                &bob,
                Method::POST,
                "/spaces",
                Some(&json!({"slug": "b", "name": "B"}))
            )
            .await
            .status,
        403
    );
}
