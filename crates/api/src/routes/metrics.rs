//! `/metrics` for Prometheus: bounded labels, and no tenant in them.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header};
use prometheus_client::{
    encoding::text::encode,
    metrics::gauge::ConstGauge,
    registry::{Registry, Unit},
};

use super::{metrics_text::MetricsFormat, schema};
use crate::{ApiError, App, ErrorKind};

/// What the service counts, as Prometheus reads it.
#[utoipa::path(
    get, path = "/metrics", operation_id = "getMetrics", tag = "operations", security(()),
    responses(
        (status = 200, description = "The text that Prometheus reads, or OpenMetrics if that is accepted", content((String = "text/plain"), (String = "application/openmetrics-text"))),
        (status = "default", response = schema::AnyProblem)
    )
)]
pub(super) async fn show(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
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
        counted.register_with_unit(
            "stored",
            "Alerts with their deliveries that are stored, by the measure of the quota stored-bytes",
            Unit::Bytes,
            gauge(census.stored_bytes),
        );
        counted.register(
            "spaces_full",
            "Spaces whose alerts are refused, since they store as much as they may",
            gauge(census.full_spaces),
        );
        let oldest = census.oldest_pending_at;
        let age = oldest.map_or(0, |oldest| app.clock.now().duration_since(oldest).as_secs());
        counted.register_with_unit(
            "oldest_pending_age",
            "How long the oldest pending delivery has waited, those of blocked webhooks included",
            Unit::Seconds,
            ConstGauge::new(age.max(0)),
        );
    }
    let [mut kept, mut now] = [String::new(), String::new()];
    let internal = |_error| ApiError::new(ErrorKind::Internal, "");
    encode(&mut kept, &app.registry).map_err(internal)?;
    encode(&mut now, &counted).map_err(internal)?;
    let format = MetricsFormat::of(&headers);
    let content_type = [(header::CONTENT_TYPE, format.content_type())];
    Ok((content_type, format.whole(&[kept, now])).into_response())
}

/// What the names of all metrics begin with.
pub const PREFIX: &str = "alert_connectors";
