//! URLs that lead where they should not, on create and on PATCH, with a proxy in the environment and a socket that
//! nobody may reach.

use std::net::TcpListener;

use reqwest::Method;
use serde_json::json;

use crate::world::{Server, World, answer, until};

/// Hosts that mean this machine, or a network that is not public.
const HOSTS: [&str; 31] = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0x7f.1",
    "127.0.0.1.",
    "１２７.0.0.1",
    "127。0。0。1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fd00::1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "10.0.0.1",
    "169.254.169.254",
    "192.168.0.1",
    "172.16.0.1",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "198.51.100.1",
];
const BAD_URLS: [&str; 16] = [
    "https:///host/x",
    "https://",
    "https:\\\\127.0.0.1/x",
    "https://a\\@127.0.0.1/x",
    "https://user@127.0.0.1/x",
    "https://a:b@127.0.0.1/x",
    "https://127.0.0.1/#x",
    "https://a b/x",
    "https://a/\tx",
    "https://a/x\r\nHost: b",
    "https://a:0/x",
    "https://a:65536/x",
    "https://a..b/x",
    "https://999.999.999.999/x",
    "https://[::1/x",
    "https://hooks.slack.com/…",
];
const NOT_HTTPS: [&str; 8] = [
    "http://127.0.0.1/x",
    "HTTP://a/x",
    "ftp://a/x",
    "file:///etc/passwd",
    "//a/x",
    "a/x",
    "",
    "javascript:alert(1)",
];
const OTHERS: [(&str, &str); 3] = [
    ("https://hooks.slack.com/triggers/T/1/x", "slack_workflow"),
    (
        "https://hooks.slack.com/workflows/T/A/1/x",
        "slack_workflow",
    ),
    ("https://x.webhook.office.com/webhookb2/x", "wrong_platform"),
];

fn table(port: u16) -> Vec<(String, &'static str)> {
    let hosts = HOSTS.map(|host| (format!("https://{host}:{port}/x"), "not_public"));
    let bad = BAD_URLS.map(|url| (url.to_owned(), "bad_url"));
    let not_https = NOT_HTTPS.map(|url| (url.to_owned(), "not_https"));
    let others = OTHERS.map(|(url, kind)| (url.to_owned(), kind));
    let rows = hosts.into_iter().chain(bad).chain(not_https);
    rows.chain(others).collect()
}

/// A server with a user and a space, at which nothing is allowed that is not public. Returns the user's token.
fn strict_server(world: &World, proxy: &str) -> (Server, String) {
    let database = format!("sqlite://{}", world.path("strict.db").display());
    let output = |arguments: &[&str]| {
        crate::world::output(&[arguments, &["--database-url", &database]].concat())
    };
    let alice = "alice@example.com";
    output(&["user", "add", alice, "--name", "Alice", "--operator"]);
    output(&["space", "add", "data", "--name", "Data"]);
    let token = output(&["token", "issue", alice]);
    let proxies = [
        ("HTTPS_PROXY", proxy),
        ("https_proxy", proxy),
        ("ALL_PROXY", proxy),
        ("HTTP_PROXY", proxy),
    ];
    (
        Server::start(&["--database-url", &database], &proxies),
        token,
    )
}

#[tokio::test]
async fn no_url_of_the_table_is_taken_and_nothing_reaches_this_machine() {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let port = trap.local_addr().unwrap().port();
    let proxy = format!("http://127.0.0.1:{port}");
    let world = World::start().await;
    // No network is allowed here, and the environment's proxy is the trap.
    let (server, token) = strict_server(&world, &proxy);
    let base = format!("{}/spaces/data/alert-connectors", server.base);
    let send = async |method: Method, url: &str, body: serde_json::Value| {
        let request = world
            .client
            .request(method, url)
            .bearer_auth(&token)
            .header("content-type", "application/json");
        answer(request.body(body.to_string())).await
    };
    // A name that resolves to nothing public may be entered; it is checked at each connection.
    let good = json!({"name": "n", "connector_type": "slack", "webhook_url": "https://webhook.invalid/x", "severity_filter": []});
    let made = send(Method::POST, &base, good.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let one = format!("{base}/{}", made.body["id"].as_str().unwrap());
    for (url, kind) in table(port) {
        let mut body = good.clone();
        body["webhook_url"] = json!(url);
        for refused in [
            send(Method::POST, &base, body).await,
            send(Method::PATCH, &one, json!({"webhook_url": url})).await,
        ] {
            assert_eq!(refused.status, 422, "{url}");
            let expected = [("body.webhook_url".to_owned(), kind.to_owned())];
            assert_eq!(refused.faults(), expected, "{url}");
            let rest = url
                .split("://")
                .nth(1)
                .and_then(|rest| rest.split_once('/'))
                .map_or("", |(_, rest)| rest);
            assert!(
                rest.len() < 4 || !refused.text.contains(rest),
                "{}",
                refused.text
            );
        }
    }
    let tested = send(Method::POST, &format!("{one}/test"), json!({})).await;
    assert_eq!(tested.body["error"], "DNS lookup failed");
    let alert = json!({"alert_type": "a", "title": "t", "severity": "high"});
    let posted = send(
        Method::POST,
        &format!("{}/spaces/data/alerts", server.base),
        alert,
    )
    .await;
    assert_eq!(posted.body["deliveries"].as_array().unwrap().len(), 1);
    let alert = format!(
        "{}/spaces/data/alerts/{}",
        server.base,
        posted.body["id"].as_str().unwrap()
    );
    let tried = async || {
        answer(world.client.get(&alert).bearer_auth(&token))
            .await
            .body["deliveries"][0]["attempts"]
            .clone()
    };
    until(tried, |attempts| {
        attempts
            .as_array()
            .is_some_and(|attempts| !attempts.is_empty())
    })
    .await;
    assert!(trap.accept().is_err(), "somebody reached the trap");
}

#[tokio::test]
async fn only_allowed_hosts_are_taken_if_any_are_named() {
    let world = World::start().await;
    drop(world.client.get(&world.server.base));
    let database = format!("sqlite://{}", world.path("hosts.db").display());
    crate::world::output(&[
        "user",
        "add",
        "alice@example.com",
        "--name",
        "A",
        "--operator",
        "--database-url",
        &database,
    ]);
    crate::world::output(&[
        "space",
        "add",
        "data",
        "--name",
        "D",
        "--database-url",
        &database,
    ]);
    let token = crate::world::output(&[
        "token",
        "issue",
        "alice@example.com",
        "--database-url",
        &database,
    ]);
    let server = Server::start(
        &[
            "--database-url",
            &database,
            "--allow-host",
            "hooks.slack.com",
            "--allow-host",
            "*.example.com",
        ],
        &[],
    );
    for (host, status) in [
        ("hooks.slack.com", 201),
        ("a.example.com", 201),
        ("example.com", 422),
        ("evil.test", 422),
    ] {
        let body = json!({"name": "n", "connector_type": "slack", "webhook_url": format!("https://{host}/services/x")});
        let request = world
            .client
            .post(format!("{}/spaces/data/alert-connectors", server.base))
            .bearer_auth(&token);
        let seen = answer(
            request
                .header("content-type", "application/json")
                .body(body.to_string()),
        )
        .await;
        assert_eq!(seen.status.as_u16(), status, "{host}");
    }
}
