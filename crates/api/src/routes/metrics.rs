//! `/metrics` for Prometheus: bounded labels, and no tenant in them.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use prometheus_client::{encoding::text::encode, metrics::gauge::ConstGauge, registry::Registry};

use super::schema;
use crate::{ApiError, App, ErrorKind};

/// What the service counts, as Prometheus reads it.
#[utoipa::path(
    get, path = "/metrics", operation_id = "getMetrics", tag = "operations", security(()),
    responses(
        (status = 200, description = "OpenMetrics text", content_type = "application/openmetrics-text"),
        (status = "default", response = schema::AnyProblem)
    )
)]
pub(super) async fn show(State(app): State<App>) -> Result<Response, ApiError> {
    let mut counted = Registry::with_prefix(PREFIX);
    let gauge = |count: u64| ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
    counted.register(
        "event_streams",
        "Open streams of events, one for each console that is looked at",
        gauge(u64::try_from(app.feed.watchers()).unwrap_or(u64::MAX)),
    );
    // The store's figures are left out while it does not answer, which is when the others are needed most.
    if let Ok(census) = app.store.census().await {
        counted.register(
            "deliveries_pending",
            "Pending deliveries, those of blocked webhooks included",
            gauge(census.pending),
        );
        counted.register(
            "destinations_blocked",
            "Blocked webhooks, which refuse everything",
            gauge(census.blocked),
        );
    }
    let mut text = String::new();
    let internal = |_error| ApiError::new(ErrorKind::Internal, "");
    encode(&mut text, &app.registry).map_err(internal)?;
    let mut more = String::new();
    encode(&mut more, &counted).map_err(internal)?;
    // Each text ends with an `# EOF` line, of which there may be only one.
    let whole = text.replace("# EOF\n", "") + &more;
    let content_type =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, content_type)], whole).into_response())
}

/// What the names of all metrics begin with.
pub const PREFIX: &str = "alert_connectors";
