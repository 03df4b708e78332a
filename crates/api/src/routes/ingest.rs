//! What producers send as it stands: each body becomes alerts.

use std::collections::HashSet;

use alert_connectors_ingest::Source;
use alert_connectors_model::{AlertId, AlertStatus, Loc, SpaceId, Warning};
use alert_connectors_store::{AlertQuery, PreparedAlert, ends_nothing_warning};
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

/// At most this many warnings are listed; a last one counts the others.
const WARNINGS_MAX: usize = 100;

/// Post what a producer sends, as it stands. Each alert in it is stored with its deliveries before the answer.
///
/// HTTP basic authentication does too, with the API key as the password, for producers that can do no other.
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
    let (_bytes, mut read) = gate.held(read).await?;
    if source.says_what_is_good() {
        read = without_idle_ends(&app, grant.roster.space.id, read).await?;
    }
    if read.alerts.is_empty() {
        // No commit checks that the caller may still post.
        gate.grant().await?;
        return Ok(Json(read.answer(&[])).into_response());
    }
    let posting = PostRequest {
        alerts: &read.alerts,
        idempotency: None,
        listed_max: 0,
    };
    let accepted = app.accept(&gate, grant, posting).await?;
    Ok(Json(read.answer(&accepted.alerts)).into_response())
}

/// Show what would come of a producer's body, and who would hear of it, without storing anything.
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
    let ingested = source
        .read(body::parse(bytes)?, now)
        .map_err(ApiError::invalid)?;
    Ok(Read {
        alerts: ingested.alerts.into_iter().map(PreparedAlert::of).collect(),
        ignored: ingested.ignored,
        warnings: ingested.warnings,
    })
}

/// Leaves out what is good and was not bad: a source that says of everything that it is good would fill the history with it.
async fn without_idle_ends(app: &App, space: SpaceId, mut read: Read) -> Result<Read, ApiError> {
    let is_end = |one: &PreparedAlert| one.alert.status == AlertStatus::Resolved;
    let ends = read.alerts.iter().filter(|one| is_end(one));
    let keys: Vec<String> = ends.filter_map(|one| one.alert.dedup_key.clone()).collect();
    let mut active = HashSet::new();
    for keys in keys.chunks(KEYS_A_LOOK) {
        let query = AlertQuery {
            statuses: vec![AlertStatus::Active],
            dedup_keys: keys.to_vec(),
            limit: keys.len(),
            ..AlertQuery::default()
        };
        let page = app.store.alerts(space, query, app.expiry()).await?;
        active.extend(
            page.items
                .into_iter()
                .filter_map(|record| record.alert.dedup_key.clone()),
        );
    }
    let all = read.alerts.len();
    // One body may say that something is bad, and then that it is good.
    for one in read.alerts.iter().filter(|one| !is_end(one)) {
        active.extend(one.alert.dedup_key.clone());
    }
    let is_bad = |key: &Option<String>| key.as_ref().is_some_and(|key| active.contains(key));
    read.alerts
        .retain(|one| !is_end(one) || is_bad(&one.alert.dedup_key));
    read.ignored += all - read.alerts.len();
    Ok(read)
}

/// So many problems are looked up at once.
const KEYS_A_LOOK: usize = 50;

impl Read {
    fn answer(self, stored: &[Stored]) -> schema::Ingested {
        let count = |status| {
            self.alerts
                .iter()
                .filter(|one| one.alert.status == status)
                .count()
        };
        let (accepted, resolved) = (count(AlertStatus::Active), count(AlertStatus::Resolved));
        let ids: Vec<AlertId> = stored.iter().map(|one| one.accepted.id).collect();
        let mut warnings = self.warnings;
        for (at, (prepared, stored)) in self.alerts.iter().zip(stored).enumerate() {
            warnings.extend_from_slice(&prepared.warnings);
            if stored.accepted.ends_nothing {
                warnings.push(ends_nothing_warning(&Loc::body().field("alerts").item(at)));
            }
        }
        schema::Ingested {
            accepted,
            resolved,
            ignored: self.ignored,
            alerts: ids,
            warnings: bounded(warnings),
        }
    }
}

fn bounded(mut warnings: Vec<Warning>) -> Vec<Warning> {
    if warnings.len() > WARNINGS_MAX {
        let more = warnings.len() - WARNINGS_MAX;
        warnings.truncate(WARNINGS_MAX);
        warnings.push(Warning {
            loc: Loc::body(),
            msg: format!("{more} more warnings are not listed."),
        });
    }
    warnings
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
