//! What becomes of producers' bodies.

#![expect(clippy::unwrap_used, reason = "tests")]

mod alertmanager;
mod azure;
mod cloudevents;
mod dagster;
mod dbt;
mod dbt_cloud;
mod great_expectations;
mod hook;
mod hostile;
mod mapping;
mod openmetadata;
mod pagerduty;
mod prefect;

use alert_connectors_ingest::{Ingested, Mapping, Source};
use alert_connectors_model::{Alert, Fault, Json};
use jiff::Timestamp;

fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().unwrap()
}

fn parsed(source: Source, body: &str) -> Result<Ingested, Vec<Fault>> {
    let json = Json::parse(body.as_bytes()).unwrap();
    source.read(json, &Mapping::default(), now())
}

fn read(source: Source, body: &str) -> Ingested {
    parsed(source, body).unwrap()
}

/// The only alert of a body, which says its own time and needed no correction.
fn sound(source: Source, body: &str) -> Alert {
    let mut alerts = read(source, body).alerts;
    let one = alerts.pop().unwrap();
    assert!(
        alerts.is_empty() && one.warnings.is_empty() && one.has_own_time,
        "{one:?}"
    );
    one.alert
}

/// Each field of an alert as `name=value`.
fn fields(alert: &Alert) -> Vec<String> {
    let fields = alert.fields.iter();
    fields
        .map(|one| format!("{}={}", one.name, one.value))
        .collect()
}

/// The place of the only fault of a body.
fn fault(source: Source, body: &str) -> String {
    let faults = parsed(source, body).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].loc.to_string()
}
