//! Traces: what a caller records goes on through the queue to the webhook's answer, and all else is left out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use alert_connectors_inbox::Behaviour;
use axum::{Router, extract::State, routing::post};
use http::{HeaderMap, StatusCode};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::world::{World, answer, until};

/// A collector of OpenTelemetry, as far as it takes traces in JSON.
#[derive(Clone, Default)]
struct Collector {
    requests: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
    address: String,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let collector = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            ..Self::default()
        };
        let take = async |State(this): State<Self>, headers: HeaderMap, body: String| {
            let body = serde_json::from_str(&body).unwrap();
            this.requests.lock().unwrap().push((headers, body));
            StatusCode::OK
        };
        let app = Router::new()
            .route("/v1/traces", post(take))
            .with_state(collector.clone());
        TaskTracker::new().spawn(async { axum::serve(listener, app).await });
        collector
    }

    /// All spans, in the order in which they were taken.
    fn spans(&self) -> Vec<Value> {
        let requests = self.requests.lock().unwrap();
        let scopes = requests
            .iter()
            .map(|(_, body)| &body["resourceSpans"][0]["scopeSpans"][0]["spans"]);
        let spans = scopes.flat_map(|spans| spans.as_array().unwrap());
        spans.cloned().collect()
    }

    /// Waits for so many spans of a name.
    async fn spans_of(&self, name: &str, count: usize) -> Vec<Value> {
        let look = async || {
            let spans = self.spans();
            let of_name = spans.into_iter().filter(|span| span["name"] == name);
            of_name.collect::<Vec<_>>()
        };
        until(look, |spans| spans.len() >= count).await
    }
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// Posts an alert in a span of a caller, who records it or not.
async fn post_in_span(world: &World, path: &str, body: &Value, flags: &str) {
    let url = format!("{}{path}", world.server.base);
    let request = world
        .client
        .request(Method::POST, url)
        .header("authorization", format!("Bearer {}", world.token))
        .header("content-type", "application/json")
        .header("traceparent", format!("00-{TRACE}-{CALLER}-{flags}"))
        .body(body.to_string());
    let answered = answer(request).await;
    assert!(answered.status.is_success(), "{}", answered.text);
}

fn alert(title: &str) -> Value {
    json!({"alert_type": "dq_alert", "title": title, "severity": "high"})
}

/// The attributes of a span by their names.
fn attributes(span: &Value) -> HashMap<String, Value> {
    let attributes = span["attributes"].as_array().unwrap().iter();
    let pair = |one: &Value| {
        let value = one["value"].as_object().unwrap().values().next().unwrap();
        (one["key"].as_str().unwrap().to_owned(), value.clone())
    };
    attributes.map(pair).collect()
}

async fn traced(ratio: &str) -> (Collector, World) {
    let collector = Collector::start().await;
    let headers = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(headers.path(), "x-api-key=a-secret-of-the-collector\n\n").unwrap();
    let environment = [
        ("ALERT_CONNECTORS_OTLP_ENDPOINT", collector.address.as_str()),
        ("ALERT_CONNECTORS_OTLP_SAMPLE_RATIO", ratio),
        (
            "ALERT_CONNECTORS_OTLP_HEADERS_FILE",
            headers.path().to_str().unwrap(),
        ),
    ];
    let world = World::start_with(&environment).await;
    headers.keep().unwrap();
    (collector, world)
}

#[tokio::test]
async fn a_span_of_a_caller_goes_on_to_the_answer_of_the_webhook() {
    let (collector, world) = traced("0").await;
    let connector = world.connect("/channel").await;
    world
        .post("/spaces/data/alerts", &alert("not sampled"))
        .await;
    post_in_span(&world, "/spaces/data/alerts", &alert("not recorded"), "00").await;
    post_in_span(&world, "/spaces/data/alerts", &alert("recorded"), "01").await;
    world.arrived(3).await;

    let delivered = collector.spans_of("deliver", 1).await;
    let [accepted, attempt] = [
        collector.spans_of("accept", 1).await,
        collector.spans_of("POST", 1).await,
    ];
    assert_eq!((delivered.len(), accepted.len(), attempt.len()), (1, 1, 1));
    let [accepted, delivered, attempt] = [&accepted[0], &delivered[0], &attempt[0]];
    for span in [accepted, delivered, attempt] {
        assert_eq!(span["traceId"], TRACE);
        assert_eq!(span["status"], json!({"code": 0}));
    }
    assert_eq!(
        (&accepted["parentSpanId"], &accepted["kind"]),
        (&json!(CALLER), &json!(2))
    );
    assert_eq!(
        (&delivered["parentSpanId"], &delivered["kind"]),
        (&accepted["spanId"], &json!(5))
    );
    assert_eq!(
        (&attempt["parentSpanId"], &attempt["kind"]),
        (&delivered["spanId"], &json!(3))
    );
    assert_eq!(attributes(accepted)["alert_connectors.space"], "data");
    let about = attributes(delivered);
    assert_eq!(about["alert_connectors.connector"], connector.as_str());
    assert_eq!(about["alert_connectors.state"], "delivered");
    let about = attributes(attempt);
    assert_eq!(
        (
            &about["server.address"],
            &about["http.response.status_code"]
        ),
        (&json!("localhost"), &json!("200"))
    );
    // Nothing of the webhook's address but its host, and the collector's own header.
    let requests = collector.requests.lock().unwrap();
    for (headers, body) in requests.iter() {
        assert_eq!(headers["x-api-key"], "a-secret-of-the-collector");
        assert!(!body.to_string().contains("/channel"), "{body}");
    }
    assert!(!world.server.log().contains("a-secret"));
}

// The collector answers while this test waits for the end of the server.
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_outlives_a_restart_and_a_stop_sends_what_waits() {
    let (collector, mut world) = traced("0").await;
    let busy = Behaviour {
        status: Some(503),
        ..Behaviour::default()
    };
    world.inbox.behave("/busy", busy);
    let id = world.connect("/busy").await;
    post_in_span(&world, "/spaces/data/alerts", &alert("late"), "01").await;
    let failed = collector.spans_of("POST", 1).await.remove(0);
    assert_eq!(failed["status"]["code"], 2);
    assert_eq!(collector.spans_of("deliver", 0).await.len(), 0);

    world.restart("-KILL");
    let repaired = json!({"webhook_url": format!("{}/channel", world.receiver)});
    let path = format!("/spaces/data/alert-connectors/{id}");
    assert_eq!(
        world
            .ask(Method::PATCH, &path, Some(&repaired))
            .await
            .status,
        200
    );
    until(async || world.texts("/channel").len(), |count| *count == 1).await;
    world.restart("-TERM");
    let delivered = collector.spans_of("deliver", 1).await.remove(0);
    assert_eq!(
        (&delivered["traceId"], &delivered["spanId"]),
        (&json!(TRACE), &failed["parentSpanId"])
    );
    let attempts = collector.spans_of("POST", 2).await;
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt["parentSpanId"] == delivered["spanId"])
    );
}

#[tokio::test]
async fn without_a_span_of_the_caller_a_share_is_sampled_of_every_way_in() {
    let (collector, world) = traced("1").await;
    world.connect("/channel").await;
    let batch = json!([alert("one"), alert("two")]);
    assert_eq!(
        world.post("/spaces/data/alerts/batch", &batch).await.status,
        200
    );
    let group = json!({"alerts": [{"status": "firing", "labels": {"alertname": "a"}}]});
    assert_eq!(
        world
            .post("/spaces/data/ingest/alertmanager", &group)
            .await
            .status,
        200
    );
    let wanted = json!({"name": "hook", "scope": "send", "space": "data"});
    let key = world.post("/api-keys", &wanted).await.body["key"].clone();
    let hook = format!("/hooks/{}", key.as_str().unwrap());
    assert_eq!(
        world.post(&hook, &json!({"text": "hello"})).await.status,
        200
    );

    let delivered = collector.spans_of("deliver", 4).await;
    let accepted = collector.spans_of("accept", 3).await;
    assert!(
        accepted
            .iter()
            .all(|span| span["parentSpanId"] == Value::Null)
    );
    for span in &delivered {
        let parent = accepted
            .iter()
            .find(|one| one["spanId"] == span["parentSpanId"]);
        assert_eq!(parent.unwrap()["traceId"], span["traceId"]);
    }
    let traces: std::collections::HashSet<_> = accepted
        .iter()
        .map(|span| span["traceId"].to_string())
        .collect();
    assert_eq!(traces.len(), 3);
    let requests = collector.requests.lock().unwrap();
    let said = requests.iter().map(|(_, body)| body.to_string());
    let said: String = said.collect();
    assert!(!said.contains(key.as_str().unwrap()), "{said}");
}

#[tokio::test]
async fn a_collector_that_is_gone_costs_spans_and_nothing_else() {
    let gone = [
        ("ALERT_CONNECTORS_OTLP_ENDPOINT", "http://127.0.0.1:9"),
        ("ALERT_CONNECTORS_OTLP_SAMPLE_RATIO", "1"),
    ];
    let world = World::start_with(&gone).await;
    world.connect("/channel").await;
    world.post("/spaces/data/alerts", &alert("delivered")).await;
    world.arrived(1).await;
    let metrics = async || world.get("/metrics").await.text;
    let dropped = |text: &String| text.contains("alert_connectors_spans_dropped_total 3\n");
    until(metrics, dropped).await;
    assert!(world.server.log().contains("the collector takes no spans"));
}
