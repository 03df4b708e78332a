//! When the connectors of a space were switched off.

use alert_connectors_model::rfc3339_millis;
use alert_connectors_store::{Pause, PauseEnd, PauseQuery};
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};

use super::schema;
use crate::{ApiError, App, entry::Viewer, query::Query};

/// List when the connectors of a space were switched off, newest first.
///
/// What came meanwhile was not queued for them. The list of alerts shows it by the filters and the times of a pause; an empty filter of
/// types lets nothing through, and of a problem that was opened before only the beginning is listed.
#[utoipa::path(
    get, path = "/spaces/{slug}/pauses", operation_id = "listPauses", tag = "deliveries",
    params(
        ("slug" = String, Path, description = "The space"),
        ("connector_id" = Option<String>, Query, description = "Of this connector; of all, deleted ones too, if left out"),
        ("since" = Option<String>, Query, description = "Not over before this RFC 3339 time"),
        ("until" = Option<String>, Query, description = "Begun before this RFC 3339 time"),
    ),
    responses((status = 200, description = "The newest 200 pauses", body = schema::Pauses<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn list(
    State(app): State<App>,
    Viewer(entry): Viewer,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let mut query = Query::new(raw.as_deref(), &["connector_id", "since", "until"]);
    let wanted = PauseQuery {
        connector: query.one("connector_id", |id| id.parse().ok(), "a connector's id"),
        since: query.since(),
        until: query.until(),
    };
    query.finish()?;
    let pauses = app.store.pauses(entry.space().id, wanted).await?;
    let items = pauses.iter().map(schema::Pause::of).collect();
    Ok(axum::Json(schema::Pauses { items }).into_response())
}

impl<'p> schema::Pause<'p> {
    fn of(pause: &'p Pause) -> Self {
        Self {
            connector_id: pause.connector_id,
            connector_name: &pause.connector_name,
            began_at: rfc3339_millis(pause.began_at),
            ended_at: pause.end.map(|end| {
                let (PauseEnd::SwitchedOn(at) | PauseEnd::Deleted(at)) = end;
                rfc3339_millis(at)
            }),
            ended_by: pause.end.map(|end| match end {
                PauseEnd::SwitchedOn(_) => schema::PauseEndedBy::SwitchedOn,
                PauseEnd::Deleted(_) => schema::PauseEndedBy::Deleted,
            }),
            severity_filter: pause.severity_filter.severities(),
            alert_type_filter: pause.alert_type_filter.types(),
        }
    }
}
