//! Bodies of Azure Monitor's documentation of its common alert schema.

use alert_connectors_ingest::Source;
use alert_connectors_model::{Alert, AlertStatus, Severity};

use crate::{fault, fields, read};

const FIRED: &str = include_str!("../../samples/azure-metric-fired.json");
const RESOLVED: &str = include_str!("../../samples/azure-metric-resolved.json");
const LOG: &str = include_str!("../../samples/azure-log-v2-fired.json");
const SERVICE_HEALTH: &str = include_str!("../../samples/azure-service-health-stage-resolved.json");

fn alert(body: &str) -> Alert {
    read(Source::Azure, body).alerts.remove(0).alert
}

#[test]
fn a_metric_alert_is_read_with_what_was_measured() {
    // Azure's Sev1 is the second of five.
    let alert = alert(&FIRED.replace("Sev4", "Sev1"));
    assert_eq!(alert.title, "test-metricAlertRule");
    assert_eq!(
        (alert.severity, alert.status),
        (Severity::High, AlertStatus::Active)
    );
    assert_eq!(alert.description.as_deref(), Some("Alertruledescription"));
    let expected = [
        "Target=test-storageAccount",
        "Service=Platform",
        "Signal=Metric",
        "Transactions GreaterThan 0=100",
        "customKey1=value1",
        "customKey2=value2",
    ];
    assert_eq!(fields(&alert), expected);
}

#[test]
fn its_end_has_the_same_key() {
    let fired = alert(&RESOLVED.replace("\"Resolved\"", "\"Fired\""));
    let resolved = alert(RESOLVED);
    assert_eq!(
        (fired.status, resolved.status),
        (AlertStatus::Active, AlertStatus::Resolved)
    );
    assert_eq!(fired.dedup_key, resolved.dedup_key);
    assert_eq!(
        resolved.occurred_at,
        "2019-03-22T14:03:16.2246313Z".parse().unwrap()
    );
}

#[test]
fn a_log_alert_says_what_it_counted() {
    let fields = fields(&alert(LOG));
    assert!(
        fields.contains(&"Count GreaterThan 0=3.0".to_owned()),
        "{fields:?}"
    );
}

#[test]
fn an_incident_of_the_service_ends_with_its_stage() {
    assert_eq!(alert(SERVICE_HEALTH).status, AlertStatus::Resolved);
    let active = SERVICE_HEALTH.replace("\"stage\": \"Resolved\"", "\"stage\": \"Active\"");
    assert_eq!(alert(&active).status, AlertStatus::Active);
}

#[test]
fn another_schema_is_refused() {
    let body = r#"{"schemaId": "AzureMonitorMetricAlert", "data": {"version": "2.0"}}"#;
    assert_eq!(fault(Source::Azure, body), "body.data");
}
