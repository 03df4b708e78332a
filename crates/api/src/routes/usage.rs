//! What a space uses of what it may have.

use alert_connectors_model::rfc3339_millis;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};

use super::schema;
use crate::{
    ApiError, App, Quota,
    entry::{Entry, Viewer},
    quotas::day_of,
};

/// Show what a space uses of what it may have.
///
/// Null means no limit. A request beyond one is answered 429, or 503 to a producer's webhook, since many producers drop what
/// was answered 429; `Retry-After` says how long to wait.
#[utoipa::path(
    get, path = "/spaces/{slug}/usage", operation_id = "getUsage", tag = "alerts",
    params(("slug" = String, Path, description = "The space")),
    responses((status = 200, description = "What is used, and the limits", body = schema::Usage), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn show(
    State(app): State<App>,
    Viewer(entry): Viewer,
) -> Result<Response, ApiError> {
    Ok(Json(usage_of(&app, &entry).await?).into_response())
}

/// What a space uses of what it may have, now.
pub(super) async fn usage_of(app: &App, entry: &Entry) -> Result<schema::Usage, ApiError> {
    let space = entry.space();
    let quota = app.quotas.of(space);
    let storage = app.store.storage(space.id).await?;
    Ok(schema::Usage {
        alerts_today: app.alerts_today(space).await?,
        day_ends_at: rfc3339_millis(day_of(app.clock.now()).ends),
        connectors: entry.roster.connectors.len(),
        stored_bytes: storage.bytes,
        is_full: storage.is_full && quota.stored_bytes.is_some(),
        quota: schema::Quota::of(quota),
    })
}

impl schema::Quota {
    fn of(quota: Quota) -> Self {
        let number = |limit: Option<std::num::NonZeroU32>| limit.map(std::num::NonZeroU32::get);
        Self {
            alerts_per_second: number(quota.alerts_per_second),
            key_alerts_per_second: number(quota.key_alerts_per_second),
            alerts_per_day: number(quota.alerts_per_day),
            connectors: number(quota.connectors),
            stored_bytes: quota.stored_bytes.map(std::num::NonZeroU64::get),
        }
    }
}
