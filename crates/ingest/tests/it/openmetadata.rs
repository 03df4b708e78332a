//! Change events in the shapes of OpenMetadata's own test data and documentation, of version 1 and 2.

use alert_connectors_ingest::{Ingested, Source};
use alert_connectors_model::{AlertStatus, Severity};

use crate::{fault, fields, read, sound};

const FAILED: &str = include_str!("../../samples/openmetadata-2.0-test-case-failed.json");
const SUCCESS: &str = include_str!("../../samples/openmetadata-2.0-test-case-success.json");
const INCIDENT: &str = include_str!("../../samples/openmetadata-2.0-incident-created.json");
const INCIDENT_RESOLVED: &str =
    include_str!("../../samples/openmetadata-2.0-incident-resolved.json");
const THREAD_RESOLVED: &str = include_str!("../../samples/openmetadata-1-incident-resolved.json");
const KEY: &str = "om:1c0b9a8f-7e6d-5c4b-3a2f-1e0d9c8b7a6f";

fn event(body: &str) -> Ingested {
    read(Source::OpenMetadata, body)
}

#[test]
fn a_failed_test_case_is_a_problem_of_its_table() {
    let alert = sound(Source::OpenMetadata, FAILED);
    assert_eq!(alert.title, "Sample Test Case failed on sample_table");
    assert_eq!(
        (alert.severity, alert.status),
        (Severity::High, AlertStatus::Active)
    );
    assert_eq!(alert.alert_type.as_str(), "dq_alert");
    assert_eq!(
        alert.description.as_deref(),
        Some("Found nullCount=3. It should be 0")
    );
    assert_eq!(alert.dedup_key.as_deref(), Some(KEY));
    let url = "http://localhost:8585/test-case/sample-service.sample-db.public.sample_table.id.sample_test_case/test-case-results";
    assert_eq!(alert.url.as_ref().unwrap().as_str(), url);
    let expected = [
        "Table=sample-service.sample-db.public.sample_table",
        "Owners=john.doe",
        "Failed rows=3",
        "Passed rows=97",
        "columnName=id",
    ];
    assert_eq!(fields(&alert), expected);
    assert_eq!(
        event(FAILED).event_id.as_deref(),
        Some("3b0f0c1e-5a0e-4f5e-9b3e-2b7a8f1d0bef")
    );
}

#[test]
fn the_first_result_and_an_entity_that_is_an_object_are_read_alike() {
    let first = FAILED
        .replace("\"fieldsAdded\":[]", "\"x\":[]")
        .replace("fieldsUpdated", "fieldsAdded");
    assert_eq!(event(&first).alerts, event(FAILED).alerts);
    let inner = FAILED.split_once("\"entity\":\"").unwrap();
    let entity = inner
        .1
        .strip_suffix("\"}")
        .or_else(|| inner.1.trim_end().strip_suffix("\"}"))
        .unwrap();
    let object = format!("{}\"entity\":{}}}", inner.0, entity.replace("\\\"", "\""));
    assert_eq!(event(&object).alerts, event(FAILED).alerts);
}

#[test]
fn a_success_and_the_end_of_an_incident_end_the_problem_of_the_same_test_case() {
    for body in [SUCCESS, INCIDENT_RESOLVED, THREAD_RESOLVED] {
        let alert = event(body).alerts.remove(0).alert;
        assert_eq!(alert.status, AlertStatus::Resolved, "{body}");
        assert_eq!(alert.dedup_key.as_deref(), Some(KEY), "{body}");
    }
}

#[test]
fn an_incident_has_the_severity_that_people_gave_it() {
    for (word, severity) in [
        ("Severity1", Severity::Critical),
        ("Severity2", Severity::High),
        ("Severity5", Severity::Low),
    ] {
        let alert = event(&INCIDENT.replace("Severity2", word))
            .alerts
            .remove(0)
            .alert;
        assert_eq!(
            (alert.severity, alert.title.as_str()),
            (severity, "sample_test_case has an incident")
        );
    }
}

#[test]
fn what_opens_or_ends_nothing_is_ignored() {
    let assigned = INCIDENT.replace("entityCreated", "entityUpdated");
    let described = r#"{"eventType": "entityUpdated", "entityType": "testCase", "changeDescription": {"fieldsUpdated": [{"name": "description"}]}}"#;
    let queued = FAILED.replace("Failed", "Queued");
    let conversation = r#"{"eventType": "threadCreated", "entityType": "THREAD", "entity": {"type": "Conversation"}}"#;
    let running = r#"{"eventType": "entityUpdated", "entityType": "ingestionPipeline", "changeDescription":
        {"fieldsUpdated": [{"name": "pipelineStatus", "newValue": {"pipelineState": "running"}}]}}"#;
    let message = r#"{"message": "This is a test message"}"#;
    for body in [
        &assigned,
        described,
        &queued,
        conversation,
        running,
        message,
    ] {
        let read = event(body);
        assert_eq!((read.alerts.len(), read.ignored), (0, 1), "{body}");
    }
}

#[test]
fn another_entity_is_news_without_a_key() {
    let body = r#"{"id": "1", "eventType": "entityDeleted", "entityType": "table", "entityId": "t", "entityFullyQualifiedName": "s.d.orders"}"#;
    let alert = event(body).alerts.remove(0).alert;
    assert_eq!(alert.title, "table orders was deleted");
    assert_eq!(
        (alert.alert_type.as_str(), alert.severity),
        ("table", Severity::Low)
    );
    assert_eq!(alert.dedup_key, None);
}

#[test]
fn what_is_no_event_is_refused_with_the_field() {
    assert_eq!(fault(Source::OpenMetadata, "[]"), "body");
    assert_eq!(
        fault(Source::OpenMetadata, r#"{"eventType": "x"}"#),
        "body.entityType"
    );
}
