//! Events in the shapes of the CloudEvents specification.

use alert_connectors_ingest::{EventData, Mapping, Source, event_of_headers};
use alert_connectors_model::{AlertStatus, Json, Severity};

use crate::{fault, fields, now, read};

const EVENT: &str = r#"{"specversion": "1.0", "type": "com.example.Table.Late", "source": "/warehouse", "subject": "orders", "id": "A234-1234-1234",
    "time": "2018-04-05T17:31:00Z", "severity": "P2", "datacontenttype": "application/json",
    "data": {"title": "orders is late", "description": "By two hours.", "url": "https://x.example/orders", "hours": 2, "owner": {"team": "data"}}}"#;

#[test]
fn an_event_is_an_alert() {
    let read = read(Source::CloudEvents, EVENT);
    let alert = &read.alerts[0].alert;
    assert_eq!(alert.title, "orders is late");
    assert_eq!(alert.alert_type.as_str(), "com.example.table.late");
    assert_eq!(
        (alert.severity, alert.status),
        (Severity::High, AlertStatus::Active)
    );
    assert_eq!(alert.dedup_key.as_deref(), Some("ce:/warehouse orders"));
    assert_eq!(alert.occurred_at, "2018-04-05T17:31:00Z".parse().unwrap());
    assert_eq!(fields(alert), ["hours=2", "owner.team=data"]);
    assert_eq!(read.event_id.as_deref(), Some("/warehouse\nA234-1234-1234"));
}

#[test]
fn a_batch_is_read_event_by_event_and_a_bad_one_takes_none_along() {
    let resolved = r#"{"specversion": "1.0", "type": "t", "source": "s", "id": "2", "data": {"status": "resolved", "dedup_key": "k", "severity": "loud"}}"#;
    let read = read(Source::CloudEvents, &format!("[{EVENT}, {resolved}, 7]"));
    let [_, end, bad] = &*read.alerts else {
        panic!("{read:?}")
    };
    assert_eq!(end.alert.status, AlertStatus::Resolved);
    assert_eq!(end.alert.dedup_key.as_deref(), Some("k"));
    assert_eq!(
        (end.alert.severity, end.warnings.len()),
        (Severity::Medium, 1)
    );
    assert_eq!(
        (bad.alert.title.as_str(), bad.alert.alert_type.as_str()),
        ("Event", "cloudevents")
    );
    assert!(!bad.warnings.is_empty());
    assert_eq!(read.event_id, None);
    let named = self::read(Source::CloudEvents, &format!("[{EVENT}, {resolved}]"));
    let event_id = named.event_id.as_deref();
    assert_eq!(event_id, Some("/warehouse\nA234-1234-1234\ns\n2\n"));
}

#[test]
fn binary_mode_is_the_same_event() {
    let attributes = [
        ("specversion", "1.0"),
        ("type", "t"),
        ("source", "s"),
        ("id", "1"),
        ("severity", "fatal"),
    ];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    for (data, description, warnings) in [
        (
            EventData::Json(Json::parse(br#""Disk full""#).unwrap()),
            Some("Disk full"),
            0,
        ),
        (EventData::Bytes(b"Disk full"), Some("Disk full"), 0),
        (EventData::Bytes(b"\xff"), None, 1),
        (EventData::None, None, 0),
    ] {
        let body = event_of_headers(attributes.clone().into(), data);
        let read = Source::CloudEvents
            .read(body, &Mapping::default(), now())
            .unwrap();
        let alert = &read.alerts[0].alert;
        assert_eq!(
            (alert.severity, alert.title.as_str()),
            (Severity::Critical, "t")
        );
        assert_eq!(alert.description.as_deref(), description);
        assert_eq!(read.alerts[0].warnings.len(), warnings);
    }
}

#[test]
fn data_in_base64_is_json_or_text() {
    let event = |data: &str| {
        let event = format!(
            r#"{{"specversion": "1.0", "type": "t", "source": "s", "id": "1", "data_base64": {data}}}"#
        );
        read(Source::CloudEvents, &event).alerts.remove(0)
    };
    // {"title": "orders is late", "rows": 0}
    let json = event(r#""eyJ0aXRsZSI6ICJvcmRlcnMgaXMgbGF0ZSIsICJyb3dzIjogMH0=""#);
    assert_eq!(json.alert.title, "orders is late");
    assert_eq!(fields(&json.alert), ["rows=0"]);
    let text = event(r#""PG9yZGVycy8+""#);
    assert_eq!(text.alert.description.as_deref(), Some("<orders/>"));
    assert!(json.warnings.is_empty() && text.warnings.is_empty());
    for neither in [r#""/w==""#, r#""no Base64""#, "7"] {
        let read = event(neither);
        assert_eq!(read.alert.description, None, "{neither}");
        assert_eq!(read.warnings.len(), 1, "{neither}");
    }
}

#[test]
fn what_is_no_event_is_refused_with_the_field() {
    assert_eq!(fault(Source::CloudEvents, "7"), "body");
    assert_eq!(
        fault(Source::CloudEvents, r#"{"type": "t"}"#),
        "body.specversion"
    );
    assert_eq!(
        fault(Source::CloudEvents, r#"{"specversion": "0.3"}"#),
        "body.specversion"
    );
}
