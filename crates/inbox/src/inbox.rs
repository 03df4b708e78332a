//! What arrived, and how each path is to answer.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alert_connectors_model::{Clock, rfc3339_millis};
use axum::{
    Router,
    body::Body,
    extract::{Query, Request, State},
    middleware::map_response,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use tokio::sync::broadcast;

use crate::{Kind, Row, check, page};

/// Messages that are kept.
const KEPT_MAX: usize = 1_000;
/// Messages that a slow follower may lag behind.
const FOLLOWERS_LAG_MAX: usize = 1_024;

/// The inbox. Clones share it.
#[derive(Clone)]
pub struct Inbox(Arc<InboxState>);

struct InboxState {
    clock: Arc<dyn Clock>,
    kept: Mutex<VecDeque<Message>>,
    behaviours: Mutex<HashMap<String, VecDeque<Behaviour>>>,
    followers: broadcast::Sender<Message>,
    arrived: AtomicU64,
    /// What channels are called, by path.
    names: Mutex<HashMap<String, String>>,
}

/// Something that was posted.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// Counts from 1.
    pub no: u64,
    /// When it was read.
    pub at: String,
    /// The service that it was meant for: `slack`, `workflow` or `office365`.
    pub kind: &'static str,
    /// The host that it was posted to.
    pub host: String,
    /// The path and query that it was posted to.
    pub target: String,
    /// What its channel is called, where that was said.
    pub channel: Option<String>,
    /// The headers, in lower case.
    pub headers: HashMap<String, String>,
    /// The payload, where it is JSON.
    pub payload: Option<Box<RawValue>>,
    /// What is wrong with it.
    pub problem: Option<&'static str>,
    /// How it was answered; nothing where it was left hanging.
    pub status: Option<u16>,
}

/// How a path is to answer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// The status.
    pub status: Option<u16>,
    /// The body.
    pub body: Option<String>,
    /// Further headers.
    #[serde(default)]
    pub headers: HashMap<String, String>,
    /// How long to wait before answering, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
    /// Whether never to answer.
    #[serde(default)]
    pub hang: bool,
    /// Whether to close the connection before the body is complete.
    #[serde(default)]
    pub cut: bool,
    /// A known answer, such as `slack:no_service`.
    pub row: Option<String>,
    /// For this many requests; for all to come if left out.
    pub times: Option<u32>,
    /// Only for requests whose body holds these words.
    pub when: Option<String>,
}

#[derive(Deserialize)]
struct Told {
    path: String,
    #[serde(flatten)]
    behaviour: Value,
}

impl Inbox {
    /// An empty inbox.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let (followers, _) = broadcast::channel(FOLLOWERS_LAG_MAX);
        Self(Arc::new(InboxState {
            clock,
            kept: Mutex::default(),
            behaviours: Mutex::default(),
            followers,
            arrived: AtomicU64::new(0),
            names: Mutex::default(),
        }))
    }

    /// What arrives from now on.
    pub fn follow(&self) -> broadcast::Receiver<Message> {
        self.0.followers.subscribe()
    }

    /// The last messages, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.0.kept).iter().cloned().collect()
    }

    /// How many messages arrived.
    pub fn count(&self) -> u64 {
        self.0.arrived.load(Ordering::SeqCst)
    }

    /// Sets how a path answers; several behaviours follow each other.
    pub fn behave(&self, path: &str, behaviour: Behaviour) {
        lock(&self.0.behaviours)
            .entry(path.to_owned())
            .or_default()
            .push_back(behaviour);
    }

    /// Lets a path answer as its platform does.
    pub fn behave_normally(&self, path: &str) {
        lock(&self.0.behaviours).remove(path);
    }

    /// Says what the channel at a path is called.
    pub fn name(&self, path: &str, name: &str) {
        lock(&self.0.names).insert(path.to_owned(), name.to_owned());
    }

    /// The receiver, and below `/_inbox` what people and programs look at.
    pub fn router(&self) -> Router {
        let plain = Router::new().route("/_inbox", get(show));
        self.router_with(plain.with_state(self.clone()))
    }

    /// The same with another page, which has the routes `/_inbox` and what lies below `/_inbox/assets`.
    pub fn router_with(&self, page: Router) -> Router {
        Router::new()
            .route("/_inbox/messages", get(messages))
            .route("/_inbox/rows", get(rows))
            .route(
                "/_inbox/behaviour",
                axum::routing::post(behave).delete(forget),
            )
            .layer(map_response(async |response: Response| {
                (USUAL_HEADERS, response)
            }))
            .fallback(receive)
            .with_state(self.clone())
            .merge(page)
    }

    fn behaviour(&self, path: &str, body: &[u8]) -> Option<Behaviour> {
        let mut behaviours = lock(&self.0.behaviours);
        let queue = behaviours.get_mut(path)?;
        let current = queue.front_mut()?;
        let holds = |words: &String| String::from_utf8_lossy(body).contains(words.as_str());
        if !current.when.as_ref().is_none_or(holds) {
            return None;
        }
        let behaviour = current.clone();
        if let Some(times) = &mut current.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                queue.pop_front();
            }
        }
        Some(behaviour)
    }

    fn keep(&self, message: Message) {
        let mut kept = lock(&self.0.kept);
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(message.clone());
        drop(kept);
        self.0.arrived.fetch_add(1, Ordering::SeqCst);
        // Nobody may be following.
        drop(self.0.followers.send(message));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Headers of what programs ask for, right or wrong.
const USUAL_HEADERS: [(header::HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

async fn show(State(inbox): State<Inbox>) -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, page::POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Html(page::html(&inbox.messages()))).into_response()
}

/// Which messages to list.
#[derive(Deserialize)]
struct Wanted {
    /// Those with a greater number.
    #[serde(default)]
    after: u64,
}

/// What is kept, oldest first. A page that asks for what comes after a message of an earlier start gets all of it.
async fn messages(State(inbox): State<Inbox>, Query(wanted): Query<Wanted>) -> Response {
    let mut messages = inbox.messages();
    if wanted.after <= inbox.count() {
        messages.retain(|message| message.no > wanted.after);
    }
    axum::Json(messages).into_response()
}

async fn rows() -> Response {
    let names: Vec<&str> = crate::ROWS.iter().map(|row| row.name).collect();
    axum::Json(names).into_response()
}

async fn behave(State(inbox): State<Inbox>, axum::Json(told): axum::Json<Value>) -> Response {
    let told = serde_json::from_value::<Told>(told).and_then(|told| {
        Ok((
            told.path,
            serde_json::from_value::<Behaviour>(told.behaviour)?,
        ))
    });
    match told {
        Ok((_, behaviour))
            if behaviour
                .row
                .as_deref()
                .is_some_and(|row| Row::named(row).is_none()) =>
        {
            (
                StatusCode::UNPROCESSABLE_ENTITY,
                "There is no such row; GET /_inbox/rows lists them.\n",
            )
                .into_response()
        }
        Ok((path, behaviour)) => {
            inbox.behave(&path, behaviour);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{error}\n")).into_response(),
    }
}

async fn forget(State(inbox): State<Inbox>) -> StatusCode {
    lock(&inbox.0.behaviours).clear();
    StatusCode::NO_CONTENT
}

async fn receive(State(inbox): State<Inbox>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
    else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let host = text(&parts.headers, &header::HOST)
        .or_else(|| parts.uri.host().map(str::to_owned))
        .unwrap_or_default();
    let path = parts.uri.path();
    let kind = Kind::of(&host, path);
    let problem = check(kind, &body).err();
    let behaviour = inbox.behaviour(path, &body);
    let answer = behaviour
        .as_ref()
        .map_or_else(|| as_they_do(kind, &parts, problem), PlannedAnswer::of);
    let hangs = behaviour.as_ref().is_some_and(|behaviour| behaviour.hang);
    let is_cut = behaviour.as_ref().is_some_and(|behaviour| behaviour.cut);
    inbox.keep(Message {
        no: inbox.count() + 1,
        at: rfc3339_millis(inbox.0.clock.now()),
        kind: kind.as_str(),
        host,
        target: parts
            .uri
            .path_and_query()
            .map(ToString::to_string)
            .unwrap_or_default(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect(),
        channel: lock(&inbox.0.names).get(path).cloned(),
        payload: serde_json::from_slice(&body).ok(),
        problem,
        status: (!hangs).then_some(answer.status),
    });
    if hangs {
        std::future::pending::<()>().await;
    }
    if let Some(delay) = behaviour
        .map(|behaviour| behaviour.delay_ms)
        .filter(|delay| *delay > 0)
    {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    if is_cut {
        return cut(answer.into_response());
    }
    answer.into_response()
}

/// The answer with a body that breaks off where it should go on.
fn cut(response: Response) -> Response {
    response.map(|body| {
        let broken = stream::once(async { Err(std::io::Error::other("cut as asked")) });
        let whole = body.into_data_stream();
        let whole = whole.map(|part| part.map_err(std::io::Error::other));
        Body::from_stream(whole.chain(broken))
    })
}

fn text(headers: &HeaderMap, name: &http::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

struct PlannedAnswer {
    status: u16,
    body: String,
    headers: Vec<(String, String)>,
}

/// The answer of the platform itself.
fn as_they_do(
    kind: Kind,
    request: &http::request::Parts,
    problem: Option<&'static str>,
) -> PlannedAnswer {
    let named = |name: &str| {
        Row::named(name)
            .map(PlannedAnswer::of_row)
            .unwrap_or_default()
    };
    if request.method != http::Method::POST {
        return named("slack:method_not_allowed");
    }
    if kind == Kind::Workflow && request.headers.contains_key(header::AUTHORIZATION) {
        return named("workflow:two_authorizations");
    }
    match (kind, problem) {
        (Kind::Slack, None) => named("slack:ok"),
        (Kind::Slack, Some(word)) => PlannedAnswer {
            status: 400,
            body: word.to_owned(),
            headers: Vec::new(),
        },
        (Kind::Office365, None) => named("office365:ok"),
        (Kind::Office365, Some("MessageSizeExceeded")) => named("office365:too_large"),
        (Kind::Office365, Some(_)) => named("office365:bad_card"),
        (Kind::Workflow, Some("InvalidRequestContent")) => named("workflow:invalid_content"),
        // Anything else that is wrong with a card fails after the answer.
        (Kind::Workflow, _) => {
            let run = (
                "x-ms-workflow-run-id".to_owned(),
                "08584000000000000000000000000CU00".to_owned(),
            );
            PlannedAnswer {
                headers: vec![run],
                ..named("workflow:accepted")
            }
        }
    }
}

impl Default for PlannedAnswer {
    fn default() -> Self {
        Self {
            status: 200,
            body: String::new(),
            headers: Vec::new(),
        }
    }
}

impl PlannedAnswer {
    fn of_row(row: &Row) -> Self {
        let retry_after = row
            .retry_after
            .map(|wait| ("retry-after".to_owned(), wait.to_owned()));
        Self {
            status: row.status,
            body: row.body.to_owned(),
            headers: retry_after.into_iter().collect(),
        }
    }

    fn of(behaviour: &Behaviour) -> Self {
        let mut answer = behaviour
            .row
            .as_deref()
            .and_then(Row::named)
            .map(Self::of_row)
            .unwrap_or_default();
        if let Some(status) = behaviour.status {
            answer.status = status;
        }
        if let Some(body) = &behaviour.body {
            answer.body.clone_from(body);
        }
        answer.headers.extend(behaviour.headers.clone());
        answer
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (
                http::HeaderName::try_from(name),
                HeaderValue::try_from(value),
            ) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
