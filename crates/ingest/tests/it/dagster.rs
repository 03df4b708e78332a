//! A body that a run failure sensor of Dagster 1.13 posted, and one in the words of Dagster+'s template variables.

use alert_connectors_ingest::Source;
use alert_connectors_model::{AlertStatus, Severity};

use crate::{fault, read};

const SENSOR: &str = include_str!("../../samples/dagster-1.13-run-failure-sensor.json");

#[test]
fn a_failed_run_is_a_problem_of_its_job() {
    let alert = read(Source::Dagster, SENSOR).alerts.remove(0).alert;
    assert_eq!(alert.title, "load_orders failed");
    assert_eq!(
        (alert.severity, alert.status),
        (Severity::High, AlertStatus::Active)
    );
    assert_eq!(alert.dedup_key.as_deref(), Some("dagster::load_orders"));
    assert!(
        alert
            .description
            .as_deref()
            .unwrap()
            .contains("Steps failed")
    );
}

#[test]
fn the_variables_of_a_template_are_read_and_those_without_a_value_are_not() {
    let body = r#"{"alert_policy_name": "prod", "alert_summary": "Asset orders is late", "alert_content": "Since 9.", "job_name": "",
        "asset_key": "orders", "health_status": "HEALTHY", "run_link": "", "deployment_url": "https://x.dagster.cloud/prod", "run_id": ""}"#;
    let alert = read(Source::Dagster, body).alerts.remove(0).alert;
    assert_eq!(
        (alert.title.as_str(), alert.status),
        ("Asset orders is late", AlertStatus::Resolved)
    );
    assert_eq!(alert.dedup_key.as_deref(), Some("dagster:prod:orders"));
    let names: Vec<_> = alert.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["Asset", "State", "Policy"]);
    assert_eq!(
        alert.url.as_ref().unwrap().as_str(),
        "https://x.dagster.cloud/prod"
    );
}

#[test]
fn another_shape_is_refused() {
    assert_eq!(
        fault(Source::Dagster, r#"{"job": {}}"#),
        "body.alert_summary"
    );
}

#[test]
fn a_state_that_nobody_knows_counts_as_failed_and_says_so() {
    let of = |state: &str| {
        let body = format!(r#"{{"job": "load", "run_status": "{state}"}}"#);
        let mut read = read(Source::Dagster, &body);
        let alert = read.alerts.remove(0);
        let warnings = alert.warnings.iter().map(|one| one.msg.clone());
        (alert.alert.status, warnings.collect::<Vec<_>>())
    };
    assert_eq!(of("failure"), (AlertStatus::Active, Vec::new()));
    assert_eq!(of("Success"), (AlertStatus::Resolved, Vec::new()));
    let (status, warnings) = of("STUCK");
    assert_eq!(status, AlertStatus::Active);
    assert!(warnings.iter().any(|msg| msg.contains("STUCK")));
}
