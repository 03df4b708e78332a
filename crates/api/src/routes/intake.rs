//! Posting alerts: one, a batch, or a preview that is not sent.
//!
//! This is the hot path. Caller and connectors come from memory; the store's own transaction checks that they still hold,
//! and what does not is matched and authorised again. An alert is parsed once and turned into JSON once; only a repeat of a
//! problem or of a request is read from the store.

use std::borrow::Cow;

use alert_connectors_message::{Shown, platform};
use alert_connectors_model::{
    AlertId, BATCH_ALERTS_MAX, ConnectorType, Fault, FaultKind, Json, Loc, Warning, parse_alert,
};
use alert_connectors_store::{
    DELIVERIES_LISTED_MAX, Idempotency, PreparedAlert, Roster, Route, ends_nothing_warning,
};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::{
    alerts::{alert_json, json, shown_matches},
    gate::Gate,
    schema,
};
use crate::{
    ApiError, App, ErrorKind,
    accept::{PostRequest, Poster as _, Stored},
    answer_room::AnswerRoom,
    body::{self, BATCH_BYTES_MAX, BODY_BYTES_MAX, Received},
    entry::Previewer,
    heavy,
    list_body::ListBody,
    path::PathSlug,
    serialised::serialised,
};

/// Post an alert. 202 comes only once it is on disk together with its deliveries.
#[utoipa::path(
    post, path = "/spaces/{slug}/alerts", operation_id = "postAlert", tag = "alerts",
    params(
        ("slug" = String, Path, description = "The space"),
        ("Idempotency-Key" = Option<String>, Header, description = "1-255 visible ASCII characters; kept for 24 hours"),
    ),
    request_body(content = schema::NewAlert, description = "The alert"),
    responses((status = 202, description = "The alert: it is on disk with its deliveries", body = schema::Alert), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn post(
    State(app): State<App>,
    PathSlug(slug): PathSlug,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    let trace = app.begin_trace(&headers);
    let gate = Gate::new(&app, &headers, &slug);
    let grant = gate.enter().await?;
    let read = both(
        read_one(&app, &headers, request).await,
        idempotency_key(&headers),
    );
    let ((bytes, parsed), key) = gate.authorised_for_errors(read).await?;
    let idempotency = key.map(|key| remembered(key, Route::Alert, &bytes));
    let posting = PostRequest {
        alerts: std::slice::from_ref(&parsed),
        idempotency,
        leaves_out_idle_ends: false,
        listed_max: usize::MAX,
        trace,
    };
    let accepted = app.accept(&gate, grant, posting).await?;
    let stored = accepted.alerts.first();
    let stored =
        stored.ok_or_else(|| ApiError::unavailable("What was stored under this key is gone."))?;
    let json = alert_json(
        accepted.space_id,
        stored,
        stored.accepted.current.as_deref().unwrap_or(&parsed.json),
        &warnings(&parsed, stored, &Loc::body()),
    );
    Ok(json_response(StatusCode::ACCEPTED, json))
}

/// Post up to 1,000 alerts. Each is validated on its own; all accepted ones are on disk before the answer.
///
/// The answer lists at most 100 deliveries of each alert, and counts the others in `deliveries_left_out`.
#[utoipa::path(
    post, path = "/spaces/{slug}/alerts/batch", operation_id = "postAlerts", tag = "alerts",
    params(
        ("slug" = String, Path, description = "The space"),
        ("Idempotency-Key" = Option<String>, Header, description = "1-255 visible ASCII characters; kept for 24 hours"),
    ),
    request_body(content = Vec<schema::NewAlert>, description = "1 to 1,000 alerts"),
    responses((status = 200, description = "What became of each alert", body = schema::BatchResults), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn post_batch(
    State(app): State<App>,
    PathSlug(slug): PathSlug,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    let trace = app.begin_trace(&headers);
    let gate = Gate::new(&app, &headers, &slug);
    let grant = gate.enter().await?;
    let read = both(
        read_batch(&app, &headers, request).await,
        idempotency_key(&headers),
    );
    let ((bytes, items), key) = gate.authorised_for_errors(read).await?;
    let idempotency = key.map(|key| remembered(key, Route::Batch, &bytes));
    let good: Vec<PreparedAlert> = items
        .iter()
        .filter_map(|item| item.as_ref().ok().cloned())
        .collect();
    let posting = PostRequest {
        alerts: &good,
        idempotency,
        leaves_out_idle_ends: false,
        listed_max: DELIVERIES_LISTED_MAX,
        trace,
    };
    let room = batch_room(&app, &grant.roster, bytes.len(), items.len())?;
    let accepted = app.accept(&gate, grant, posting).await?;
    let mut stored = accepted.alerts.iter();
    let mut results = ListBody::new(r#"{"results":["#);
    for (index, item) in items.iter().enumerate() {
        let result = match item {
            Ok(prepared) => {
                let gone = || ApiError::unavailable("What was stored under this key is gone.");
                let stored = stored.next().ok_or_else(gone)?;
                let current = stored.accepted.current.as_deref();
                let json = current.unwrap_or(&prepared.json);
                let warnings = warnings(prepared, stored, &Loc::body().item(index));
                let alert = alert_json(accepted.space_id, stored, json, &warnings);
                format!(r#"{{"status":202,"alert":{alert}}}"#)
            }
            Err(problem) => {
                let problem = serialised(&problem.body());
                format!(r#"{{"status":422,"problem":{problem}}}"#)
            }
        };
        results.push(&result).await;
    }
    let mut answer = json(results.finish("]}"));
    answer.extensions_mut().insert(room);
    Ok(answer)
}

/// What each result takes in an answer beside the alert itself, and each delivery that it lists, in bytes.
const RESULT_BYTES: usize = 400;
const DELIVERY_BYTES: usize = 160;

/// Room for the answer to a batch, which can't be refused any more once its alerts are stored.
fn batch_room(
    app: &App,
    roster: &Roster,
    body_bytes: usize,
    alerts: usize,
) -> Result<AnswerRoom, ApiError> {
    let listed = roster.connectors.len().min(DELIVERIES_LISTED_MAX);
    let each = RESULT_BYTES + listed * DELIVERY_BYTES;
    AnswerRoom::reserve(app, body_bytes + alerts * each)
}

/// The corrections, and a warning if the alert is an end from before the problem began.
fn warnings<'p>(prepared: &'p PreparedAlert, stored: &Stored, loc: &Loc) -> Cow<'p, [Warning]> {
    if !stored.accepted.precedes_problem {
        return Cow::Borrowed(&prepared.warnings);
    }
    let mut warnings = prepared.warnings.to_vec();
    warnings.push(ends_nothing_warning(loc));
    Cow::Owned(warnings)
}

/// Show what an alert would look like and which connectors would receive it, without sending it.
#[utoipa::path(
    post, path = "/spaces/{slug}/alerts/preview", operation_id = "previewAlert", tag = "alerts",
    params(("slug" = String, Path, description = "The space")),
    request_body(content = schema::NewAlert, description = "The alert"),
    responses((status = 200, description = "Both messages, and which connectors would receive it", body = schema::Preview<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn preview(
    State(app): State<App>,
    Previewer(entry): Previewer,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    let (_, prepared) = read_one(&app, &headers, request).await?;
    let page = app.engine.alert_url(
        &entry.space().slug,
        AlertId::new(app.clock.now(), &*app.random),
    );
    let shown = Shown::whole(&prepared.alert, page.as_deref());
    let body = schema::Preview {
        messages: schema::PreviewMessages {
            slack: schema::PreviewMessage::of(ConnectorType::Slack, shown),
            teams: schema::PreviewMessage::of(ConnectorType::Teams, shown),
        },
        connectors: shown_matches(&entry, &prepared.alert),
        warnings: &prepared.warnings,
    };
    Ok(axum::Json(body).into_response())
}

impl schema::PreviewMessage {
    fn of(connector_type: ConnectorType, shown: Shown<'_>) -> Self {
        let platform = platform(connector_type);
        let message = platform.message(shown);
        Self {
            payload: raw(message.payload),
            plain: raw(platform.plain(shown)),
            trimmed: message.trimmed,
        }
    }
}

/// A payload as a part of an answer, byte for byte.
pub(super) fn raw(payload: Vec<u8>) -> Box<RawValue> {
    let text = String::from_utf8(payload).expect("a payload is UTF-8");
    RawValue::from_string(text).expect("a payload is JSON")
}

async fn read_one(
    app: &App,
    headers: &HeaderMap,
    request: Body,
) -> Result<(Received, PreparedAlert), ApiError> {
    let bytes = body::read(app, headers, request, BODY_BYTES_MAX).await?;
    let now = app.clock.now();
    let prepared = off_if_large(&bytes, move |bytes| one_of(bytes, now)).await?;
    Ok((bytes, prepared))
}

/// Reads one alert, with every fault at once.
pub(crate) fn one_of(bytes: &Bytes, now: Timestamp) -> Result<PreparedAlert, ApiError> {
    let mended = body::mended(bytes);
    let parsed = parse_alert(body::parse(&mended)?, &Loc::body(), now);
    Ok(PreparedAlert::of(parsed.map_err(ApiError::invalid)?))
}

/// A larger body is parsed on other threads, since it would hold up those that answer requests for milliseconds.
const LARGE_BYTES: usize = 64 * 1_024;

/// Parses a body where it holds up no other request.
pub(super) async fn off_if_large<T: Send + 'static>(
    bytes: &Bytes,
    read: impl FnOnce(&Bytes) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    if bytes.len() <= LARGE_BYTES {
        return read(bytes);
    }
    let bytes = bytes.clone();
    let gone = || ApiError::new(ErrorKind::Internal, "Something went wrong here.");
    heavy::run(move || read(&bytes)).await.ok_or_else(gone)?
}

type Batch = Vec<Result<PreparedAlert, ApiError>>;

async fn read_batch(
    app: &App,
    headers: &HeaderMap,
    request: Body,
) -> Result<(Received, Batch), ApiError> {
    let bytes = body::read(app, headers, request, BATCH_BYTES_MAX).await?;
    let now = app.clock.now();
    let batch = off_if_large(&bytes, move |bytes| batch_of(bytes, now)).await?;
    Ok((bytes, batch))
}

fn batch_of(bytes: &Bytes, now: Timestamp) -> Result<Batch, ApiError> {
    let fault = |kind, msg: String| ApiError::invalid(vec![Fault::new(Loc::body(), kind, msg)]);
    let mended = body::mended(bytes);
    let items = match body::parse(&mended)? {
        Json::List(items) => items,
        other => {
            let msg = format!(
                "A batch is a list of alerts; this is {}.",
                other.type_name()
            );
            return Err(fault(FaultKind::WrongType, msg));
        }
    };
    match items.len() {
        0 => {
            return Err(fault(
                FaultKind::TooShort,
                "A batch holds at least one alert.".to_owned(),
            ));
        }
        count if count > BATCH_ALERTS_MAX => {
            return Err(fault(
                FaultKind::TooMany,
                format!("A batch holds at most 1000 alerts; this has {count}."),
            ));
        }
        _ => {}
    }
    let read = |(index, item)| match parse_alert(item, &Loc::body().item(index), now) {
        Ok(parsed) => Ok(PreparedAlert::of(parsed)),
        Err(faults) => Err(ApiError::invalid(faults)),
    };
    Ok(items.into_iter().enumerate().map(read).collect())
}

/// Both results, or the faults of both.
fn both<A, B>(one: Result<A, ApiError>, other: Result<B, ApiError>) -> Result<(A, B), ApiError> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(one), Err(other)) => Err(one.and(other)),
        (Err(problem), Ok(_)) | (Ok(_), Err(problem)) => Err(problem),
    }
}

/// The idempotency key of a request, if it has one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    sound_key(value.to_str().unwrap_or_default()).map(Some)
}

/// An idempotency key, if it is valid.
pub(crate) fn sound_key(key: &str) -> Result<&str, ApiError> {
    let is_sound = (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    let fault = || {
        let msg = "Idempotency-Key has 1 to 255 visible ASCII characters.";
        Fault::new(Loc::header("Idempotency-Key"), FaultKind::NotOneOf, msg)
    };
    is_sound
        .then_some(key)
        .ok_or_else(|| ApiError::invalid(vec![fault()]))
}

/// Identifies a repeat of a request.
pub(crate) fn remembered(key: &str, route: Route, bytes: &[u8]) -> Idempotency {
    let mut body_hash = [0; 32];
    body_hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    Idempotency {
        route,
        key: key.to_owned(),
        body_hash,
    }
}

fn json_response(status: StatusCode, json: String) -> Response {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
