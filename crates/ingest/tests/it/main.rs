//! What becomes of producers' bodies.

#![expect(clippy::unwrap_used, reason = "tests")]

mod alertmanager;
mod azure;
mod cloudevents;
mod dagster;
mod dbt;
mod dbt_cloud;
mod great_expectations;
mod hostile;
mod mapping;
mod openmetadata;
mod pagerduty;
mod prefect;

use alert_connectors_ingest::{Ingested, Mapping, Source};
use alert_connectors_model::{Fault, Json};
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

/// The place of the only fault of a body.
fn fault(source: Source, body: &str) -> String {
    let faults = parsed(source, body).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].loc.to_string()
}
