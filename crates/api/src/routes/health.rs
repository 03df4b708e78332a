//! Whether the service lives and can serve, and what it offers. No token is needed, and no tenant is named.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};

use super::schema;
use crate::{ApiError, App, openapi_json};

/// The process answers.
#[utoipa::path(get, path = "/health/live", operation_id = "getLive", tag = "operations", security(()), responses((status = 200, description = "The process answers", body = schema::Health)))]
pub(super) async fn live() -> Response {
    axum::Json(schema::Health { status: "live" }).into_response()
}

/// The store can be written, so alerts are taken.
#[utoipa::path(
    get, path = "/health/ready", operation_id = "getReady", tag = "operations", security(()),
    responses((status = 200, description = "Alerts are taken", body = schema::Health), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn ready(State(app): State<App>) -> Result<Response, ApiError> {
    app.store.check().await?;
    Ok(axum::Json(schema::Health { status: "ready" }).into_response())
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getOpenApi", tag = "operations", security(()),
    responses((status = 200, description = "The OpenAPI document", content_type = "application/json"))
)]
pub(super) async fn openapi() -> Response {
    (
        [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            ),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ],
        openapi_json(),
    )
        .into_response()
}
