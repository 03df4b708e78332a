//! Requests that post alerts, as parts of the traces of their callers.

use alert_connectors_model::Space;
use alert_connectors_traces::RequestTrace;
use http::HeaderMap;

use crate::{ApiError, App};

/// The header by which a caller says in which span it makes a request (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";

impl App {
    /// A request begins. Returns what is recorded of it, if it is.
    pub(crate) fn begin_trace(&self, headers: &HeaderMap) -> Option<RequestTrace> {
        let tracer = self.tracer.as_ref()?;
        let header = headers.get(TRACEPARENT);
        let traceparent = header.and_then(|value| value.to_str().ok());
        tracer.begin(traceparent, self.clock.now())
    }

    /// Records that the alerts of a request are stored, or why they are not.
    pub(crate) fn record_request(
        &self,
        trace: RequestTrace,
        space: &Space,
        alerts: usize,
        error: Option<&ApiError>,
    ) {
        let Some(tracer) = &self.tracer else {
            return;
        };
        let attributes = vec![
            ("alert_connectors.space", space.slug.as_str().into()),
            (
                "alert_connectors.alerts",
                i64::try_from(alerts).unwrap_or(i64::MAX).into(),
            ),
        ];
        let error = error.map(ToString::to_string);
        tracer.record(trace.ended("accept", self.clock.now(), attributes, error));
    }
}
