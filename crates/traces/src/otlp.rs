//! Spans as a collector reads them: OTLP over HTTP in its JSON encoding (OpenTelemetry Protocol 1.5, `ExportTraceServiceRequest`).
//!
//! The encoding is a dozen fields. The usual crates for it bring a thread and a queue of their own, which this service has.

use serde_json::{Value, json};

use crate::span::{Span, SpanKind, SpanValue};

/// The service as a collector shows it, and what wrote the spans.
const SERVICE: &str = "alert-connectors";

/// A request with spans. `instance` names this server among its replicas.
pub(crate) fn request(spans: &[Span], instance: &str, version: &str) -> Vec<u8> {
    let resource = [
        attribute("service.name", &SERVICE.into()),
        attribute("service.version", &version.into()),
        attribute("service.instance.id", &instance.into()),
    ];
    let spans: Vec<Value> = spans.iter().map(span).collect();
    let request = json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": SERVICE, "version": version}, "spans": spans}],
    }]});
    request.to_string().into_bytes()
}

fn span(span: &Span) -> Value {
    let attributes = span.attributes.iter();
    let attributes: Vec<Value> = attributes
        .map(|(key, value)| attribute(key, value))
        .collect();
    let mut json = json!({
        "traceId": hex(&span.context.trace_id),
        "spanId": hex(&span.context.span_id),
        "name": span.name,
        // SpanKind: 2 is SERVER, 3 is CLIENT, 5 is CONSUMER.
        "kind": match span.kind { SpanKind::Server => 2, SpanKind::Client => 3, SpanKind::Consumer => 5 },
        // Numbers of 64 bits are strings in JSON.
        "startTimeUnixNano": span.started_at.as_nanosecond().max(0).to_string(),
        "endTimeUnixNano": span.ended_at.max(span.started_at).as_nanosecond().max(0).to_string(),
        "attributes": attributes,
        // StatusCode: 2 is ERROR, 0 is UNSET.
        "status": match &span.error { Some(error) => json!({"code": 2, "message": error}), None => json!({"code": 0}) },
    });
    if let Some(parent) = span.parent {
        json["parentSpanId"] = hex(&parent).into();
    }
    json
}

fn attribute(key: &str, value: &SpanValue) -> Value {
    let value = match value {
        SpanValue::Text(text) => json!({"stringValue": text}),
        SpanValue::Number(number) => json!({"intValue": number.to_string()}),
    };
    json!({"key": key, "value": value})
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string can't fail.
        let _written = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use alert_connectors_model::TraceContext;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_span_is_said_as_the_protocol_has_it() {
        let time = |ms| Timestamp::from_millisecond(ms).unwrap();
        let failed = Span {
            context: TraceContext {
                trace_id: [10; 16],
                span_id: [1; 8],
            },
            parent: Some([2; 8]),
            name: "POST",
            kind: SpanKind::Client,
            started_at: time(1_790_000_000_001),
            ended_at: time(1_790_000_000_002),
            attributes: vec![
                ("server.address", "hooks.slack.com".into()),
                ("http.response.status_code", 500.into()),
            ],
            error: Some("it failed".to_owned()),
        };
        // A clock that was set back makes no span end before it began.
        let whole = Span {
            parent: None,
            kind: SpanKind::Server,
            ended_at: time(1),
            error: None,
            attributes: Vec::new(),
            ..failed.clone()
        };
        let sent = request(&[failed, whole], "a", "1.0");
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        let resource = &sent["resourceSpans"][0]["resource"]["attributes"];
        assert_eq!(
            resource[0],
            json!({"key": "service.name", "value": {"stringValue": "alert-connectors"}})
        );
        let spans = &sent["resourceSpans"][0]["scopeSpans"][0]["spans"];
        assert_eq!(
            spans[0],
            json!({
                "traceId": "0a".repeat(16), "spanId": "01".repeat(8), "parentSpanId": "02".repeat(8), "name": "POST", "kind": 3,
                "startTimeUnixNano": "1790000000001000000", "endTimeUnixNano": "1790000000002000000",
                "attributes": [
                    {"key": "server.address", "value": {"stringValue": "hooks.slack.com"}},
                    {"key": "http.response.status_code", "value": {"intValue": "500"}},
                ],
                "status": {"code": 2, "message": "it failed"},
            })
        );
        assert_eq!(spans[1]["endTimeUnixNano"], spans[1]["startTimeUnixNano"]);
        assert_eq!(
            (&spans[1]["parentSpanId"], &spans[1]["status"]),
            (&Value::Null, &json!({"code": 0}))
        );
    }
}
