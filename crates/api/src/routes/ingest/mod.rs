//! Takes the bodies of producers' own webhooks, and makes alerts of them.

mod answer;
mod producer;
mod reading;
mod settings;

use alert_connectors_ingest::Source;
use alert_connectors_store::{Idempotency, Route};
use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::HeaderMap;
pub(super) use settings::*;

use self::{
    answer::answer,
    producer::{Permitted, Producer, no_source, with_media_type},
    reading::Read,
};
use super::{
    alerts::shown_matches,
    intake::{idempotency_key, remembered},
    schema,
};
use crate::{
    ApiError, App,
    accept::{PostRequest, Poster as _},
    body::{self, BATCH_BYTES_MAX},
    entry::Previewer,
    path::{PathSlug, PathSource},
};

/// Post the body of a producer's own webhook. Its alerts are stored with their deliveries before the answer, but for those that the
/// mapping drops and, of sources that also say what is good, ends of problems that are not open.
///
/// A producer that can't send a bearer token may use HTTP basic authentication, with the API key as the password; PagerDuty's clients
/// may send the key as `routing_key`. Where the space has set a secret for the source, its signature stands in for all of these.
#[utoipa::path(
    post, path = "/spaces/{slug}/ingest/{source}", operation_id = "ingest", tag = "alerts",
    params(
        ("slug" = String, Path, description = "The space"),
        ("source" = String, Path, description = "What sends it: alertmanager, grafana, openmetadata, dbt, pagerduty, cloudevents, great-expectations, dagster, prefect or azure"),
    ),
    request_body(content = serde_json::Value, description = "The body of the producer's webhook"),
    responses(
        (status = 200, description = "What became of it; an event of PagerDuty's that acknowledges, of which nothing is stored", body = schema::IngestAnswer),
        (status = 202, description = "An event of PagerDuty's that is stored", body = schema::PagerDutyEvent),
        (status = "default", response = schema::AnyProblem),
    )
)]
pub(super) async fn post(
    State(app): State<App>,
    PathSlug(slug): PathSlug,
    PathSource(source): PathSource,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    let trace = app.begin_trace(&headers);
    let permitted = Producer::permitted(&app, &slug, &source, headers, request).await?;
    let read = read(&app, &permitted).await;
    let (read, idempotency) = permitted.authorised_for_errors(read).await?;
    let source = permitted.producer.source();
    if read.alerts.is_empty() {
        // No commit checks that the caller may still post.
        permitted.grant().await?;
        return Ok(answer(source, read, &[]));
    }
    let posting = PostRequest {
        alerts: &read.alerts,
        idempotency,
        // Or the history would fill with what is good.
        leaves_out_idle_ends: source.says_what_is_good(),
        listed_max: 0,
        trace,
    };
    let stored = app
        .accept(&permitted, permitted.first.clone(), posting)
        .await
        .map_err(ApiError::asking_to_repeat)?;
    Ok(answer(source, read, &stored.alerts))
}

async fn read(
    app: &App,
    permitted: &Permitted<'_>,
) -> Result<(Read, Option<Idempotency>), ApiError> {
    let (producer, bytes) = (&permitted.producer, &permitted.body);
    let (source, headers) = (producer.source(), producer.headers());
    let key = idempotency_key(headers)?;
    let read = reading::read(app, source, &permitted.first.roster, headers, bytes).await?;
    let idempotency = match (key, &read.event_id) {
        (Some(key), _) => Some(remembered(key, Route::Ingest, bytes)),
        // The event is the same, however it is written.
        (None, Some(event)) => Some(remembered(&event_key(source, event), Route::Ingest, b"")),
        (None, None) => None,
    };
    Ok((read, idempotency))
}

/// The producer's own name of an event as an idempotency key, which is short and has no odd letters.
fn event_key(source: Source, event: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, event.as_bytes());
    format!("{}:{}", source.name(), BASE64_URL_SAFE_NO_PAD.encode(hash))
}

/// Show the alerts that a producer's body becomes, and which connectors match them, without storing anything.
///
/// A `resolved` is shown even where it would end no problem.
#[utoipa::path(
    post, path = "/spaces/{slug}/ingest/{source}/preview", operation_id = "previewIngest", tag = "alerts",
    params(
        ("slug" = String, Path, description = "The space"),
        ("source" = String, Path, description = "What sends it: alertmanager, grafana, openmetadata, dbt, pagerduty, cloudevents, great-expectations, dagster, prefect or azure"),
    ),
    request_body(content = serde_json::Value, description = "The body of the producer's webhook"),
    responses((status = 200, description = "The alerts that it would become", body = schema::IngestPreview<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn preview(
    State(app): State<App>,
    Previewer(entry): Previewer,
    PathSource(source): PathSource,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    let source = Source::parse(&source).ok_or_else(no_source)?;
    let headers = with_media_type(headers);
    let bytes = body::read(&app, &headers, request, BATCH_BYTES_MAX).await?;
    let read = reading::read(&app, source, &entry.roster, &headers, &bytes).await?;
    let shown = read.alerts.iter().take(PREVIEWED_MAX);
    let alerts = shown.map(|prepared| schema::IngestedAlert {
        alert: &prepared.alert,
        warnings: &prepared.warnings,
        connectors: shown_matches(&entry, &prepared.alert),
    });
    let left_out = read.alerts.len().saturating_sub(PREVIEWED_MAX);
    let body = schema::IngestPreview {
        alerts: alerts.collect(),
        alerts_left_out: (left_out > 0).then_some(left_out),
        warnings: &read.warnings,
    };
    Ok(Json(body).into_response())
}

/// A preview shows at most this many alerts: with 500 connectors each of them takes 100 kB.
const PREVIEWED_MAX: usize = 20;
