//! Who loses access while a body is on its way changes nothing with it: every route that takes a body and changes something,
//! from the list of routes itself.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::world::World;

/// How access is lost, and how the change is refused then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// No member of the space any more.
    Membership,
    /// Locked out.
    Account,
    /// Signed out.
    Session,
}

/// A body that a route would take. Without one the route changes nothing.
fn body_of(path: &str) -> Option<Value> {
    let connector = json!({"name": "late", "connector_type": "slack", "webhook_url": "https://hooks.example.com/x"});
    let alert = json!({"alert_type": "t", "title": "late", "severity": "high"});
    Some(match path {
        "/spaces" => json!({"slug": "late", "name": "Late"}),
        "/users" => json!({"email": "late@example.com", "full_name": "Late"}),
        "/users/{email}" => json!({"is_disabled": true}),
        "/spaces/{slug}" => json!({"name": "Late"}),
        "/auth/password" => json!({"current_password": "x", "new_password": "long enough"}),
        "/spaces/{slug}/members/{email}" => json!({"role": "admin"}),
        "/spaces/{slug}/alert-connectors" => connector,
        "/spaces/{slug}/alert-connectors/test" => {
            json!({"connector_type": "slack", "webhook_url": "https://hooks.example.com/x"})
        }
        "/api-keys" | "/spaces/{slug}/alert-connectors/{id}" => json!({"name": "late"}),
        "/spaces/{slug}/alert-connectors/{id}/replay" => json!({"since": "2020-01-01T00:00:00Z"}),
        "/spaces/{slug}/alerts" => alert,
        "/spaces/{slug}/alerts/batch" => json!([alert]),
        "/spaces/{slug}/ingest/{source}" => {
            json!({"alerts": [{"status": "firing", "fingerprint": "f"}]})
        }
        "/spaces/{slug}/ingest/{source}/mapping" => json!({"rules": []}),
        "/spaces/{slug}/ingest/{source}/secret" => json!({"secret": "late"}),
        _ => return None,
    })
}

/// The routes that take a body and change something, with the body.
async fn routes(world: &World) -> Vec<(String, String, Value)> {
    let document = world.get("/openapi.json").await.body;
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            // A preview changes nothing, and a sign-in happens before there is any access to lose.
            let free = [
                "/spaces/{slug}/alerts/preview",
                "/spaces/{slug}/ingest/{source}/preview",
                "/auth/token",
                "/auth/session",
                "/auth/invitation",
                "/hooks/{key}",
            ];
            let is_free = free.contains(&path.as_str());
            if operation.get("requestBody").is_some() && !is_free {
                let body = body_of(path);
                let body = body
                    .unwrap_or_else(|| unreachable!("{method} {path} has no body in this test"));
                routes.push((method.to_uppercase(), path.clone(), body));
            }
        }
    }
    assert!(routes.len() >= 8, "{routes:?}");
    routes
}

/// A new admin of the space, who is an operator, too, where `path` is for operators. Returns a token.
fn newcomer(world: &World, email: &str, path: &str) -> String {
    let mut add = vec!["user", "add", email, "--name", "Newcomer"];
    if ["/spaces", "/users", "/users/{email}", "/spaces/{slug}"].contains(&path) {
        add.push("--operator");
    }
    world.command(&add);
    world.command(&["member", "set", "data", email, "--role", "admin"]);
    world.command(&["token", "issue", email])
}

/// Begins a request, and returns once the service has let the caller in and wants the body.
async fn begin(world: &World, method: &str, path: &str, token: &str, length: usize) -> TcpStream {
    let address = world.server.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut wanted = [0; 25];
    stream.read_exact(&mut wanted).await.unwrap();
    assert_eq!(&wanted, b"HTTP/1.1 100 Continue\r\n\r\n", "{method} {path}");
    stream
}

#[tokio::test]
async fn who_loses_access_while_a_body_is_on_its_way_changes_nothing_with_it() {
    let world = World::start().await;
    let connector = world.connect("/services/a").await;
    let mut number = 0;
    for (method, path, body) in routes(&world).await {
        for lost in [Lost::Membership, Lost::Account, Lost::Session] {
            // An operator is admin of every space without being its member.
            let by_membership = path.starts_with("/spaces/{slug}/");
            if lost == Lost::Membership && !by_membership {
                continue;
            }
            number += 1;
            let email = format!("newcomer{number}@example.com");
            let token = newcomer(&world, &email, &path);
            let filled = path
                .replace("{slug}", "data")
                .replace("{id}", &connector)
                .replace(
                    "{email}",
                    if path.starts_with("/users") {
                        "alice@example.com"
                    } else {
                        &email
                    },
                )
                .replace("{source}", "grafana");
            let text = body.to_string();
            let mut stream = begin(&world, &method, &filled, &token, text.len()).await;
            match lost {
                Lost::Membership => {
                    world.command(&["member", "remove", "data", &email]);
                }
                Lost::Account => {
                    world.command(&["user", "disable", &email]);
                }
                Lost::Session => {
                    let bearer = format!("Bearer {token}");
                    let out = world.ask_as(&bearer, reqwest::Method::POST, "/auth/logout", None);
                    assert_eq!(out.await.status, 204);
                }
            }
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let expected = if lost == Lost::Membership {
                "403"
            } else {
                "401"
            };
            let status = answer.split(' ').nth(1);
            assert_eq!(status, Some(expected), "{method} {path} {lost:?}: {answer}");
        }
    }
    // Nothing came of any of them.
    let connectors = world.get("/spaces/data/alert-connectors").await.body;
    assert_eq!(connectors.as_array().unwrap().len(), 1);
    assert_eq!(connectors[0]["name"], "connector");
    assert_eq!(
        world.get("/spaces/data/alerts").await.body["items"],
        json!([])
    );
    let spaces = world.get("/spaces").await.body;
    assert_eq!(spaces["items"].as_array().unwrap().len(), 1);
}
