//! Validation results that Great Expectations 1.24 wrote, the tracebacks shortened to their first lines.

use alert_connectors_ingest::Source;
use alert_connectors_model::{AlertStatus, Severity};

use crate::{fault, read, sound};

const FAILED: &str = include_str!("../../samples/great-expectations-1.24-failed.json");
const PASSED: &str = include_str!("../../samples/great-expectations-1.24-passed.json");

#[test]
fn a_failed_suite_is_one_alert_that_says_what_failed() {
    let alert = sound(Source::GreatExpectations, FAILED);
    assert_eq!(alert.title, "orders suite: 5 of 6 expectations failed");
    assert_eq!(
        (alert.severity, alert.status),
        (Severity::Critical, AlertStatus::Active)
    );
    assert_eq!(alert.alert_type.as_str(), "dq_alert");
    assert_eq!(
        alert.dedup_key.as_deref(),
        Some("gx:orders suite:warehouse:orders")
    );
    let lines: Vec<_> = alert.description.as_deref().unwrap().lines().collect();
    let expected = [
        "• expect_column_max_to_be_between (no_such_column): Error: The column \"no_such_column\" in BatchData does not exist.",
        "• expect_column_values_to_be_unique (id): 2 of 6 values, such as 5",
        "• expect_column_values_to_not_be_null (email): 1 of 6 values",
        "• expect_column_values_to_be_between (amount): 1 of 6 values, such as -3.0",
        "• expect_table_row_count_to_be_between: observed 6",
    ];
    assert_eq!(lines, expected);
    let names: Vec<_> = alert.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(
        names,
        [
            "Data source",
            "Asset",
            "Evaluated",
            "Failed",
            "Success percent"
        ]
    );
}

#[test]
fn each_run_is_an_event_of_its_own() {
    // The id of the validation is that of its definition, which stays the same from run to run.
    let next = FAILED.replace("2026-11-28T08:06:20.903632", "2026-11-29T08:06:20.903632");
    let [first, again, next] =
        [FAILED, FAILED, &next].map(|body| read(Source::GreatExpectations, body).event_id.unwrap());
    assert_eq!(first, again);
    assert_ne!(first, next);
}

#[test]
fn the_body_s_own_word_and_numbers_count() {
    let alert = |body| read(Source::GreatExpectations, body).alerts.remove(0).alert;
    let alert_of = alert(r#"{"success": false, "suite_name": "s", "results": []}"#);
    assert_eq!(
        (&*alert_of.title, alert_of.status),
        ("s: the validation failed", AlertStatus::Active)
    );
    let body = r#"{"success": false, "suite_name": "s", "results": [{"success": false}],
        "statistics": {"evaluated_expectations": 14, "unsuccessful_expectations": 4}}"#;
    assert_eq!(alert(body).title, "s: 4 of 14 expectations failed");
}

#[test]
fn a_result_that_can_not_be_read_takes_no_other_of_its_checkpoint_along() {
    let body = r#"{"run_results": {"a": {"success": false, "suite_name": "s", "results": [{"success": false}]}, "b": 5}}"#;
    let read = read(Source::GreatExpectations, body);
    assert_eq!(
        (read.alerts.len(), read.ignored, read.warnings.len()),
        (1, 1, 1)
    );
    assert_eq!(
        fault(Source::GreatExpectations, r#"{"run_results": {"b": 5}}"#),
        "body.run_results.0"
    );
}

#[test]
fn the_list_of_another_tool_is_refused() {
    for other in [
        r#"{"results": []}"#,
        r#"{"metadata": {}, "results": [{"unique_id": "a"}]}"#,
    ] {
        assert_eq!(fault(Source::GreatExpectations, other), "body.success");
    }
}

#[test]
fn a_suite_that_passes_ends_the_problem_of_the_same_suite_and_asset() {
    let [failed, passed] = [FAILED, PASSED].map(|body| read(Source::GreatExpectations, body));
    let end = &passed.alerts[0].alert;
    assert_eq!(end.status, AlertStatus::Resolved);
    assert_ne!(passed.event_id, failed.event_id);
    assert!(passed.event_id.is_some());
    // It was recorded of another suite of the same asset.
    assert_ne!(end.dedup_key, failed.alerts[0].alert.dedup_key);
    let same = PASSED.replace("orders basics", "orders suite");
    let end = sound(Source::GreatExpectations, &same);
    assert_eq!(end.dedup_key, failed.alerts[0].alert.dedup_key);
}

#[test]
fn the_result_of_version_0_18_is_read_too() {
    let body = r#"{"success": false, "meta": {"expectation_suite_name": "old", "run_id": {"run_time": "2024-01-02T03:04:05+00:00"},
        "active_batch_definition": {"datasource_name": "d", "data_asset_name": "a"}}, "statistics": {},
        "results": [{"success": false, "expectation_config": {"expectation_type": "expect_x", "kwargs": {}, "meta": {"severity": "warning"}}}]}"#;
    let read = read(Source::GreatExpectations, body);
    let alert = &read.alerts[0].alert;
    assert_eq!(alert.title, "old: 1 of 1 expectations failed");
    assert_eq!(alert.severity, Severity::Medium);
    assert_eq!(alert.description.as_deref(), Some("• expect_x"));
    assert_eq!(alert.occurred_at, "2024-01-02T03:04:05Z".parse().unwrap());
}

#[test]
fn the_result_of_a_checkpoint_is_an_alert_for_each_suite() {
    let new = format!(
        r#"{{"name": "c", "success": false, "run_results": {{"a": {FAILED}, "b": {PASSED}}}}}"#
    );
    let old = format!(
        r#"{{"success": false, "run_results": {{"a": {{"validation_result": {FAILED}}}, "b": {{"validation_result": {PASSED}}}}}}}"#
    );
    for body in [new, old] {
        let read = read(Source::GreatExpectations, &body);
        let statuses: Vec<_> = read.alerts.iter().map(|one| one.alert.status).collect();
        assert_eq!(statuses, [AlertStatus::Active, AlertStatus::Resolved]);
    }
}

#[test]
fn the_description_of_a_checkpoint_is_refused_since_it_names_no_suite() {
    let body = r#"{"success": true, "statistics": {}, "validation_results": []}"#;
    assert_eq!(fault(Source::GreatExpectations, body), "body.results");
}
