//! The history of deliveries, their retry and replay, and a connector's health.

use alert_connectors_feed::SpaceEvent;
use alert_connectors_message::DIGEST_ITEMS_MAX;
use alert_connectors_model::{
    Attempt, AuditAction, Delivery, DeliveryId, DeliveryKind, DeliveryState, EndReason, FaultKind,
    FieldReader, Json, rfc3339_millis,
};
use alert_connectors_store::{
    AuditEntry, BlockedConnector, DeliveryQuery, Health, Replay, Replayed, Retried, Subject,
};
use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{connectors::connector_of, fields, intake::raw, schema, usage::usage_of};
use crate::{
    ApiError, App, ErrorKind,
    body::{self, BODY_BYTES_MAX},
    cursor::encode,
    entry::{Editor, Entry, SignedIn, Viewer, operator, permitted},
    page::page_in,
    path::PathId,
    query::Query,
};

/// The states that are replayed by default.
const REPLAYED: [DeliveryState; 3] = [
    DeliveryState::Failed,
    DeliveryState::Expired,
    DeliveryState::Cancelled,
];

/// List a connector's deliveries, newest first.
#[utoipa::path(
    get, path = "/spaces/{slug}/alert-connectors/{id}/deliveries", operation_id = "listDeliveries", tag = "deliveries",
    params(
        ("slug" = String, Path, description = "The space"), ("id" = String, Path, description = "The connector"),
        ("state" = Option<Vec<DeliveryState>>, Query, description = "Repeatable"),
        ("limit" = Option<u16>, Query, description = "1 to 200, 50 if left out", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page of deliveries", body = schema::DeliveryPage<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn of_connector(
    State(app): State<App>,
    Viewer(entry): Viewer,
    PathId(id): PathId,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let connector = connector_of(&entry, &id)?.id;
    let mut query = Query::new(raw.as_deref(), &["state", "limit", "cursor"]);
    let wanted = DeliveryQuery {
        connectors: vec![connector],
        ..page_query(&mut query)
    };
    query.finish()?;
    list(&app, &entry, wanted).await
}

/// List the deliveries of all connectors of a space, newest first.
///
/// A page of a list by `kind` may hold fewer deliveries than its limit, or none, and still have a `next_cursor`.
#[utoipa::path(
    get, path = "/spaces/{slug}/deliveries", operation_id = "listSpaceDeliveries", tag = "deliveries",
    params(
        ("slug" = String, Path, description = "The space"),
        ("state" = Option<Vec<DeliveryState>>, Query, description = "Repeatable"),
        ("kind" = Option<Vec<DeliveryKind>>, Query, description = "Repeatable"),
        ("connector_id" = Option<Vec<String>>, Query, description = "Repeatable; all connectors, deleted ones too, if left out"),
        ("since" = Option<String>, Query, description = "Made at or after this RFC 3339 time"),
        ("until" = Option<String>, Query, description = "Made before this RFC 3339 time"),
        ("limit" = Option<u16>, Query, description = "1 to 200, 50 if left out", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page of deliveries", body = schema::DeliveryPage<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn of_space(
    State(app): State<App>,
    Viewer(entry): Viewer,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let known = [
        "state",
        "kind",
        "connector_id",
        "since",
        "until",
        "limit",
        "cursor",
    ];
    let mut query = Query::new(raw.as_deref(), &known);
    let wanted = DeliveryQuery {
        connectors: query.filter("connector_id", |id| id.parse().ok(), "a connector's id"),
        kinds: query.filter("kind", DeliveryKind::parse, KINDS),
        since: query.since(),
        until: query.until(),
        ..page_query(&mut query)
    };
    query.finish()?;
    list(&app, &entry, wanted).await
}

/// What both lists take: the states, and which page.
fn page_query(query: &mut Query<'_>) -> DeliveryQuery {
    DeliveryQuery {
        states: query.filter("state", DeliveryState::parse, STATES),
        limit: query.limit(),
        before: query.cursor(),
        ..DeliveryQuery::default()
    }
}

async fn list(app: &App, entry: &Entry, query: DeliveryQuery) -> Result<Response, ApiError> {
    let page = app
        .store
        .deliveries(entry.space().id, query, app.expiry())
        .await?;
    let next_cursor = page.next.map(|position| encode(&position.to_string()));
    let items: Vec<_> = page.items.iter().map(schema::Delivery::in_short).collect();
    Ok(axum::Json(schema::DeliveryPage::new(items, next_cursor)).into_response())
}

const STATES: &str = "one of pending, delivered, accepted, failed, expired, cancelled";

const KINDS: &str = "one of opening, raised, renotified, resolved";

/// Show a delivery with its attempts, and what its message says the alert is.
#[utoipa::path(
    get, path = "/spaces/{slug}/deliveries/{id}", operation_id = "getDelivery", tag = "deliveries",
    params(("slug" = String, Path, description = "The space"), ("id" = String, Path, description = "The delivery")),
    responses((status = 200, description = "The delivery", body = schema::Delivery<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn one(
    State(app): State<App>,
    Viewer(entry): Viewer,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let id: DeliveryId = id.parse().map_err(|_malformed| absent())?;
    let found = app
        .store
        .delivery(entry.space().id, id, app.expiry())
        .await?;
    let delivery = found.ok_or_else(absent)?;
    let message = app.store.message(entry.space().id, id, 0).await?;
    let alert = message.as_ref().map(|message| &message.alert);
    let body = schema::Delivery {
        title: alert.map(|alert| alert.title.as_str()),
        severity: alert.map(|alert| alert.severity),
        ..schema::Delivery::of(&delivery)
    };
    Ok(axum::Json(body).into_response())
}

/// Show a delivery's message: as it was sent, with the others of its digest, or as it would be sent.
///
/// It says what its alert said when the delivery was queued, whatever was posted since; a digest says what is known now.
#[utoipa::path(
    get, path = "/spaces/{slug}/deliveries/{id}/message", operation_id = "getDeliveryMessage", tag = "deliveries",
    params(("slug" = String, Path, description = "The space"), ("id" = String, Path, description = "The delivery")),
    responses((status = 200, description = "The message", body = schema::DeliveryMessage), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn message(
    State(app): State<App>,
    Viewer(entry): Viewer,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let id: DeliveryId = id.parse().map_err(|_malformed| absent())?;
    let space = entry.space();
    let found = app.store.message(space.id, id, DIGEST_ITEMS_MAX).await?;
    let message = found.ok_or_else(absent)?;
    let payload = app.engine.message(space, &message);
    let body = schema::DeliveryMessage {
        connector_type: message.connector_type,
        payload: raw(payload.to_vec()),
        digest_size: message.digest_size,
    };
    Ok(axum::Json(body).into_response())
}

fn absent() -> ApiError {
    ApiError::not_found("delivery in this space")
}

/// Queue a delivery again that failed, expired or was cancelled.
#[utoipa::path(
    post, path = "/spaces/{slug}/deliveries/{id}/retry", operation_id = "retryDelivery", tag = "deliveries",
    params(("slug" = String, Path, description = "The space"), ("id" = String, Path, description = "The delivery")),
    responses((status = 202, description = "The delivery, which is pending again", body = schema::Delivery<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn retry(
    State(app): State<App>,
    Editor(mut entry): Editor,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id: DeliveryId = id.parse().map_err(|_malformed| absent())?;
    let (space, expiry) = (entry.space().id, app.expiry());
    let conflict = |detail: String| Err(ApiError::new(ErrorKind::Conflict, detail));
    let retried = permitted!(
        &app,
        &headers,
        entry,
        entry
            .store(
                &app,
                entry.audit_entry(
                    &app,
                    AuditAction::DeliveryRetried,
                    Subject::new(id, "delivery")
                )
            )
            .retry(space, id, expiry)
            .await
    );
    match retried? {
        Retried::Queued => {}
        Retried::Stands(state) => {
            return conflict(format!(
                "Only what failed, expired or was cancelled can be retried; this is {}.",
                state.as_str()
            ));
        }
        Retried::ConnectorGone => {
            return conflict("Its connector is deleted, so it can't be sent.".into());
        }
        Retried::ConnectorInactive => return conflict(INACTIVE.into()),
        Retried::Absent => return Err(absent()),
    }
    let found = app.store.delivery(space, id, app.expiry()).await?;
    let delivery = found.ok_or_else(absent)?;
    let event = SpaceEvent::Delivery {
        id,
        connector_id: delivery.connector_id,
        state: delivery.state,
    };
    app.feed.publish(space, [event]);
    Ok((
        StatusCode::ACCEPTED,
        axum::Json(schema::Delivery::of(&delivery)),
    )
        .into_response())
}

const INACTIVE: &str = "The connector is switched off; switch it on first.";

/// Queue a connector's deliveries again, at most 10,000, oldest first. A delivery that is already pending is not queued twice.
#[utoipa::path(
    post, path = "/spaces/{slug}/alert-connectors/{id}/replay", operation_id = "replayDeliveries", tag = "deliveries",
    params(("slug" = String, Path, description = "The space"), ("id" = String, Path, description = "The connector")),
    request_body(content = schema::Replay, description = "The span whose deliveries are sent again"),
    responses((status = 202, description = "How many were queued again", body = schema::Replayed), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn replay(
    State(app): State<App>,
    Editor(mut entry): Editor,
    PathId(id): PathId,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    let connector = connector_of(&entry, &id)?;
    let subject = Subject::new(connector.id, &*connector.name);
    let connector = connector.id;
    let bytes = body::read(&app, &headers, request, BODY_BYTES_MAX).await?;
    let replay = parse_replay(body::parse(&bytes)?)?;
    let (space, expiry) = (entry.space().id, app.expiry());
    let replayed = permitted!(
        &app,
        &headers,
        entry,
        entry
            .store(&app, replayed_entry(&app, &entry, subject.clone(), &replay))
            .replay(space, connector, replay.clone(), expiry)
            .await
    );
    match replayed? {
        Replayed::Queued(count) => {
            app.feed.publish(space, [SpaceEvent::Resync]);
            Ok((StatusCode::ACCEPTED, axum::Json(schema::Replayed { count })).into_response())
        }
        Replayed::ConnectorInactive => Err(ApiError::new(ErrorKind::Conflict, INACTIVE)),
        Replayed::Absent => Err(ApiError::not_found("connector in this space")),
    }
}

/// The entry about a replay.
fn replayed_entry(app: &App, entry: &Entry, connector: Subject, replay: &Replay) -> AuditEntry {
    let text = |time| Some(rfc3339_millis(time).into());
    entry
        .audit_entry(app, AuditAction::DeliveriesReplayed, connector)
        .changing("since", None, text(replay.since))
        .changing("until", None, replay.until.and_then(text))
        .changing("states", None, Some(json!(replay.states)))
}

fn parse_replay(json: Json<'_>) -> Result<Replay, ApiError> {
    let mut reader = FieldReader::of_body(json).map_err(ApiError::invalid)?;
    let since = reader.required_text("since");
    let since = since.and_then(|text| fields::time(&mut reader, "since", &text));
    let until = reader.optional_text("until");
    let until = until.and_then(|text| fields::time(&mut reader, "until", &text));
    let states = states(&mut reader);
    reader.refuse_unknown(&[]);
    let replay = since.map(|since| Replay {
        since,
        until,
        states,
    });
    reader.finish(replay).map_err(ApiError::invalid)
}

fn states(reader: &mut FieldReader<'_>) -> Vec<DeliveryState> {
    let items = match reader.take("states") {
        None => return REPLAYED.to_vec(),
        Some(Json::List(items)) => items,
        Some(other) => {
            let msg = format!("states must be a list; this is {}.", other.type_name());
            reader.fault("states", FaultKind::WrongType, msg);
            return Vec::new();
        }
    };
    let mut states = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let known = match &item {
            Json::Text(word) => {
                DeliveryState::parse(word).filter(|state| *state != DeliveryState::Pending)
            }
            _ => None,
        };
        match known {
            Some(state) if states.contains(&state) => {}
            Some(state) => states.push(state),
            None => {
                let msg = "A state is one of delivered, accepted, failed, expired, cancelled.";
                reader.fault_of_item("states", index, FaultKind::NotOneOf, msg);
            }
        }
    }
    states
}

/// List the connectors of all spaces whose webhook is blocked, by space: which webhook of which space is dead. Only operators can do
/// this.
#[utoipa::path(
    get, path = "/connectors", operation_id = "listBlockedConnectors", tag = "deliveries",
    params(
        ("state" = String, Query, description = "`blocked`, the only state that is listed across spaces"),
        ("limit" = Option<u16>, Query, description = "1 to 200, 50 if left out", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page of connectors", body = schema::BlockedConnectorPage), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn blocked(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    operator(&caller, "list the connectors of all spaces")?;
    let mut query = Query::new(raw.as_deref(), &["state", "limit", "cursor"]);
    query.exactly_one("state", |text| (text == "blocked").then_some(()), "blocked");
    let found = app.store.blocked_connectors().await?;
    let key = |one: &BlockedConnector| format!("{}\n{}", one.space, one.id);
    let page = page_in(query, found, key)?;
    let answer = page.answer(|items, next_cursor| {
        let items = items.into_iter().map(schema::BlockedConnector::from);
        schema::BlockedConnectorPage::new(items.collect(), next_cursor)
    });
    Ok(axum::Json(answer).into_response())
}

impl From<BlockedConnector> for schema::BlockedConnector {
    fn from(blocked: BlockedConnector) -> Self {
        Self {
            space: blocked.space,
            connector_id: blocked.id,
            connector_name: blocked.name,
            since: rfc3339_millis(blocked.since),
            reason: blocked.reason,
        }
    }
}

/// Show the health of a connector.
#[utoipa::path(
    get, path = "/spaces/{slug}/alert-connectors/{id}/health", operation_id = "getConnectorHealth", tag = "deliveries",
    params(("slug" = String, Path, description = "The space"), ("id" = String, Path, description = "The connector")),
    responses((status = 200, description = "The health of the connector", body = schema::ConnectorHealth), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn health(
    State(app): State<App>,
    Viewer(entry): Viewer,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let connector = connector_of(&entry, &id)?.id;
    let health = app
        .store
        .health(entry.space().id, connector, app.expiry())
        .await?
        .ok_or_else(|| ApiError::not_found("connector in this space"))?;
    Ok(axum::Json(schema::ConnectorHealth::of(health)).into_response())
}

/// Show the health of all connectors of a space, and what it uses of its quota.
#[utoipa::path(
    get, path = "/spaces/{slug}/alert-connectors/health", operation_id = "listConnectorHealth", tag = "deliveries",
    params(("slug" = String, Path, description = "The space")),
    responses((status = 200, description = "The health of each connector", body = schema::ConnectorHealths), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn healths(
    State(app): State<App>,
    Viewer(entry): Viewer,
) -> Result<Response, ApiError> {
    let healths = app.store.healths(entry.space().id, app.expiry()).await?;
    let items = healths.into_iter().map(|health| schema::ConnectorHealth {
        connector_id: Some(health.connector_id),
        ..schema::ConnectorHealth::of(health)
    });
    let body = schema::ConnectorHealths {
        items: items.collect(),
        usage: usage_of(&app, &entry).await?,
    };
    Ok(axum::Json(body).into_response())
}

impl schema::ConnectorHealth {
    fn of(health: Health) -> Self {
        Self {
            connector_id: None,
            state: health.state,
            since: rfc3339_millis(health.since),
            queue_depth: health.queue_depth,
            oldest_pending_at: health.oldest_pending_at.map(rfc3339_millis),
            next_attempt_at: health.next_attempt_at.map(rfc3339_millis),
            last_success_at: health.last_success_at.map(rfc3339_millis),
            last_error: health.last_error,
            consecutive_failures: health.consecutive_failures,
        }
    }
}

impl<'d> schema::Delivery<'d> {
    /// With its attempts.
    pub(super) fn of(delivery: &'d Delivery) -> Self {
        Self {
            attempts: Some(delivery.attempts.iter().map(schema::Attempt::of).collect()),
            ..Self::in_short(delivery)
        }
    }

    fn in_short(delivery: &'d Delivery) -> Self {
        Self {
            id: delivery.id,
            alert_id: delivery.alert_id,
            connector_id: delivery.connector_id,
            connector_name: &delivery.connector_name,
            kind: delivery.kind,
            state: delivery.state,
            reason: delivery.reason.map(EndReason::as_str),
            created_at: rfc3339_millis(delivery.created_at),
            next_attempt_at: delivery.next_attempt_at.map(rfc3339_millis),
            ended_at: delivery.ended_at.map(rfc3339_millis),
            title: None,
            severity: None,
            attempts: None,
        }
    }
}

impl<'d> schema::Attempt<'d> {
    fn of(attempt: &'d Attempt) -> Self {
        Self {
            id: attempt.id,
            started_at: rfc3339_millis(attempt.started_at),
            duration_ms: attempt.duration_ms,
            outcome: attempt.outcome,
            status_code: attempt.status_code,
            error: attempt.error.as_deref(),
            digest_size: attempt.digest_size,
        }
    }
}
