//! Results that dbt 1.11 wrote (with `dbt-duckdb`), and the other artifacts of a run.

use alert_connectors_ingest::{Ingested, Mapping, Source};
use alert_connectors_model::{AlertStatus, DescriptionFormat, Json, Severity};

use crate::fault;

const RUN_RESULTS: &str = include_str!("../../samples/dbt-1.11.16-run_results-v6.json");

fn read(body: &str) -> Ingested {
    let now = "2026-11-28T12:00:00Z".parse().unwrap();
    let json = Json::parse(body.as_bytes()).unwrap();
    Source::Dbt.read(json, &Mapping::default(), now).unwrap()
}

#[test]
fn each_result_is_an_alert_about_its_node() {
    use AlertStatus::{Active, Resolved};
    let ingested = read(RUN_RESULTS);
    let alerts: Vec<_> = ingested.alerts.iter().map(|one| &one.alert).collect();
    assert!(
        ingested
            .alerts
            .iter()
            .all(|one| one.warnings.is_empty() && one.has_own_time)
    );
    let seen: Vec<_> = alerts
        .iter()
        .map(|alert| (alert.alert_type.as_str(), &*alert.title, alert.status))
        .collect();
    let expected = [
        (
            "dbt_model",
            "bad: Runtime Error in model bad (models/bad.sql)",
            Active,
        ),
        ("dbt_model", "orders", Resolved),
        (
            "dbt_test",
            "not_null_orders_id: Got 1 result, configured to fail if != 0",
            Active,
        ),
        ("dbt_test", "unique_orders_id", Resolved),
    ];
    assert_eq!(seen, expected);
    assert_eq!(
        alerts[2].dedup_key.as_deref(),
        Some("dbt:t:default:test.t.not_null_orders_id.84ef11d8fe")
    );
    assert_eq!(alerts[2].severity, Severity::High);
    assert_eq!(alerts[2].description_format, DescriptionFormat::Markdown);
    let description = alerts[0].description.as_deref().unwrap();
    assert!(
        description.contains("Did you mean \"pg_enum\"?"),
        "{description}"
    );
    assert!(
        description.ends_with("```sql\nselect * from nope\n```"),
        "{description}"
    );
    let names: Vec<_> = alerts[2].fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["Failures", "Seconds"]);
}

#[test]
fn the_other_artifacts_of_a_run_are_read_with_it() {
    let body = r#"{"run_results": {"metadata": {"generated_at": "2026-11-26T11:31:19Z"}, "args": {"target": "prod"}, "results": [
            {"status": "warn", "unique_id": "test.shop.fresh.abc", "message": "Got 3 results"},
            {"status": "skipped", "unique_id": "model.shop.late"}]},
        "manifest": {"nodes": {"test.shop.fresh.abc": {"config": {"meta": {"severity": "P1"}}, "meta": {"owner": "data@x.example"}}}},
        "sources": {"results": [{"unique_id": "source.shop.raw.orders", "status": "runtime error", "error": "no such table"}]}}"#;
    let ingested = read(body);
    assert_eq!((ingested.alerts.len(), ingested.ignored), (2, 1));
    let [fresh, raw] = [0, 1].map(|at| &ingested.alerts[at].alert);
    assert_eq!(
        (fresh.severity, fresh.fields[0].value.to_string()),
        (Severity::Critical, "data@x.example".to_owned())
    );
    assert_eq!(
        fresh.dedup_key.as_deref(),
        Some("dbt:shop:prod:test.shop.fresh.abc")
    );
    assert_eq!(fresh.occurred_at, "2026-11-26T11:31:19Z".parse().unwrap());
    assert_eq!(
        (raw.alert_type.as_str(), &*raw.title),
        ("dbt_source", "raw.orders: no such table")
    );
}

#[test]
fn a_body_of_another_shape_is_refused_and_a_bad_result_is_not() {
    let now = "2026-11-28T12:00:00Z".parse().unwrap();
    for body in [
        "{}",
        r#"{"run_results": []}"#,
        r#"{"results": 7}"#,
        r#"{"run_results": {"metadata": {}}}"#,
    ] {
        let read = Source::Dbt.read(
            Json::parse(body.as_bytes()).unwrap(),
            &Mapping::default(),
            now,
        );
        assert!(read.is_err(), "{body}");
    }
    let alerts = read(r#"{"results": [5, {"status": "odd", "unique_id": "lonely"}]}"#).alerts;
    assert_eq!(alerts.len(), 2);
    assert!(
        alerts
            .iter()
            .all(|one| !one.warnings.is_empty() && one.alert.status == AlertStatus::Active)
    );
    assert_eq!(
        (
            alerts[1].alert.title.as_str(),
            alerts[1].alert.alert_type.as_str()
        ),
        ("lonely", "dbt_lonely")
    );
}

#[test]
fn the_list_of_another_tool_is_refused() {
    let other = r#"{"success": true, "results": [{"expectation_config": {}}]}"#;
    assert_eq!(fault(Source::Dbt, other), "body.metadata");
}
