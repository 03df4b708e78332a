//! The given contract: connectors of a space, and the test call.

use std::{num::NonZeroU32, sync::Arc};

use alert_connectors_delivery::{TestReport, TestTarget};
use alert_connectors_feed::SpaceEvent;
use alert_connectors_model::{
    AuditAction, CONNECTORS_PER_SPACE_MAX, Connector, ConnectorChange, ConnectorId, Role, SpaceId,
    WebhookUrl, parse_connector_change, parse_new_connector, parse_webhook, rfc3339_seconds,
};
use alert_connectors_store::{
    AuditEntry, Changed, ConnectorCreation, Created, StoreError, Subject,
};
use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::schema;
use crate::{
    ApiError, App, ErrorKind,
    body::{self, BODY_BYTES_MAX},
    entry::{Editor, Entry, TRIES_MAX, Viewer, permitted},
    path::PathId,
};

impl<'c> schema::Connector<'c> {
    /// Callers who may edit connectors see the whole URL, others only its host.
    fn of(connector: &'c Connector, role: Role) -> Self {
        let url = &connector.webhook_url;
        Self {
            id: connector.id,
            space_id: connector.space_id,
            name: &connector.name,
            connector_type: connector.connector_type,
            webhook_url: if role >= Role::Editor {
                url.expose().to_owned()
            } else {
                url.masked()
            },
            is_active: connector.is_active,
            severity_filter: connector.severity_filter.severities(),
            alert_type_filter: connector.alert_type_filter.types(),
            created_by: &connector.created_by,
            created_at: rfc3339_seconds(connector.created_at),
            updated_at: rfc3339_seconds(connector.updated_at),
        }
    }
}

/// List all connectors of a space, oldest first.
#[utoipa::path(
    get, path = "/spaces/{slug}/alert-connectors", operation_id = "listConnectors", tag = "connectors",
    params(("slug" = String, Path, description = "The space")),
    responses((status = 200, description = "The connectors of the space, oldest first", body = [schema::Connector<'static>]), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn list(Viewer(entry): Viewer) -> Response {
    let bodies: Vec<_> = entry
        .roster
        .connectors
        .iter()
        .map(|connector| schema::Connector::of(connector, entry.role))
        .collect();
    Json(bodies).into_response()
}

/// Create a connector.
#[utoipa::path(
    post, path = "/spaces/{slug}/alert-connectors", operation_id = "createConnector", tag = "connectors",
    params(("slug" = String, Path, description = "The space")),
    request_body(content = schema::NewConnector, description = "The connector to make"),
    responses((status = 201, description = "The connector", body = schema::Connector<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn create(
    State(app): State<App>,
    Editor(mut entry): Editor,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    let bytes = body::read(&app, &headers, request, BODY_BYTES_MAX).await?;
    let new = parse_new_connector(body::parse(&bytes)?, &app.rules).map_err(ApiError::invalid)?;
    let now = app.clock.now();
    let quota = app.quotas.of(entry.space()).connectors;
    let creation = ConnectorCreation {
        id: ConnectorId::new(now, &*app.random),
        new,
        creator: entry.caller.user.clone(),
        now,
        connectors_max: quota.map_or(CONNECTORS_PER_SPACE_MAX, |most| most.get() as usize),
    };
    let created = permitted!(
        &app,
        &headers,
        entry,
        entry
            .store(&app, created_entry(&app, &entry, &creation))
            .create_connector(entry.space().id, creation.clone())
            .await
    );
    match created? {
        Created::Made(connector) => {
            app.publish_connector(entry.space().id, connector.id).await;
            let body = schema::Connector::of(&connector, entry.role);
            Ok((StatusCode::CREATED, Json(body)).into_response())
        }
        Created::TooMany => Err(too_many(quota)),
        Created::NoSpace => Err(ApiError::not_found("space")),
    }
}

/// The space has as many connectors as it may have.
fn too_many(quota: Option<NonZeroU32>) -> ApiError {
    let detail = match quota {
        Some(most) if (most.get() as usize) < CONNECTORS_PER_SPACE_MAX => format!(
            "The space has as many connectors as it may: the limit connectors is {most}; delete one first."
        ),
        _ => format!(
            "The space has {CONNECTORS_PER_SPACE_MAX} connectors, which is the maximum; delete one first."
        ),
    };
    ApiError::new(ErrorKind::Conflict, detail)
}

/// The entry about a connector that is made.
fn created_entry(app: &App, entry: &Entry, creation: &ConnectorCreation) -> AuditEntry {
    let new = &creation.new;
    let subject = Subject::new(creation.id, &*new.name);
    entry
        .audit_entry(app, AuditAction::ConnectorCreated, subject)
        .changing("connector_type", None, Some(json!(new.connector_type)))
        .changing("webhook_url", None, Some(new.webhook_url.masked().into()))
        .changing("is_active", None, Some(new.is_active.into()))
        .changing(
            "severity_filter",
            None,
            Some(json!(new.severity_filter.severities())),
        )
        .changing(
            "alert_type_filter",
            None,
            Some(json!(new.alert_type_filter.types())),
        )
}

/// The audit entry of a connector's update, or `None` if no field changes. A webhook URL is a secret, so the entry shows its masked
/// form only.
fn updated_entry(
    app: &App,
    entry: &Entry,
    current: &Connector,
    change: &ConnectorChange,
) -> Option<AuditEntry> {
    let changes = [
        (
            "name",
            json!(current.name),
            change.name.as_ref().map(|name| json!(name)),
        ),
        (
            "connector_type",
            json!(current.connector_type),
            change.connector_type.map(|one| json!(one)),
        ),
        (
            "webhook_url",
            json!(current.webhook_url.masked()),
            change
                .webhook_url
                .as_ref()
                .map(|url| json!(shown(url, current))),
        ),
        (
            "is_active",
            json!(current.is_active),
            change.is_active.map(Value::from),
        ),
        (
            "severity_filter",
            json!(current.severity_filter.severities()),
            change
                .severity_filter
                .as_ref()
                .map(|one| json!(one.severities())),
        ),
        (
            "alert_type_filter",
            json!(current.alert_type_filter.types()),
            change
                .alert_type_filter
                .as_ref()
                .map(|one| json!(one.types())),
        ),
    ];
    let subject = Subject::new(current.id, &*current.name);
    let done = entry.audit_entry(app, AuditAction::ConnectorUpdated, subject);
    let done = changes
        .into_iter()
        .fold(done, |done, (field, before, after)| match after {
            Some(after) => done.changing(field, Some(before), Some(after)),
            None => done,
        });
    (!done.changes.is_empty()).then_some(done)
}

/// What is shown of a connector's new URL. Another one of the same host differs in words.
fn shown(url: &WebhookUrl, current: &Connector) -> String {
    let (masked, before) = (url.masked(), current.webhook_url.masked());
    if url.expose() != current.webhook_url.expose() && masked == before {
        return format!("{masked} (another)");
    }
    masked
}

impl App {
    /// Tells those who watch the space that a connector changed, and how it is now.
    async fn publish_connector(&self, space: SpaceId, id: ConnectorId) {
        self.feed.publish(space, [SpaceEvent::Connector(id)]);
        if !self.feed.is_space_watched(space) {
            return;
        }
        // Where its health can't be read, it is gone, or the next event tells it.
        if let Ok(Some(health)) = self.store.health(space, id, self.expiry()).await {
            let event = SpaceEvent::Health {
                connector_id: id,
                state: health.state,
            };
            self.feed.publish(space, [event]);
        }
    }
}

/// One connector of the space.
pub(super) fn connector_of<'e>(entry: &'e Entry, id: &str) -> Result<&'e Arc<Connector>, ApiError> {
    let id = id.parse::<ConnectorId>().ok();
    let found = entry
        .roster
        .connectors
        .iter()
        .find(|connector| Some(connector.id) == id);
    found.ok_or_else(|| ApiError::not_found("connector in this space"))
}

/// Show one connector.
#[utoipa::path(
    get, path = "/spaces/{slug}/alert-connectors/{id}", operation_id = "getConnector", tag = "connectors",
    params(("slug" = String, Path, description = "The space"), ("id" = String, Path, description = "The connector")),
    responses((status = 200, description = "The connector", body = schema::Connector<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn one(Viewer(entry): Viewer, PathId(id): PathId) -> Result<Response, ApiError> {
    let connector = connector_of(&entry, &id)?;
    Ok(Json(schema::Connector::of(connector, entry.role)).into_response())
}

/// Update a connector. Only the fields that are given change.
#[utoipa::path(
    patch, path = "/spaces/{slug}/alert-connectors/{id}", operation_id = "updateConnector", tag = "connectors",
    params(("slug" = String, Path, description = "The space"), ("id" = String, Path, description = "The connector")),
    request_body(content = schema::ConnectorChange, description = "What is to change; what is left out stays"),
    responses((status = 200, description = "The connector as it is now", body = schema::Connector<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn change(
    State(app): State<App>,
    Editor(mut entry): Editor,
    PathId(id): PathId,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    connector_of(&entry, &id)?;
    let bytes = body::read(&app, &headers, request, BODY_BYTES_MAX).await?;
    for _ in 0..TRIES_MAX {
        let current = connector_of(&entry, &id)?;
        let change = parse_connector_change(body::parse(&bytes)?, current, &app.rules)
            .map_err(ApiError::invalid)?;
        let (space_id, version) = (entry.space().id, entry.roster.version);
        let changed = entry
            .store(&app, updated_entry(&app, &entry, current, &change))
            .change_connector(space_id, version, current.id, change, app.clock.now())
            .await;
        match changed {
            Ok(Changed::Now(connector)) => {
                app.publish_connector(space_id, connector.id).await;
                return Ok(Json(schema::Connector::of(&connector, entry.role)).into_response());
            }
            Ok(Changed::Absent) => return Err(ApiError::not_found("connector in this space")),
            Ok(Changed::Stale) | Err(StoreError::Stale) => {
                entry.again(&app, &headers).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(ApiError::unavailable(
        "The space's connectors change too fast; repeat the request.",
    ))
}

/// Delete a connector. What is pending on it is cancelled; its history stays.
#[utoipa::path(
    delete, path = "/spaces/{slug}/alert-connectors/{id}", operation_id = "deleteConnector", tag = "connectors",
    params(("slug" = String, Path, description = "The space"), ("id" = String, Path, description = "The connector")),
    responses((status = 204, description = "It is gone"), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn delete(
    State(app): State<App>,
    Editor(mut entry): Editor,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let connector = connector_of(&entry, &id)?;
    let (id, now) = (connector.id, app.clock.now());
    let subject = Subject::new(id, &*connector.name);
    let deleted = permitted!(
        &app,
        &headers,
        entry,
        entry
            .store(
                &app,
                entry.audit_entry(&app, AuditAction::ConnectorDeleted, subject.clone())
            )
            .delete_connector(entry.space().id, id, now)
            .await
    );
    if deleted? {
        app.publish_connector(entry.space().id, id).await;
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found("connector in this space"))
    }
}

/// Send a test message at once, whether or not the connector is active.
#[utoipa::path(
    post, path = "/spaces/{slug}/alert-connectors/{id}/test", operation_id = "testConnector", tag = "connectors",
    params(("slug" = String, Path, description = "The space"), ("id" = String, Path, description = "The connector")),
    responses((status = 200, description = "What came of the test message, also where it failed", body = schema::TestResult), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn test(
    State(app): State<App>,
    Editor(entry): Editor,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let connector = connector_of(&entry, &id)?;
    let tested = app
        .engine
        .test((&**connector).into(), &entry.space().name)
        .await;
    Ok(Json(schema::TestResult::of(tested?)).into_response())
}

/// Send a test message to a webhook that no connector has yet.
#[utoipa::path(
    post, path = "/spaces/{slug}/alert-connectors/test", operation_id = "testWebhook", tag = "connectors",
    params(("slug" = String, Path, description = "The space")),
    request_body(content = schema::Webhook, description = "The webhook to test"),
    responses((status = 200, description = "What came of the test message, also where it failed", body = schema::TestResult), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn test_webhook(
    State(app): State<App>,
    Editor(mut entry): Editor,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    let bytes = body::read(&app, &headers, request, BODY_BYTES_MAX).await?;
    let webhook = parse_webhook(body::parse(&bytes)?, &app.rules);
    let (connector_type, webhook_url) = webhook.map_err(ApiError::invalid)?;
    // The body may have been long on its way, and a message is sent now.
    entry.again(&app, &headers).await?;
    app.test_limit.count(entry.space().id).map_err(|wait| {
        ApiError::too_many(
            "At most 20 tests of new webhooks in a minute for each space; wait a little.",
            wait,
        )
    })?;
    let target = TestTarget {
        connector_type,
        destination: app.store.destination(&webhook_url),
        webhook_url: &webhook_url,
        name: "New connector",
    };
    let tested = app.engine.test(target, &entry.space().name).await;
    Ok(Json(schema::TestResult::of(tested?)).into_response())
}

impl schema::TestResult {
    fn of(report: TestReport) -> Self {
        Self {
            success: report.success,
            status_code: report.status_code,
            error: report.error,
        }
    }
}
