//! Bodies that Prefect 3.9 posted: the action "Call a webhook" with its first template and with one that sends the event's resource,
//! and a notification block that posts JSON.

use alert_connectors_ingest::Source;
use alert_connectors_model::{AlertStatus, Severity};

use crate::{fault, read, sound};

const FAILED: &str = include_str!("../../samples/prefect-3.9-call-webhook-failed.json");
const COMPLETED: &str = include_str!("../../samples/prefect-3.9-call-webhook-completed.json");
const OF_EVENT: &str = include_str!("../../samples/prefect-3.9-event-resource-failed.json");
const NOTIFICATION: &str = include_str!("../../samples/prefect-3.9-apprise.json");

#[test]
fn a_failed_flow_run_is_a_problem_of_its_flow() {
    let alert = sound(Source::Prefect, FAILED);
    assert_eq!(alert.title, "load simple: Failed");
    assert_eq!(
        (alert.severity, alert.status),
        (Severity::High, AlertStatus::Active)
    );
    assert_eq!(alert.dedup_key.as_deref(), Some("prefect:load simple"));
    assert_eq!(
        alert.description.as_deref(),
        Some("Flow run encountered an exception: RuntimeError: no rows")
    );
    assert!(
        alert
            .url
            .as_ref()
            .unwrap()
            .as_str()
            .ends_with("0cd3a849-b4bd-41d1-8222-8b83166de144")
    );
    assert_eq!(alert.fields[0].value.to_string(), "essential-mussel");
}

#[test]
fn a_completed_run_ends_it_and_one_that_goes_on_is_nothing() {
    let ended = read(Source::Prefect, COMPLETED).alerts.remove(0).alert;
    assert_eq!(ended.status, AlertStatus::Resolved);
    assert_eq!(ended.dedup_key.as_deref(), Some("prefect:load-orders"));
    let running = read(
        Source::Prefect,
        &COMPLETED.replace("StateType.COMPLETED", "StateType.RUNNING"),
    );
    assert_eq!((running.alerts.len(), running.ignored), (0, 1));
}

#[test]
fn the_resource_of_an_event_is_read_too() {
    let read = read(Source::Prefect, OF_EVENT);
    let alert = &read.alerts[0].alert;
    assert_eq!(alert.title, "load-orders: Failed");
    assert_eq!(alert.dedup_key.as_deref(), Some("prefect:load-orders"));
    assert!(
        alert
            .description
            .as_deref()
            .unwrap()
            .ends_with("second line")
    );
    assert!(read.event_id.is_some());
}

#[test]
fn a_notification_is_a_text_without_a_key() {
    let alert = read(Source::Prefect, NOTIFICATION).alerts.remove(0).alert;
    assert_eq!(alert.title, "Prefect flow run notification");
    assert_eq!(alert.description.as_deref(), Some("Flow run x observed"));
    assert_eq!((alert.severity, &alert.dedup_key), (Severity::High, &None));
    let text = read(Source::Prefect, r#"{"text": "First line\nSecond"}"#)
        .alerts
        .remove(0)
        .alert;
    assert_eq!(
        (text.title.as_str(), text.description.as_deref()),
        ("First line", Some("Second"))
    );
}

#[test]
fn another_shape_is_refused() {
    assert_eq!(fault(Source::Prefect, "{}"), "body.flow_run_state_type");
}

#[test]
fn a_state_that_nobody_knows_is_told_and_not_left_out() {
    let of = |state: &str| {
        let body = format!(r#"{{"flow_name": "load", "flow_run_state_type": "{state}"}}"#);
        read(Source::Prefect, &body)
    };
    assert_eq!(of("RUNNING").ignored, 1);
    let unknown = of("STUCK").alerts.remove(0);
    assert_eq!(unknown.alert.severity, Severity::Medium);
    assert!(unknown.warnings.iter().any(|one| one.msg.contains("STUCK")));
}
