//! Bodies that Alertmanager 0.25 of Debian 13 posted, and one in the shape of Grafana's documentation.

use alert_connectors_ingest::Source;
use alert_connectors_model::{AlertStatus, Severity};

use crate::{parsed, read};

const FIRING: &str = include_str!("../../samples/alertmanager-0.25-firing.json");
const PARTLY_RESOLVED: &str = include_str!("../../samples/alertmanager-0.25-partly-resolved.json");
const GRAFANA: &str = r#"{"receiver": "hook", "status": "firing", "orgId": 7, "version": "1", "groupLabels": {"alertname": "High load"},
    "alerts": [{"status": "firing", "labels": {"alertname": "High load", "instance": "a", "alert_type": "Infra Load!"},
        "annotations": {"title": "Load is high", "message": "It is 17.", "runbook_url": "https://runbooks.example/load"},
        "startsAt": "2026-11-26T10:00:00+01:00", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "c6eadffa33fcdf37",
        "values": {"B": 17.5}, "generatorURL": "https://g.example/rule", "dashboardURL": "https://g.example/d",
        "panelURL": "https://g.example/d?viewPanel=1", "silenceURL": "https://g.example/silence"}]}"#;

#[test]
fn each_entry_is_an_alert_by_its_own_status() {
    let ingested = read(Source::Alertmanager, FIRING);
    let first = &ingested.alerts[0];
    let (a, b) = (&first.alert, &ingested.alerts[1].alert);
    assert!(first.warnings.is_empty() && first.has_own_time);
    assert_eq!(a.title, "a late");
    assert_eq!(a.alert_type.as_str(), "alertmanager");
    assert_eq!(
        (a.severity, a.status),
        (Severity::Critical, AlertStatus::Active)
    );
    assert_eq!(a.dedup_key.as_deref(), Some("am:8a4f8cae826b7f67"));
    assert_eq!(a.url.as_ref().unwrap().as_str(), "http://p/g");
    assert_eq!(a.actions[0].label, "Runbook");
    let fields: Vec<_> = a
        .fields
        .iter()
        .map(|one| (&*one.name, one.value.to_string()))
        .collect();
    assert_eq!(fields, [("table", "a".to_owned())]);
    assert_eq!((b.severity, b.url.is_none()), (Severity::Medium, true));
    assert!(ingested.warnings[0].msg.contains("left out 1 alerts"));

    let ingested = read(Source::Alertmanager, PARTLY_RESOLVED);
    let (ended, goes_on) = (&ingested.alerts[0].alert, &ingested.alerts[1].alert);
    assert_eq!(ended.dedup_key, a.dedup_key);
    assert_eq!(
        (ended.status, &*ended.title),
        (AlertStatus::Resolved, "Late")
    );
    assert_eq!(ended.occurred_at, "2026-11-26T11:29:58Z".parse().unwrap());
    assert_eq!(
        (goes_on.status, &goes_on.dedup_key),
        (AlertStatus::Active, &b.dedup_key)
    );
}

#[test]
fn grafana_adds_its_organisation_its_values_and_its_links() {
    let ingested = read(Source::Grafana, GRAFANA);
    let alert = &ingested.alerts[0].alert;
    assert_eq!(alert.title, "Load is high");
    assert_eq!(alert.description.as_deref(), Some("It is 17."));
    assert_eq!(alert.alert_type.as_str(), "infra_load_");
    assert_eq!(alert.dedup_key.as_deref(), Some("gf:7:c6eadffa33fcdf37"));
    assert_eq!(
        alert.url.as_ref().unwrap().as_str(),
        "https://g.example/d?viewPanel=1"
    );
    let labels: Vec<_> = alert.actions.iter().map(|action| &*action.label).collect();
    assert_eq!(labels, ["Runbook", "Silence"]);
    let fields: Vec<_> = alert
        .fields
        .iter()
        .map(|one| (&*one.name, one.value.to_string()))
        .collect();
    assert_eq!(
        fields,
        [("instance", "a".to_owned()), ("B", "17.5".to_owned())]
    );
    assert!(ingested.alerts[0].warnings[0].msg.contains("infra_load_"));
}

#[test]
fn a_body_of_another_shape_is_refused_by_name() {
    for (body, expected) in [
        ("[]", "must be an object; this is a list"),
        ("{}", "this body has none"),
        (r#"{"alerts": {}}"#, "here it is an object"),
    ] {
        let faults = parsed(Source::Alertmanager, body).unwrap_err();
        assert!(faults[0].msg.contains(expected), "{body}: {faults:?}");
    }
}

/// A bad entry is read as far as it can be, and the others are read whole.
#[test]
fn a_bad_entry_takes_no_other_with_it() {
    let body = r#"{"groupLabels": {"alertname": "Late", "team": "x"}, "alerts": [7, {}, {"status": "pending", "labels":
        {"alertname": "Late", "severity": "urgent", "n": 5, "deep": {}}, "annotations": [], "startsAt": "yesterday"},
        {"status": "firing", "labels": {"alertname": "Good"}, "fingerprint": "f"}]}"#;
    let alerts = read(Source::Alertmanager, body).alerts;
    let titles: Vec<_> = alerts.iter().map(|one| &*one.alert.title).collect();
    assert_eq!(
        titles,
        ["Alert team=x", "Alert team=x", "Late team=x", "Good team=x"]
    );
    assert!(alerts[..3].iter().all(|one| !one.warnings.is_empty()));
    assert!(alerts[3].warnings.is_empty(), "{:?}", alerts[3].warnings);
    let key = alerts[2].alert.dedup_key.as_deref();
    assert_eq!(key, Some("am:alertname=Late,deep=,n=5,severity=urgent"));
}
