//! What the API counts, without a tenant's name.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

#[derive(Debug, Default)]
pub(crate) struct ApiMeters {
    alerts: Counter,
    refused: Counter,
}

impl ApiMeters {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "alerts_accepted",
            "Alerts that were accepted and are on disk, repeats of a problem included",
            self.alerts.clone(),
        );
        registry.register(
            "requests_unavailable",
            "Requests that were answered 503",
            self.refused.clone(),
        );
    }

    pub(crate) fn accepted(&self, alerts: usize) {
        self.alerts.inc_by(alerts as u64);
    }

    pub(crate) fn answered(&self, status: http::StatusCode) {
        if status == http::StatusCode::SERVICE_UNAVAILABLE {
            self.refused.inc();
        }
    }
}
