//! Every route with every wrong identity, from the list of routes itself: a new route without its row fails here.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, answer};

/// What a route needs: `public`, `session` for any signed-in user, `operator`, or a role in the space.
fn needs() -> BTreeMap<(&'static str, &'static str), &'static str> {
    BTreeMap::from([
        (("get", "/health/live"), "public"),
        (("get", "/health/ready"), "public"),
        (("get", "/openapi.json"), "public"),
        (("get", "/docs"), "public"),
        (("get", "/metrics"), "public"),
        (("get", "/auth/methods"), "public"),
        (("get", "/auth/oidc/start"), "public"),
        (("get", "/auth/oidc/callback"), "public"),
        (("post", "/auth/token"), "public"),
        (("post", "/auth/logout"), "session"),
        (("post", "/auth/session"), "public"),
        (("delete", "/auth/session"), "session"),
        (("get", "/auth/me"), "session"),
        (("get", "/api-keys"), "session"),
        (("post", "/api-keys"), "session"),
        (("delete", "/api-keys/{id}"), "session"),
        (("get", "/spaces"), "session"),
        (("post", "/spaces"), "session"),
        (("get", "/audit"), "operator"),
        (("get", "/connectors"), "operator"),
        (("get", "/users"), "operator"),
        (("post", "/users"), "operator"),
        (("patch", "/users/{email}"), "operator"),
        (("delete", "/users/{email}"), "operator"),
        (("post", "/users/{email}/invitation"), "operator"),
        (("patch", "/spaces/{slug}"), "operator"),
        (("delete", "/spaces/{slug}"), "operator"),
        (("post", "/auth/invitation"), "public"),
        (("put", "/auth/password"), "session"),
    ])
}

/// The same of the routes of a space.
fn needs_in_a_space() -> BTreeMap<(&'static str, &'static str), &'static str> {
    BTreeMap::from([
        (("get", "/spaces/{slug}/members"), "viewer"),
        (("put", "/spaces/{slug}/members/{email}"), "admin"),
        (("delete", "/spaces/{slug}/members/{email}"), "admin"),
        (("get", "/spaces/{slug}/alert-connectors"), "viewer"),
        (("post", "/spaces/{slug}/alert-connectors"), "editor"),
        (("get", "/spaces/{slug}/alert-connectors/health"), "viewer"),
        (("post", "/spaces/{slug}/alert-connectors/test"), "editor"),
        (("get", "/spaces/{slug}/alert-connectors/{id}"), "viewer"),
        (("patch", "/spaces/{slug}/alert-connectors/{id}"), "editor"),
        (("delete", "/spaces/{slug}/alert-connectors/{id}"), "editor"),
        (
            ("post", "/spaces/{slug}/alert-connectors/{id}/test"),
            "editor",
        ),
        (
            ("get", "/spaces/{slug}/alert-connectors/{id}/health"),
            "viewer",
        ),
        (
            ("get", "/spaces/{slug}/alert-connectors/{id}/deliveries"),
            "viewer",
        ),
        (
            ("post", "/spaces/{slug}/alert-connectors/{id}/replay"),
            "editor",
        ),
        (("get", "/spaces/{slug}/deliveries"), "viewer"),
        (("get", "/spaces/{slug}/pauses"), "viewer"),
        // Who may post by which key is a test of its own.
        (("post", "/hooks/{key}"), "public"),
        (("get", "/spaces/{slug}/events"), "viewer"),
        (("get", "/spaces/{slug}/audit"), "admin"),
        (("delete", "/spaces/{slug}/alerts"), "admin"),
        (("delete", "/spaces/{slug}/alerts/{id}"), "admin"),
        (("get", "/spaces/{slug}/deliveries/{id}"), "viewer"),
        (("get", "/spaces/{slug}/deliveries/{id}/message"), "viewer"),
        (("post", "/spaces/{slug}/deliveries/{id}/retry"), "editor"),
        (("get", "/spaces/{slug}/alerts"), "viewer"),
        (("post", "/spaces/{slug}/alerts"), "send"),
        (("post", "/spaces/{slug}/alerts/batch"), "send"),
        (("post", "/spaces/{slug}/alerts/preview"), "preview"),
        (("post", "/spaces/{slug}/ingest/{source}"), "send"),
        (
            ("post", "/spaces/{slug}/ingest/{source}/preview"),
            "preview",
        ),
        (("get", "/spaces/{slug}/ingest/{source}/mapping"), "viewer"),
        (("put", "/spaces/{slug}/ingest/{source}/mapping"), "editor"),
        (
            ("delete", "/spaces/{slug}/ingest/{source}/mapping"),
            "editor",
        ),
        (("put", "/spaces/{slug}/ingest/{source}/secret"), "editor"),
        (
            ("delete", "/spaces/{slug}/ingest/{source}/secret"),
            "editor",
        ),
        (("get", "/spaces/{slug}/alerts/summary"), "viewer"),
        (("get", "/spaces/{slug}/usage"), "viewer"),
        (("get", "/spaces/{slug}/alerts/{id}"), "viewer"),
        (("patch", "/spaces/{slug}/alerts/{id}/resolve"), "editor"),
    ])
}

struct Callers {
    expired: String,
    revoked: String,
    disabled: String,
    viewer: String,
    stranger: String,
    send_key: String,
    other_space_key: String,
    revoked_key: String,
}

/// Vera reads `data`, Stan manages `other`, and Dora manages `data`.
fn add_people(world: &World) {
    for name in ["vera", "stan", "dora"] {
        world.command(&[
            "user",
            "add",
            &format!("{name}@example.com"),
            "--name",
            name,
        ]);
    }
    world.command(&["space", "add", "other", "--name", "Other"]);
    for (space, email, role) in [
        ("data", "vera@example.com", "viewer"),
        ("other", "stan@example.com", "admin"),
        ("data", "dora@example.com", "admin"),
    ] {
        world.command(&["member", "set", space, email, "--role", role]);
    }
}

async fn callers(world: &World) -> Callers {
    add_people(world);
    let token = |email: &str| format!("Bearer {}", world.command(&["token", "issue", email]));
    let disabled = token("dora@example.com");
    world.command(&["user", "disable", "dora@example.com"]);
    let revoked = token("vera@example.com");
    assert_eq!(
        world
            .ask_as(&revoked, Method::POST, "/auth/logout", None)
            .await
            .status,
        204
    );
    let expired = token("vera@example.com");
    let key = async |body: Value| {
        let made = world.post("/api-keys", &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        (
            format!("Bearer {}", made.body["key"].as_str().unwrap()),
            made.body["id"].as_str().unwrap().to_owned(),
        )
    };
    let send_key = key(json!({"name": "send", "scope": "send"})).await.0;
    let other_space_key = key(json!({"name": "other", "space": "other"})).await.0;
    let (revoked_key, id) = key(json!({"name": "revoked"})).await;
    assert_eq!(
        world
            .ask(Method::DELETE, &format!("/api-keys/{id}"), None)
            .await
            .status,
        204
    );
    // A token that ended an hour ago, as only the database can have one.
    let connection = rusqlite::Connection::open(world.path("test.db")).unwrap();
    let ended = connection.execute(
        "UPDATE tokens SET expires_at = 1 WHERE user_no = (SELECT no FROM users WHERE email = 'vera@example.com')",
        [],
    );
    assert_eq!(ended.unwrap(), 1);
    Callers {
        expired,
        revoked,
        disabled,
        viewer: token("vera@example.com"),
        stranger: token("stan@example.com"),
        send_key,
        other_space_key,
        revoked_key,
    }
}

#[tokio::test]
async fn every_route_refuses_every_wrong_identity() {
    let world = World::start().await;
    let connector = world.connect("/services/a").await;
    let callers = callers(&world).await;
    let document = world.get("/openapi.json").await.body;
    let mut needs = needs();
    needs.append(&mut needs_in_a_space());
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "parameters")
        {
            let need = needs.remove(&(method.as_str(), path.as_str()));
            let need =
                need.unwrap_or_else(|| unreachable!("{method} {path} has no row in this test"));
            check(&world, &callers, &connector, method, path, need).await;
        }
    }
    assert!(
        needs.is_empty(),
        "routes of this test that the document lacks: {needs:?}"
    );
    assert_eq!(
        world
            .get("/spaces/data/alert-connectors")
            .await
            .body
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        world.get("/spaces/data/alerts").await.body["items"],
        json!([])
    );
}

async fn check(
    world: &World,
    callers: &Callers,
    connector: &str,
    method: &str,
    path: &str,
    need: &str,
) {
    let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
    let status = async |authorization: &str, path: String| {
        world
            .ask_as(authorization, verb.clone(), &path, Some(&json!({})))
            .await
            .status
            .as_u16()
    };
    let here = || filled(path, "data", connector);
    if need == "public" {
        return assert_ne!(status("", here()).await, 401, "{method} {path}");
    }
    refuses_whoever_is_not_signed_in(world, callers, &verb, &here()).await;
    refuses_the_cookie_of_another_origin(world, callers, &verb, &here()).await;
    let sends = if matches!(need, "send" | "preview") {
        422
    } else {
        403
    };
    assert_eq!(
        status(&callers.send_key, here()).await,
        sends,
        "{method} {path} by a key that may only send"
    );
    match need {
        "session" => return,
        "operator" => return refuses_who_is_no_operator(world, callers, &verb, &here()).await,
        _ => {}
    }
    for (who, authorization, slug, expected) in [
        ("a member of another space", &callers.stranger, "data", 403),
        (
            "a key of another space",
            &callers.other_space_key,
            "data",
            403,
        ),
        (
            "anyone in an unknown space",
            &callers.stranger,
            "nowhere",
            404,
        ),
    ] {
        assert_eq!(
            status(authorization, filled(path, slug, connector)).await,
            expected,
            "{method} {path} by {who}"
        );
    }
    let as_viewer = status(&callers.viewer, here()).await;
    assert_eq!(
        as_viewer == 403,
        !matches!(need, "viewer" | "preview"),
        "{method} {path} by a viewer: {as_viewer}"
    );
    finds_nothing_elsewhere(world, connector, &verb, path).await;
}

/// What is of another space, or nowhere, is not found by its id.
async fn finds_nothing_elsewhere(world: &World, connector: &str, method: &Method, path: &str) {
    let others = [
        ("data", "0197c2a0-0000-7000-8000-000000000001"),
        ("data", "nonsense"),
        ("other", connector),
    ];
    for (slug, id) in others.iter().filter(|_| path.contains("{id}")) {
        let filled = filled(path, slug, id);
        let found = world.ask(method.clone(), &filled, Some(&json!({}))).await;
        assert_eq!(found.status, 404, "{method} {path} with {slug} and {id}");
    }
}

/// A route's path with its parameters.
fn filled(path: &str, slug: &str, id: &str) -> String {
    path.replace("{slug}", slug)
        .replace("{id}", id)
        .replace("{email}", "vera@example.com")
        .replace("{source}", "grafana")
}

async fn refuses_who_is_no_operator(world: &World, callers: &Callers, method: &Method, path: &str) {
    for (who, authorization) in [
        ("a viewer", &callers.viewer),
        ("an admin of a space", &callers.stranger),
        ("an operator's key for one space", &callers.other_space_key),
    ] {
        let answer = world
            .ask_as(authorization, method.clone(), path, Some(&json!({})))
            .await;
        assert_eq!(answer.status, 403, "{method} {path} by {who}");
    }
}

async fn refuses_whoever_is_not_signed_in(
    world: &World,
    callers: &Callers,
    method: &Method,
    path: &str,
) {
    let basic = format!("Basic {}", world.token);
    for (who, authorization) in [
        ("nobody", ""),
        ("a malformed header", "Bearer"),
        ("another scheme", basic.as_str()),
        ("an unknown token", "Bearer acs_0000"),
        ("an expired token", &callers.expired),
        ("a revoked token", &callers.revoked),
        ("a disabled user", &callers.disabled),
        ("a revoked key", &callers.revoked_key),
    ] {
        let answer = world
            .ask_as(authorization, method.clone(), path, Some(&json!({})))
            .await;
        assert_eq!(answer.status, 401, "{method} {path} by {who}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
}

/// A viewer's cookie opens nothing for another site, and for the own pages as much as the viewer's header does.
async fn refuses_the_cookie_of_another_origin(
    world: &World,
    callers: &Callers,
    method: &Method,
    path: &str,
) {
    let token = callers.viewer.strip_prefix("Bearer ").unwrap();
    let status = async |headers: &[(&str, &str)]| {
        let request = world
            .client
            .request(method.clone(), format!("{}{path}", world.server.base));
        let request = request
            .header("content-type", "application/json")
            .header("cookie", format!("__Host-session={token}"))
            .body("{}");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        answer(request).await.status.as_u16()
    };
    for foreign in [
        &[][..],
        &[("sec-fetch-site", "cross-site")],
        &[
            ("sec-fetch-site", "same-site"),
            ("origin", world.server.base.as_str()),
        ],
        &[("origin", "https://evil.example.com")],
    ] {
        assert_eq!(
            status(foreign).await,
            403,
            "{method} {path} with {foreign:?}"
        );
    }
    let unknown = [
        ("sec-fetch-site", "same-origin"),
        ("authorization", "Bearer acs_0000"),
    ];
    assert_eq!(
        status(&unknown).await,
        401,
        "{method} {path}: the header wins"
    );
    if ends_the_session(path) {
        return;
    }
    let by_header = world
        .ask_as(&callers.viewer, method.clone(), path, Some(&json!({})))
        .await;
    for own in [
        ("sec-fetch-site", "same-origin"),
        ("origin", world.server.base.as_str()),
    ] {
        assert_eq!(
            status(&[own]).await,
            by_header.status.as_u16(),
            "{method} {path} with {own:?}"
        );
    }
}

fn ends_the_session(path: &str) -> bool {
    ["/auth/logout", "/auth/session"].contains(&path)
}

#[tokio::test]
async fn what_changes_outside_holds_for_the_next_request() {
    let world = World::start().await;
    world.connect("/services/a").await;
    world.command(&["user", "add", "eddy@example.com", "--name", "Eddy"]);
    let eddy = format!(
        "Bearer {}",
        world.command(&["token", "issue", "eddy@example.com"])
    );
    let alert = json!({"alert_type": "a", "title": "t", "severity": "high"});
    let post = async || {
        world
            .ask_as(&eddy, Method::POST, "/spaces/data/alerts", Some(&alert))
            .await
            .status
            .as_u16()
    };
    let role =
        |role: &str| world.command(&["member", "set", "data", "eddy@example.com", "--role", role]);
    for _ in 0..3 {
        assert_eq!(post().await, 403);
        role("editor");
        assert_eq!(post().await, 202);
        role("viewer");
        assert_eq!(post().await, 403);
        world.command(&["member", "remove", "data", "eddy@example.com"]);
    }
    role("editor");
    assert_eq!(post().await, 202);
    world.command(&["user", "disable", "eddy@example.com"]);
    assert_eq!(post().await, 401);
    world.command(&["space", "remove", "data", "--yes"]);
    assert_eq!(world.post("/spaces/data/alerts", &alert).await.status, 404);
}
