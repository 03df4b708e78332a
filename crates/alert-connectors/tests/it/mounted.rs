//! The service inside another program: its routes under a prefix of an axum app that has users, metrics and a fallback of its
//! own, and alerts that are posted without HTTP.

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use alert_connectors::{
    AlertConnectors, Builder, Caller, Email, ErrorKind, Freshness, Identity, IdentityError,
    PostError, Slug, SpaceError, StartError, SystemRandom, User, UserId,
};
use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    routing::get,
};
use http::{HeaderMap, Request, StatusCode};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower_service::Service;

/// The host knows its users by a header that its own gateway sets. A session that the header calls `ending` is over after the first
/// time that it is asked for.
struct HostUsers {
    user: User,
    endings: AtomicUsize,
}

impl HostUsers {
    fn new() -> Self {
        let user = User {
            id: UserId::new(jiff::Timestamp::UNIX_EPOCH, &SystemRandom::default()),
            email: Email::parse("host@example.com").unwrap(),
            full_name: "Host".to_owned(),
        };
        Self {
            user,
            endings: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl Identity for HostUsers {
    async fn caller(
        &self,
        headers: &HeaderMap,
        _freshness: Freshness,
    ) -> Result<Caller, IdentityError> {
        let Some(session) = headers.get("x-host-user") else {
            return Err(IdentityError::Unauthenticated);
        };
        let is_ending = session == "ending";
        if is_ending && self.endings.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
            return Err(IdentityError::Unauthenticated);
        }
        Ok(Caller {
            user: self.user.clone(),
            is_operator: true,
            memberships: Vec::new(),
            key: None,
            version: None,
            expires_at: is_ending.then_some(jiff::Timestamp::UNIX_EPOCH),
            ip_address: None,
        })
    }
}

fn data() -> Slug {
    Slug::parse("data").unwrap()
}

async fn started(folder: &Path) -> AlertConnectors {
    let url = format!("sqlite://{}", folder.join("alerts.db").display());
    let builder = AlertConnectors::builder(&url).identity(HostUsers::new());
    // The host's own metrics, whose names have no prefix.
    let builder = builder.registry(Registry::default());
    let alerts = builder.start().await.unwrap();
    alerts.ensure_space(&data(), "Data").await.unwrap();
    alerts
}

fn orders_are_late() -> Value {
    json!({"alert_type": "dq_alert", "severity": "high", "title": "Orders are late"})
}

async fn ask(host: &Router, request: Request<Body>) -> (StatusCode, String) {
    let answer = host.clone().call(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, 64 * 1_024).await.unwrap();
    (head.status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn it_lives_under_a_prefix_of_a_host_with_a_fallback_and_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let alerts = started(folder.path()).await;
    let host = Router::new()
        .route("/metrics", get(async || "the host's metrics"))
        .nest("/notifications", alerts.router())
        .nest("/operations", alerts.operations_router())
        .fallback(async || "the host's fallback");
    let text = async |path: &str| {
        let request = Request::get(path).header("host", "host");
        ask(&host, request.body(Body::empty()).unwrap()).await.1
    };
    assert_eq!(text("/metrics").await, "the host's metrics");
    assert_eq!(text("/nowhere").await, "the host's fallback");
    assert_eq!(text("/notifications/nowhere").await, "the host's fallback");
    let metrics = text("/operations/metrics").await;
    let names = metrics.lines().filter(|line| !line.starts_with('#'));
    let foreign = names.filter(|line| !line.starts_with("alert_connectors_"));
    assert_eq!(foreign.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(metrics.contains("alert_connectors_alerts_accepted_total"));

    let post = || {
        let request = Request::post("/notifications/spaces/data/alerts").header("host", "host");
        request.header("content-type", "application/json")
    };
    let body = || Body::from(orders_are_late().to_string());
    let (anonymous, _) = ask(&host, post().body(body()).unwrap()).await;
    assert_eq!(anonymous, StatusCode::UNAUTHORIZED);
    let known = post().header("x-host-user", "1").body(body());
    let (posted, _) = ask(&host, known.unwrap()).await;
    assert_eq!(posted, StatusCode::ACCEPTED);
    let list = Request::get("/notifications/spaces/data/alerts").header("host", "host");
    let list = list.header("x-host-user", "1").body(Body::empty());
    let (_, listed) = ask(&host, list.unwrap()).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["items"][0]["title"], "Orders are late");
    alerts.stop().await;
}

fn request(method: &str, path: &str, body: &Value) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("host", "host").header("x-host-user", "1");
    let request = request.header("content-type", "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn a_session_that_ends_while_a_body_is_on_its_way_changes_nothing_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let alerts = started(folder.path()).await;
    let host = alerts.router();
    let connector = json!({"name": "a", "connector_type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x"});
    let firing = json!({"alerts": [{"status": "firing", "fingerprint": "f"}]});
    for (path, body) in [
        ("alerts", orders_are_late()),
        ("alerts/batch", json!([orders_are_late()])),
        ("ingest/alertmanager", firing),
        ("alert-connectors", connector),
    ] {
        let path = format!("/spaces/data/{path}");
        let mut late = request("POST", &path, &body);
        let ending = http::HeaderValue::from_static("ending");
        late.headers_mut().insert("x-host-user", ending);
        let (status, answer) = ask(&host, late).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}: {answer}");
    }
    for list in ["alerts", "alert-connectors"] {
        let path = format!("/spaces/data/{list}");
        let (_, listed) = ask(&host, request("GET", &path, &Value::Null)).await;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let items = listed.get("items").unwrap_or(&listed);
        assert_eq!(items, &json!([]), "{list}");
    }
    alerts.stop().await;
}

#[tokio::test]
async fn a_prefix_may_have_parameters_of_the_same_names() {
    let folder = tempfile::tempdir().unwrap();
    let alerts = started(folder.path()).await;
    for prefix in ["/t/{tenant}", "/t/{slug}", "/t/{id}"] {
        let host = Router::new().nest(prefix, alerts.router());
        let connectors = "/t/x/spaces/data/alert-connectors";
        let new = json!({"name": "a", "connector_type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x"});
        let (status, made) = ask(&host, request("POST", connectors, &new)).await;
        assert_eq!(status, StatusCode::CREATED, "{prefix}: {made}");
        let made: Value = serde_json::from_str(&made).unwrap();
        let one = format!("{connectors}/{}", made["id"].as_str().unwrap());
        let (status, _) = ask(&host, request("GET", &one, &Value::Null)).await;
        assert_eq!(status, StatusCode::OK, "{prefix}");
        let (status, _) = ask(
            &host,
            request("POST", "/t/x/spaces/data/alerts", &orders_are_late()),
        )
        .await;
        assert_eq!(status, StatusCode::ACCEPTED, "{prefix}");
        // The prefix does not choose the space.
        let (status, _) = ask(
            &host,
            request("GET", "/t/data/spaces/nowhere/alerts", &Value::Null),
        )
        .await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{prefix}");
        let (status, _) = ask(&host, request("DELETE", &one, &Value::Null)).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{prefix}");
    }
    alerts.stop().await;
}

#[tokio::test]
async fn its_routes_take_nothing_once_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let alerts = started(folder.path()).await;
    let host = alerts.router();
    let post = || request("POST", "/spaces/data/alerts", &orders_are_late());
    assert_eq!(ask(&host, post()).await.0, StatusCode::ACCEPTED);
    alerts.stop().await;
    alerts.stop().await;
    let (status, said) = ask(&host, post()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{said}");
}

#[tokio::test]
async fn http_2_names_its_host_in_its_own_way() {
    let folder = tempfile::tempdir().unwrap();
    let alerts = started(folder.path()).await;
    let list = Request::get("http://host/spaces/data/alerts").header("x-host-user", "1");
    let list = list.version(http::Version::HTTP_2).body(Body::empty());
    assert_eq!(ask(&alerts.router(), list.unwrap()).await.0, StatusCode::OK);
    alerts.stop().await;
}

#[tokio::test]
async fn an_alert_is_posted_without_http_and_outlives_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let alerts = started(folder.path()).await;
    let first = alerts
        .post_once(&data(), "run-1", &orders_are_late())
        .await
        .unwrap();
    let repeated = alerts
        .post_once(&data(), "run-1", &orders_are_late())
        .await
        .unwrap();
    assert_eq!((repeated.id, repeated.occurrences), (first.id, 1));
    let other = alerts.post(&data(), &orders_are_late()).await.unwrap();
    assert_ne!(other.id, first.id);
    alerts.stop().await;
    let late = alerts.post(&data(), &orders_are_late()).await;
    assert!(matches!(late, Err(PostError::Stopped)));
    drop(alerts);

    let alerts = started(folder.path()).await;
    assert!(!alerts.ensure_space(&data(), "Data").await.unwrap());
    let roster = alerts.store().roster(&data()).await.unwrap().unwrap();
    let query = alert_connectors_store::AlertQuery {
        limit: 10,
        ..alert_connectors_store::AlertQuery::default()
    };
    let expiry = alert_connectors_store::Expiry {
        now: first.received_at,
        retry_for: jiff::SignedDuration::from_hours(24),
    };
    let page = alerts.store().alerts(roster.space.id, query, expiry).await;
    assert_eq!(page.unwrap().items.len(), 2);
    alerts.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_post_or_a_start_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let alerts = started(folder.path()).await;
    let refusal = async |slug: &str, alert: Value| {
        let slug = Slug::parse(slug).unwrap();
        match alerts.post(&slug, &alert).await {
            Err(PostError::Refused(error)) => error,
            other => unreachable!("{other:?}"),
        }
    };
    let invalid = refusal("data", json!({"title": 7})).await;
    assert_eq!(invalid.kind(), ErrorKind::Invalid);
    let said = invalid.to_string();
    assert!(
        said.contains("alert_type") || said.contains("required"),
        "{said}"
    );
    let nowhere = refusal("nowhere", orders_are_late()).await;
    assert_eq!(nowhere.kind(), ErrorKind::NotFound);
    let large = refusal("data", json!({"title": "x".repeat(2 * 1_024 * 1_024)})).await;
    assert_eq!(large.kind(), ErrorKind::TooLarge);
    let key = alerts
        .post_once(&data(), "two words", &orders_are_late())
        .await;
    assert!(matches!(key, Err(PostError::Refused(error)) if error.kind() == ErrorKind::Invalid));
    alerts.stop().await;

    let unnamed = alerts
        .ensure_space(&Slug::parse("other").unwrap(), "  ")
        .await;
    assert!(matches!(unnamed, Err(SpaceError::Name(_))));

    let setting = async |change: fn(Builder) -> Builder| {
        let url = format!("sqlite://{}", folder.path().join("other.db").display());
        match change(AlertConnectors::builder(&url)).start().await {
            Err(StartError::Setting { setting, .. }) => setting,
            other => unreachable!("{:?}", other.err()),
        }
    };
    let never = |builder: Builder| builder.retry_for(jiff::SignedDuration::ZERO);
    assert_eq!(setting(never).await, "retry_for");
    let none = |builder: Builder| builder.webhook_connections(0);
    assert_eq!(setting(none).await, "webhook_connections");
    let nowhere = |builder: Builder| builder.public_url("javascript:alert(1)");
    assert_eq!(setting(nowhere).await, "public_url");

    for url in [
        "mysql://x",
        "sqlite://",
        "sqlite://:memory:",
        "sqlite://x.db?mode=ro",
    ] {
        let refused = AlertConnectors::builder(url).start().await;
        assert!(matches!(refused, Err(StartError::Url(_))), "{url}");
    }
    let key_file = AlertConnectors::builder("postgres://localhost/x")
        .start()
        .await;
    assert!(matches!(key_file, Err(StartError::NoKeyFile)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_lets_go_of_its_database() {
    let folder = tempfile::tempdir().unwrap();
    drop(started(folder.path()).await);
    let again = async || {
        let url = format!("sqlite://{}", folder.path().join("alerts.db").display());
        AlertConnectors::builder(&url).start().await.is_ok()
    };
    crate::world::until(again, |is_open| *is_open).await;
}
