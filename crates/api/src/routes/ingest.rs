//! Takes the bodies of producers' own webhooks, and makes alerts of them.

use alert_connectors_ingest::Source;
use alert_connectors_model::{AlertStatus, Loc, Warning};
use alert_connectors_store::{PreparedAlert, ends_nothing_warning};
use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;

use super::{alerts::matches, gate::Gate, intake::off_if_large, schema};
use crate::{
    ApiError, App, ErrorKind,
    accept::{PostRequest, Poster as _, Stored},
    body::{self, BATCH_BYTES_MAX, Received},
    entry::Viewer,
    path::{PathSlug, PathSource},
};

/// Post the body of a producer's own webhook. Every alert in it is stored with its deliveries before the answer.
///
/// A producer that can't send a bearer token may use HTTP basic authentication, with the API key as the password.
#[utoipa::path(
    post, path = "/spaces/{slug}/ingest/{source}", operation_id = "ingest", tag = "alerts",
    params(
        ("slug" = String, Path, description = "The space"),
        ("source" = String, Path, description = "What sends it: alertmanager, grafana or dbt"),
    ),
    request_body(content = serde_json::Value, description = "The body of the producer's webhook"),
    responses((status = 200, description = "What became of it", body = schema::Ingested), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn post(
    State(app): State<App>,
    PathSlug(slug): PathSlug,
    PathSource(source): PathSource,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    let headers = with_bearer(headers);
    let gate = Gate::new(&app, &headers, &slug);
    let grant = gate.enter().await?;
    let source = gate.held(source_of(&source)).await?;
    let read = read(&app, source, &headers, request).await;
    let (_bytes, read) = gate.held(read).await?;
    if read.alerts.is_empty() {
        // No commit checks that the caller may still post.
        gate.grant().await?;
        return Ok(Json(read.answer(&[])).into_response());
    }
    let posting = PostRequest {
        alerts: &read.alerts,
        idempotency: None,
        // Or the history would fill with what is good.
        leaves_out_idle_ends: source.says_what_is_good(),
        listed_max: 0,
    };
    let accepted = app.accept(&gate, grant, posting).await?;
    Ok(Json(read.answer(&accepted.alerts)).into_response())
}

/// Show the alerts that a producer's body becomes, and which connectors match them, without storing anything.
///
/// A `resolved` is shown even where it would end no problem.
#[utoipa::path(
    post, path = "/spaces/{slug}/ingest/{source}/preview", operation_id = "previewIngest", tag = "alerts",
    params(
        ("slug" = String, Path, description = "The space"),
        ("source" = String, Path, description = "What sends it: alertmanager, grafana or dbt"),
    ),
    request_body(content = serde_json::Value, description = "The body of the producer's webhook"),
    responses((status = 200, description = "The alerts that it would become", body = schema::IngestPreview<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn preview(
    State(app): State<App>,
    Viewer(entry): Viewer,
    PathSource(source): PathSource,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    let source = source_of(&source)?;
    let (_bytes, read) = read(&app, source, &headers, request).await?;
    let shown = read.alerts.iter().take(PREVIEWED_MAX);
    let alerts = shown.map(|prepared| schema::IngestedAlert {
        alert: &prepared.alert,
        warnings: &prepared.warnings,
        connectors: matches(&entry.roster, &prepared.alert),
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

/// A body that was read.
struct Read {
    alerts: Vec<PreparedAlert>,
    /// How many entries are left out.
    ignored: usize,
    warnings: Vec<Warning>,
}

async fn read(
    app: &App,
    source: Source,
    headers: &HeaderMap,
    request: Body,
) -> Result<(Received, Read), ApiError> {
    let bytes = body::read(app, headers, request, BATCH_BYTES_MAX).await?;
    let now = app.clock.now();
    let read = off_if_large(&bytes, move |bytes| alerts_of(source, bytes, now)).await?;
    Ok((bytes, read))
}

fn source_of(name: &str) -> Result<Source, ApiError> {
    Source::parse(name).ok_or_else(no_source)
}

fn no_source() -> ApiError {
    let names: Vec<&str> = Source::ALL.into_iter().map(Source::name).collect();
    let detail = format!(
        "There is no such source; the sources are {}.",
        names.join(", ")
    );
    ApiError::new(ErrorKind::NotFound, detail)
}

fn alerts_of(source: Source, bytes: &Bytes, now: Timestamp) -> Result<Read, ApiError> {
    let mended = body::mended(bytes);
    let ingested = source.read(body::parse(&mended)?, now);
    let ingested = ingested.map_err(ApiError::invalid)?;
    Ok(Read {
        alerts: ingested.alerts.into_iter().map(PreparedAlert::of).collect(),
        ignored: ingested.ignored,
        warnings: ingested.warnings,
    })
}

impl Read {
    fn answer(self, accepted: &[Stored]) -> schema::Ingested {
        let mut answer = schema::Ingested {
            accepted: 0,
            resolved: 0,
            ignored: self.ignored,
            alerts: Vec::new(),
            warnings: Vec::new(),
        };
        let mut warnings = self.warnings;
        for (at, (prepared, stored)) in self.alerts.iter().zip(accepted).enumerate() {
            let accepted = &stored.accepted;
            warnings.extend_from_slice(&prepared.warnings);
            if accepted.ends_nothing {
                warnings.push(ends_nothing_warning(&Loc::body().field("alerts").item(at)));
            }
            match prepared.alert.status {
                _ if !accepted.is_stored => answer.ignored += 1,
                AlertStatus::Active => answer.accepted += 1,
                AlertStatus::Resolved => answer.resolved += 1,
            }
            answer
                .alerts
                .extend(accepted.is_stored.then_some(accepted.id));
        }
        answer.warnings = Warning::at_most(warnings, &Loc::body());
        answer
    }
}

/// The headers, with the password of basic authentication as the bearer's token.
fn with_bearer(mut headers: HeaderMap) -> HeaderMap {
    let bearer = headers.get(header::AUTHORIZATION).and_then(password);
    if let Some(bearer) = bearer {
        headers.insert(header::AUTHORIZATION, bearer);
    }
    headers
}

fn password(authorization: &HeaderValue) -> Option<HeaderValue> {
    let (scheme, credentials) = authorization.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = String::from_utf8(BASE64_STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (_user, password) = credentials.split_once(':')?;
    let mut bearer = HeaderValue::try_from(format!("Bearer {password}")).ok()?;
    bearer.set_sensitive(true);
    Some(bearer)
}
