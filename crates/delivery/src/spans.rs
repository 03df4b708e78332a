//! The spans of deliveries that are part of a trace: each attempt, and around them the way from the queue to the end.

use alert_connectors_model::{Attempt, Connector, DeliveryState, TraceContext};
use alert_connectors_store::Disposition;
use alert_connectors_traces::{Span, SpanKind, Tracer};
use jiff::{SignedDuration, Timestamp};

use crate::payload::{Payload, TracedDelivery};

/// Of a digest, at most this many deliveries are recorded: thousands at once would leave no room for others.
const RECORDED_MAX: usize = 100;

/// Records an attempt, and the end of the deliveries that end with it.
pub(crate) fn record(
    tracer: &Tracer,
    payload: &Payload,
    attempt: &Attempt,
    disposition: Disposition,
) {
    let Some(connector) = payload.connector() else {
        return;
    };
    for delivery in payload.traced().take(RECORDED_MAX) {
        tracer.record(delivery.attempt(tracer, connector, attempt));
        if let Disposition::End { state, at, .. } = disposition {
            tracer.record(delivery.whole(connector, state, at, attempt));
        }
    }
}

impl TracedDelivery {
    /// Its own span. The id is that of the delivery, as far as it is not the alert's, so that attempts of all servers, before and
    /// after a restart, are parts of the same span.
    fn context(&self) -> TraceContext {
        let mut span_id = [0; 8];
        let (_, half) = self.id.as_bytes().split_at(8);
        span_id.copy_from_slice(half);
        TraceContext {
            span_id,
            ..self.trace
        }
    }

    fn attempt(&self, tracer: &Tracer, connector: &Connector, attempt: &Attempt) -> Span {
        let took = SignedDuration::from_millis(attempt.duration_ms.into());
        let mut attributes = vec![
            ("http.request.method", "POST".into()),
            (
                "server.address",
                connector.webhook_url.host().to_string().as_str().into(),
            ),
            ("alert_connectors.outcome", attempt.outcome.as_str().into()),
            (
                "alert_connectors.digest_size",
                i64::from(attempt.digest_size).into(),
            ),
        ];
        if let Some(status) = attempt.status_code {
            attributes.push(("http.response.status_code", i64::from(status).into()));
        }
        Span {
            context: tracer.span_in(self.trace),
            parent: Some(self.context().span_id),
            name: "POST",
            kind: SpanKind::Client,
            started_at: attempt.started_at,
            ended_at: attempt.started_at.saturating_add(took).unwrap_or_default(),
            attributes,
            error: attempt.error.clone(),
        }
    }

    fn whole(
        &self,
        connector: &Connector,
        state: DeliveryState,
        at: Timestamp,
        attempt: &Attempt,
    ) -> Span {
        Span {
            context: self.context(),
            parent: Some(self.trace.span_id),
            name: "deliver",
            kind: SpanKind::Consumer,
            started_at: self.created_at,
            ended_at: at,
            attributes: vec![
                (
                    "alert_connectors.delivery",
                    self.id.to_string().as_str().into(),
                ),
                (
                    "alert_connectors.connector",
                    connector.id.to_string().as_str().into(),
                ),
                (
                    "alert_connectors.platform",
                    connector.connector_type.as_str().into(),
                ),
                ("alert_connectors.state", state.as_str().into()),
            ],
            error: attempt.error.clone(),
        }
    }
}
