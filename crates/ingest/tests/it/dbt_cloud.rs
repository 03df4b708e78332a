//! Webhooks in the shape of dbt Cloud's documentation.

use alert_connectors_ingest::Source;
use alert_connectors_model::{AlertStatus, Severity};

use crate::read;

const ERRORED: &str = include_str!("../../samples/dbt-cloud-errored.json");
const SUCCESS: &str = include_str!("../../samples/dbt-cloud-success.json");

#[test]
fn a_job_that_fails_is_a_problem_until_it_succeeds() {
    let [failed, succeeded] = [ERRORED, SUCCESS].map(|body| read(Source::Dbt, body));
    let alert = &failed.alerts[0].alert;
    assert_eq!(alert.title, "Daily Job (dbt build): dbt command failed");
    assert_eq!(
        (alert.severity, alert.status),
        (Severity::High, AlertStatus::Active)
    );
    assert_eq!(alert.alert_type.as_str(), "dbt_job");
    assert_eq!(alert.dedup_key.as_deref(), Some("dbt:1:job:123"));
    let end = &succeeded.alerts[0].alert;
    assert_eq!(
        (end.status, &end.dedup_key),
        (AlertStatus::Resolved, &alert.dedup_key)
    );
    assert_ne!(failed.event_id, succeeded.event_id);
}

#[test]
fn a_run_that_goes_on_or_was_stopped_is_nothing() {
    for word in ["Running", "Cancelled"] {
        let read = read(Source::Dbt, &ERRORED.replace("Errored", word));
        assert_eq!((read.alerts.len(), read.ignored), (0, 1), "{word}");
    }
}
