//! The rules by which a space changes what is read.

use alert_connectors_ingest::{Ingested, Mapping, Source};
use alert_connectors_model::{Json, Severity};

use crate::now;

const BODY: &str = r#"{"alerts": [
    {"status": "firing", "labels": {"alertname": "Late", "team": "pay", "cluster": "eu 1"}, "annotations": {"summary": "a"}, "fingerprint": "1"},
    {"status": "firing", "labels": {"alertname": "Watchdog"}, "annotations": {"summary": "b"}, "fingerprint": "2"}]}"#;

fn mapping(document: &str) -> Mapping {
    Mapping::parse(Json::parse(document.as_bytes()).unwrap()).unwrap()
}

fn mapped(document: &str) -> Ingested {
    let body = Json::parse(BODY.as_bytes()).unwrap();
    Source::Alertmanager
        .read(body, &mapping(document), now())
        .unwrap()
}

#[test]
fn rules_apply_in_order_to_the_alerts_for_which_their_conditions_hold() {
    let ingested = mapped(
        r#"{"rules": [
        {"where": {"label": "alertname", "is": "Watchdog"}, "drop": true},
        {"where": [{"label": "team", "is": ["x", "pay"]}, {"path": "annotations.summary"}, {"field": "cluster", "is": "eu 1"}],
            "severity": "critical", "alert_type": "payments", "title": "{{label.alertname}} in {{ label.cluster }}{{label.none}}"},
        {"where": {"label": "team", "is": "other"}, "drop": true},
        {"title": "{{severity}}: {{title}}", "add_action": {"label": "Logs of {{label.team}}", "url": "https://x.example/?c={{label.cluster}}"}}]}"#,
    );
    assert_eq!((ingested.alerts.len(), ingested.ignored), (1, 1));
    let alert = &ingested.alerts[0].alert;
    assert_eq!(alert.title, "critical: Late in eu 1");
    assert_eq!(
        (alert.severity, alert.alert_type.as_str()),
        (Severity::Critical, "payments")
    );
    assert_eq!(alert.actions[0].label, "Logs of pay");
    assert_eq!(alert.actions[0].url.as_str(), "https://x.example/?c=eu%201");
    assert!(ingested.alerts[0].warnings.is_empty());
}

#[test]
fn a_rule_sees_what_the_entries_of_a_body_share() {
    let rules = r#"{"rules": [{"where": [{"body": "receiver", "is": "pager"}, {"body": "commonLabels.team"}],
        "severity": "critical", "title": "{{body.commonLabels.team}}: {{title}}"}]}"#;
    let mapping = mapping(rules);
    for (receiver, title) in [("pager", "pay: a"), ("mail", "a")] {
        let shared = format!(
            r#"{{"receiver": "{receiver}", "commonLabels": {{"team": "pay"}}, {}"#,
            BODY.trim_start_matches('{')
        );
        let body = Json::parse(shared.as_bytes()).unwrap();
        let read = Source::Alertmanager.read(body, &mapping, now()).unwrap();
        assert_eq!(read.alerts[0].alert.title, title);
    }
}

#[test]
fn no_rule_sees_the_key_of_the_caller() {
    let rules = r#"{"rules": [{"title": "{{body.routing_key}}{{path.routing_key}}{{title}}"}]}"#;
    let event = r#"{"routing_key": "ack_1", "event_action": "trigger", "payload": {"summary": "Late", "source": "s", "severity": "error"}}"#;
    let body = Json::parse(event.as_bytes()).unwrap();
    let read = Source::PagerDuty
        .read(body, &mapping(rules), now())
        .unwrap();
    assert_eq!(read.alerts[0].alert.title, "Late");
}

#[test]
fn a_title_that_comes_out_empty_changes_nothing() {
    let ingested = mapped(r#"{"rules": [{"title": " {{label.none}} "}]}"#);
    assert_eq!(ingested.alerts[0].alert.title, "a");
}

#[test]
fn all_faults_of_a_document_are_said_at_once() {
    let document = r#"{"rules": [7, {}, {"drop": true, "severity": "low"}, {"where": {"label": "a", "path": "b"}, "drop": true},
        {"where": {"path": "a..b"}, "severity": "loud", "alert_type": "No!", "title": "{{x}}", "extra": 1},
        {"where": [{"label": "a", "is": [[]]}], "add_action": {"url": "ftp://x"}}], "more": 1}"#;
    let faults = Mapping::parse(Json::parse(document.as_bytes()).unwrap()).unwrap_err();
    let mut places: Vec<_> = faults.iter().map(|fault| fault.loc.to_string()).collect();
    places.sort();
    let expected = [
        "body.more",
        "body.rules.0",
        "body.rules.1.drop",
        "body.rules.2.drop",
        "body.rules.3.where.label",
        "body.rules.4.alert_type",
        "body.rules.4.extra",
        "body.rules.4.severity",
        "body.rules.4.title",
        "body.rules.4.where.path",
        "body.rules.5.add_action.label",
        "body.rules.5.add_action.url",
        "body.rules.5.where.0.is",
    ];
    assert_eq!(places, expected);
    for document in ["[]", "{}", r#"{"rules": 1}"#] {
        assert!(
            Mapping::parse(Json::parse(document.as_bytes()).unwrap()).is_err(),
            "{document}"
        );
    }
}
