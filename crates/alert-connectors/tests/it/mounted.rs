//! The service inside another program: its router nested under a prefix of an axum app that has users, metrics and a fallback of
//! its own.

use std::{path::Path, sync::Arc};

use alert_connectors_api::{
    App, AppOptions, Caller, Freshness, Identity, IdentityError, METRICS_PREFIX, TrustedProxies,
    router,
};
use alert_connectors_delivery::{
    BackoffConfig, BlockAlerts, DeliveryMeters, Engine, EngineOptions, Rates, Sender,
    SenderOptions, SystemResolver, TimeLimits, Trust,
};
use alert_connectors_model::{
    Clock, Email, Random, SeededRandom, Slug, Space, SpaceId, SystemClock, UrlRules, User, UserId,
};
use alert_connectors_store::Store;
use alert_connectors_store_sqlite::{OpenOptions, SqliteStore, Use};
use alert_connectors_tasks::Tasks;
use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    routing::get,
};
use http::{HeaderMap, Request, StatusCode};
use jiff::SignedDuration;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// The host knows its users by a header that its own gateway sets.
struct HostUsers(User);

#[async_trait]
impl Identity for HostUsers {
    async fn caller(
        &self,
        headers: &HeaderMap,
        _freshness: Freshness,
    ) -> Result<Caller, IdentityError> {
        if headers.get("x-host-user").is_none() {
            return Err(IdentityError::Unauthenticated);
        }
        Ok(Caller {
            user: self.0.clone(),
            is_operator: true,
            memberships: Vec::new(),
            key: None,
            version: None,
        })
    }
}

/// The service's own parts, as a host puts them together.
async fn mounted(folder: &Path, stopping: CancellationToken) -> App {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Random> = Arc::new(SeededRandom::new(7));
    let store = SqliteStore::open(OpenOptions {
        path: folder.join("alerts.db"),
        key_file: folder.join("alerts.key"),
        used_by: Use::Founding,
        random: Arc::clone(&random),
    });
    let store: Arc<dyn Store> = Arc::new(store.unwrap());
    let user = User {
        id: UserId::new(clock.now(), &*random),
        email: Email::parse("host@example.com").unwrap(),
        full_name: "Host".to_owned(),
    };
    let space = Space {
        id: SpaceId::new(clock.now(), &*random),
        slug: Slug::parse("data").unwrap(),
        name: "Data".to_owned(),
        created_at: clock.now(),
    };
    store.add_space(space, None).await.unwrap();
    let engine = engine(&store, &clock, &random, stopping);
    App::new(AppOptions {
        store,
        identity: Arc::new(HostUsers(user)),
        engine,
        rules: UrlRules::default(),
        clock,
        random,
        retry_for: SignedDuration::from_hours(24),
        renotify: SignedDuration::from_hours(4),
        registry: Registry::with_prefix(METRICS_PREFIX),
        trusted_proxies: TrustedProxies(Vec::new()),
    })
}

fn engine(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    stopping: CancellationToken,
) -> Engine {
    let retry_for = SignedDuration::from_hours(24);
    let sender = Sender::new(SenderOptions {
        rules: UrlRules::default(),
        trust: Trust::default(),
        proxy: None,
        no_proxy: Vec::new(),
        resolver: Arc::new(SystemResolver::default()),
        clock: Arc::clone(clock),
        limits: TimeLimits::default(),
    });
    Engine::start(EngineOptions {
        store: Arc::<dyn Store>::clone(store),
        leases: Arc::<dyn Store>::clone(store),
        sender: sender.unwrap(),
        notify: Arc::new(BlockAlerts {
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            retry_for,
            renotify: SignedDuration::from_hours(4),
        }),
        rates: Rates::default(),
        backoff: BackoffConfig::default(),
        connections_max: 16,
        retry_for,
        meters: DeliveryMeters::default(),
        public_url: None,
        random: Arc::clone(random),
        tasks: Tasks::new(stopping.clone(), None),
        stopping,
    })
}

#[tokio::test]
async fn it_lives_under_a_prefix_of_a_host_with_a_fallback_and_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let stopping = CancellationToken::new();
    let app = mounted(folder.path(), stopping.clone()).await;
    let host = Router::new()
        .route("/metrics", get(async || "the host's metrics"))
        .nest("/notifications", router(&app))
        .fallback(async || "the host's fallback");
    let text = async |path: &str| {
        let (_, body) = ask(&host, Request::get(path).body(Body::empty()).unwrap()).await;
        String::from_utf8(body).unwrap()
    };
    assert_eq!(text("/metrics").await, "the host's metrics");
    assert_eq!(text("/nowhere").await, "the host's fallback");

    let alert = json!({"alert_type": "dq_alert", "severity": "high", "title": "Rows are missing"});
    let post = || {
        let request = Request::post("/notifications/spaces/data/alerts").header("host", "host");
        request.header("content-type", "application/json")
    };
    let body = || Body::from(alert.to_string());
    let (anonymous, _) = ask(&host, post().body(body()).unwrap()).await;
    assert_eq!(anonymous, StatusCode::UNAUTHORIZED);
    let known = post().header("x-host-user", "1").body(body());
    let (posted, _) = ask(&host, known.unwrap()).await;
    assert_eq!(posted, StatusCode::ACCEPTED);
    let list = Request::get("/notifications/spaces/data/alerts").header("host", "host");
    let list = list.header("x-host-user", "1").body(Body::empty());
    let (_, listed) = ask(&host, list.unwrap()).await;
    let listed: Value = serde_json::from_slice(&listed).unwrap();
    assert_eq!(listed["items"][0]["title"], "Rows are missing");
    stopping.cancel();
}

async fn ask(host: &Router, request: Request<Body>) -> (StatusCode, Vec<u8>) {
    let answer = host.clone().call(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, 64 * 1_024).await.unwrap();
    (head.status, body.to_vec())
}
