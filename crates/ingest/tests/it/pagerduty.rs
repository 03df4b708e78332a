//! Events in the shape of PagerDuty's documentation of its Events API v2.

use alert_connectors_ingest::Source;
use alert_connectors_model::{AlertStatus, Severity};

use crate::{fault, fields, read, sound};

const TRIGGER: &str = r#"{"routing_key": "acs_key", "event_action": "trigger", "dedup_key": "samplekeyhere",
    "client": "Sample Monitoring Service", "client_url": "https://monitoring.example.com",
    "links": [{"href": "https://example.com/", "text": "Link text"}, {"href": "https://example.com/b"}, {"text": "no href"}],
    "images": [{"src": "https://example.com/i.png"}],
    "payload": {"summary": "Example alert on host1.example.com", "timestamp": "2015-07-17T08:42:58.315+0000", "source": "host1",
        "severity": "info", "component": "postgres", "group": "prod-datapipe", "class": "deploy",
        "custom_details": {"ping time": "1500ms", "load": {"avg": 0.75}, "tags": ["a", "b"], "description": "What it is."}}}"#;

#[test]
fn a_trigger_opens_a_problem() {
    let alert = sound(Source::PagerDuty, TRIGGER);
    assert_eq!(alert.title, "Example alert on host1.example.com");
    assert_eq!(
        (alert.severity, alert.status),
        (Severity::Low, AlertStatus::Active)
    );
    assert_eq!(alert.alert_type.as_str(), "deploy");
    assert_eq!(alert.description.as_deref(), Some("What it is."));
    assert_eq!(alert.url.as_ref().unwrap().as_str(), "https://example.com/");
    assert_eq!(alert.actions[0].label, "Link");
    let of_body = read(Source::PagerDuty, TRIGGER).dedup_key;
    assert_eq!(alert.dedup_key, of_body);
    assert_eq!(of_body.as_deref(), Some("samplekeyhere"));
    let expected = [
        "Source=host1",
        "Component=postgres",
        "Group=prod-datapipe",
        "Client=Sample Monitoring Service",
        "ping time=1500ms",
        "load.avg=0.75",
        "tags=a, b",
    ];
    assert_eq!(fields(&alert), expected);
}

#[test]
fn a_resolve_ends_it_and_an_acknowledgement_is_nothing() {
    let resolve = r#"{"routing_key": "k", "event_action": "resolve", "dedup_key": "d"}"#;
    let resolved = read(Source::PagerDuty, resolve);
    assert_eq!(resolved.alerts[0].alert.status, AlertStatus::Resolved);
    assert_eq!(resolved.alerts[0].alert.title, "d");
    let acknowledged = read(
        Source::PagerDuty,
        &resolve.replace("resolve", "acknowledge"),
    );
    assert_eq!((acknowledged.alerts.len(), acknowledged.ignored), (0, 1));
    assert_eq!(acknowledged.dedup_key.as_deref(), Some("d"));
}

#[test]
fn what_is_no_event_is_refused_with_the_field() {
    for (body, place) in [
        ("[]", "body"),
        ("{}", "body.event_action"),
        (
            r#"{"event_action": "explode", "payload": {"summary": "s"}}"#,
            "body.event_action",
        ),
        (
            r#"{"event_action": "trigger", "payload": {}}"#,
            "body.payload",
        ),
        (r#"{"event_action": "resolve"}"#, "body.dedup_key"),
    ] {
        assert_eq!(fault(Source::PagerDuty, body), place, "{body}");
    }
}
