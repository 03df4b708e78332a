//! The history of alerts, and resolving one.

use std::sync::Arc;

use alert_connectors_feed::SpaceEvent;
use alert_connectors_model::{
    Alert, AlertId, AlertStatus, AlertType, AuditAction, Matched, Severity, SpaceId, Warning,
    dedup_key, rfc3339_millis,
};
use alert_connectors_store::{
    AcceptedDelivery, AlertQuery, AlertRecord, AlertSummary, Erased, Erasure, Resolution, Roster,
    Subject,
};
use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::schema::{self, Warnings};
use crate::{
    ApiError, App,
    accept::Stored,
    cursor::encode,
    entry::{Admin, Editor, Entry, TRIES_MAX, Viewer, permitted},
    list_body::ListBody,
    path::PathId,
    query::Query,
    serialised::{serialised, write_json},
};

/// List alerts, newest first. A page of very long alerts ends before its limit.
#[utoipa::path(
    get, path = "/spaces/{slug}/alerts", operation_id = "listAlerts", tag = "alerts",
    params(
        ("slug" = String, Path, description = "The space"),
        ("status" = Option<Vec<AlertStatus>>, Query, description = "Repeatable"),
        ("severity" = Option<Vec<Severity>>, Query, description = "Repeatable"),
        ("alert_type" = Option<Vec<String>>, Query, description = "Repeatable"),
        ("dedup_key" = Option<Vec<String>>, Query, description = "Repeatable"),
        ("since" = Option<String>, Query, description = "Received at or after this RFC 3339 time"),
        ("until" = Option<String>, Query, description = "Received before this RFC 3339 time"),
        ("limit" = Option<u16>, Query, description = "1 to 200, 50 if left out", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page of alerts", body = schema::AlertPage), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn list(
    State(app): State<App>,
    Viewer(entry): Viewer,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let mut query = alert_query(raw.as_deref())?;
    let mut list = ListBody::new(r#"{"items":["#);
    let (mut wanted, mut written) = (query.limit, 0);
    query.limit = wanted.min(READ_FIRST);
    let next = loop {
        let page = app
            .store
            .alerts(entry.space().id, query.clone(), app.expiry());
        let page = page.await?;
        written += page.items.len();
        wanted -= page.items.len();
        for record in page.items {
            list.push(&record_json(entry.space().id, &record)).await;
        }
        query.before = page.next;
        let room = PAGE_BYTES_MAX.saturating_sub(list.len());
        if page.next.is_none() || wanted == 0 || room == 0 {
            break page.next;
        }
        // As many as there is room for, if they are like those before.
        let each = list.len() / written.max(1) + 1;
        query.limit = (room / each).clamp(1, wanted);
    };
    let next = next.map(|position| encode(&position.to_string()));
    let next = serialised(&next);
    Ok(json(list.finish(&format!(r#"],"next_cursor":{next}}}"#))))
}

/// A page ends early once it has this many bytes: an alert may take 700 kB.
const PAGE_BYTES_MAX: usize = 2 * 1_024 * 1_024;
/// How many alerts are read first, to see how long they are.
const READ_FIRST: usize = 10;

fn alert_query(raw: Option<&str>) -> Result<AlertQuery, ApiError> {
    let known = [
        "status",
        "severity",
        "alert_type",
        "dedup_key",
        "since",
        "until",
        "limit",
        "cursor",
    ];
    let mut query = Query::new(raw, &known);
    let parsed = AlertQuery {
        statuses: query.filter("status", AlertStatus::parse, "active or resolved"),
        severities: query.filter(
            "severity",
            Severity::parse,
            "one of low, medium, high, critical",
        ),
        alert_types: query.filter(
            "alert_type",
            AlertType::parse,
            "an alert type (1 to 64 of a-z 0-9 _ . -)",
        ),
        dedup_keys: query.filter("dedup_key", |key| Some(dedup_key(key)), ""),
        since: query.since(),
        until: query.until(),
        limit: query.limit(),
        before: query.cursor(),
    };
    query.finish()?;
    Ok(parsed)
}

/// Count the alerts of a space since a time, by type and severity.
#[utoipa::path(
    get, path = "/spaces/{slug}/alerts/summary", operation_id = "getAlertSummary", tag = "alerts",
    params(
        ("slug" = String, Path, description = "The space"),
        ("since" = Option<String>, Query, description = "Received at or after the hour of this time; the last seven days if left out, and at most 30 days", format = DateTime),
    ),
    responses((status = 200, description = "How many alerts came", body = schema::AlertSummary<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn summary(
    State(app): State<App>,
    Viewer(entry): Viewer,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let mut query = Query::new(raw.as_deref(), &["since"]);
    let wanted = query.since();
    query.finish()?;
    let now = app.clock.now();
    let before = |span| now.checked_sub(span).unwrap_or(Timestamp::MIN);
    let wanted = wanted.unwrap_or_else(|| before(SUMMARY_DEFAULT));
    let since = wanted.max(before(AlertSummary::LONGEST));
    let summary = app.store.summary(entry.space().id, since).await?;
    let items = summary.kinds.iter().map(|kind| schema::AlertCount {
        alert_type: kind.alert_type.as_str(),
        severity: kind.severity,
        count: kind.count,
    });
    let body = schema::AlertSummary {
        since: rfc3339_millis(summary.since),
        items: items.collect(),
        other: summary.other,
    };
    Ok(axum::Json(body).into_response())
}

/// How far a summary reaches back by default.
const SUMMARY_DEFAULT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Show an alert with its deliveries, their attempts, and what today's connectors would do with it.
#[utoipa::path(
    get, path = "/spaces/{slug}/alerts/{id}", operation_id = "getAlert", tag = "alerts",
    params(("slug" = String, Path, description = "The space"), ("id" = String, Path, description = "The alert")),
    responses((status = 200, description = "The alert", body = schema::AlertDetails), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn one(
    State(app): State<App>,
    Viewer(entry): Viewer,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let id: AlertId = id.parse().map_err(|_malformed| absent())?;
    let record = app
        .store
        .alert(entry.space().id, id, app.expiry())
        .await?
        .ok_or_else(absent)?;
    let deliveries = app
        .store
        .deliveries_of(entry.space().id, id, app.expiry())
        .await?;
    let tail = schema::AlertDetailsTail {
        warnings: Warnings::Stored(&record.warnings),
        deliveries: deliveries.iter().map(schema::Delivery::of).collect(),
        connectors: matches(&entry.roster, &record.alert),
    };
    let head = head_of(entry.space().id, &record);
    Ok(json(in_one(&head, &serialised(&record.alert), &tail)))
}

fn absent() -> ApiError {
    ApiError::not_found("alert in this space")
}

/// Resolve an ongoing problem. Resolving it again changes nothing.
#[utoipa::path(
    patch, path = "/spaces/{slug}/alerts/{id}/resolve", operation_id = "resolveAlert", tag = "alerts",
    params(("slug" = String, Path, description = "The space"), ("id" = String, Path, description = "The alert")),
    responses((status = 200, description = "The alert, which is resolved", body = schema::Alert), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn resolve(
    State(app): State<App>,
    Editor(mut entry): Editor,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id: AlertId = id.parse().map_err(|_malformed| absent())?;
    for _ in 0..TRIES_MAX {
        let subject = Subject::new(id, "alert");
        let done = entry.audit_entry(&app, AuditAction::AlertResolved, subject);
        let (roster, store) = (Arc::clone(&entry.roster), entry.store(&app, done));
        match store.resolve(roster, id, app.expiry()).await? {
            Resolution::Now(record) => {
                let events = SpaceEvent::of_alert(record.id, &record.deliveries);
                app.feed.publish(entry.space().id, events);
                return Ok(json(record_json(entry.space().id, &record)));
            }
            Resolution::Absent => return Err(absent()),
            Resolution::Stale => entry.again(&app, &headers).await?,
        }
    }
    Err(ApiError::unavailable(
        "The space's connectors change too fast; repeat the request.",
    ))
}

/// Erase one alert with its deliveries: pending ones too, though a message that is on its way may still arrive. Only admins can do
/// this.
#[utoipa::path(
    delete, path = "/spaces/{slug}/alerts/{id}", operation_id = "eraseAlert", tag = "alerts",
    params(("slug" = String, Path, description = "The space"), ("id" = String, Path, description = "The alert")),
    responses((status = 204, description = "It is gone"), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn erase(
    State(app): State<App>,
    Admin(entry): Admin,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id: AlertId = id.parse().map_err(|_malformed| absent())?;
    let subject = Subject::new(id, "alert");
    match erased(&app, &headers, entry, &Erasure::One(id), subject).await? {
        Erased(0) => Err(absent()),
        Erased(_) => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Erase all alerts of one `dedup_key` with their deliveries, likewise. Only admins can do this.
#[utoipa::path(
    delete, path = "/spaces/{slug}/alerts", operation_id = "eraseAlerts", tag = "alerts",
    params(
        ("slug" = String, Path, description = "The space"),
        ("dedup_key" = String, Query, description = "The key of the problem"),
    ),
    responses((status = 200, description = "How many alerts are gone", body = schema::ErasedAlerts), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn erase_problem(
    State(app): State<App>,
    Admin(entry): Admin,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let mut query = Query::new(raw.as_deref(), &["dedup_key"]);
    let key = query.exactly_one(
        "dedup_key",
        |text| Some(dedup_key(text)),
        "the key of the problem to erase",
    );
    query.finish()?;
    // A query without a fault has it.
    let key = key.ok_or_else(absent)?;
    let subject = Subject::named(&*key);
    let Erased(count) = erased(&app, &headers, entry, &Erasure::Problem(key), subject).await?;
    Ok(axum::Json(schema::ErasedAlerts { count }).into_response())
}

async fn erased(
    app: &App,
    headers: &HeaderMap,
    mut entry: Entry,
    erasure: &Erasure,
    subject: Subject,
) -> Result<Erased, ApiError> {
    let erased = permitted!(app, headers, entry, {
        let done = entry.audit_entry(app, AuditAction::AlertsErased, subject.clone());
        let space = entry.space().id;
        entry.store(app, done).erase(space, erasure.clone()).await
    });
    app.feed.publish(entry.space().id, [SpaceEvent::Resync]);
    Ok(erased?)
}

pub(super) fn json(text: impl Into<Body>) -> Response {
    (
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )],
        text.into(),
    )
        .into_response()
}

/// What stands before what an alert says.
fn head_of(space_id: SpaceId, record: &AlertRecord) -> schema::AlertHead {
    schema::AlertHead {
        id: record.id,
        space_id,
        received_at: rfc3339_millis(record.received_at),
        occurrences: record.occurrences,
    }
}

/// What stands around what an alert says usually takes fewer bytes than this.
const AROUND_BYTES: usize = 1_024;

/// An alert as one object. The JSON of what it says is copied, not parsed again.
fn in_one(head: &schema::AlertHead, content: &str, tail: &impl Serialize) -> String {
    let mut text = Vec::with_capacity(AROUND_BYTES + content.len());
    write_json(&mut text, head);
    join(&mut text, |text| text.extend_from_slice(content.as_bytes()));
    join(&mut text, |text| write_json(text, tail));
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// Writes the fields of a further object into the one that ends the text.
fn join(text: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    text.pop();
    let comma = text.len();
    write(text);
    if let Some(beginning) = text.get_mut(comma) {
        *beginning = b',';
    }
}

/// The answer to an alert that was just accepted.
pub(super) fn alert_json(
    space_id: SpaceId,
    stored: &Stored,
    content: &str,
    warnings: &[Warning],
) -> String {
    let Stored { accepted, left_out } = stored;
    let head = schema::AlertHead {
        id: accepted.id,
        space_id,
        received_at: rfc3339_millis(accepted.received_at),
        occurrences: accepted.occurrences,
    };
    let tail = schema::AlertTail {
        warnings: Warnings::Fresh(warnings),
        deliveries: summaries(&accepted.deliveries),
        deliveries_left_out: (*left_out > 0).then_some(*left_out),
    };
    in_one(&head, content, &tail)
}

fn record_json(space_id: SpaceId, record: &AlertRecord) -> String {
    let left_out = record.deliveries_left_out;
    let tail = schema::AlertTail {
        warnings: Warnings::Stored(&record.warnings),
        deliveries: summaries(&record.deliveries),
        deliveries_left_out: (left_out > 0).then_some(left_out),
    };
    in_one(
        &head_of(space_id, record),
        &serialised(&record.alert),
        &tail,
    )
}

fn summaries(deliveries: &[AcceptedDelivery]) -> Vec<schema::DeliverySummary<'_>> {
    let summaries = deliveries.iter().map(|delivery| schema::DeliverySummary {
        id: delivery.id,
        connector_id: delivery.connector_id,
        connector_name: &delivery.connector_name,
        state: delivery.state,
    });
    summaries.collect()
}

/// What the filters of each connector make of an alert.
fn matches<'r>(roster: &'r Roster, alert: &Alert) -> Vec<schema::ConnectorMatch<'r>> {
    let one = |connector: &'r std::sync::Arc<alert_connectors_model::Connector>| {
        let rule = connector.matches(alert);
        schema::ConnectorMatch {
            connector_id: connector.id,
            connector_name: &connector.name,
            connector_type: connector.connector_type,
            matched: rule == Matched::Matched,
            rule,
        }
    };
    roster.connectors.iter().map(one).collect()
}

/// The same, as previews show it. A key that may only send stands in the addresses of hooks, which many people may see, so it is shown no more
/// than what posting shows: the connectors that match.
pub(super) fn shown_matches<'r>(
    entry: &'r Entry,
    alert: &Alert,
) -> Vec<schema::ConnectorMatch<'r>> {
    let mut shown = matches(&entry.roster, alert);
    if entry.caller.only_sends() {
        shown.retain(|one| one.matched);
    }
    shown
}
