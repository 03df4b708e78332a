//! The message that the test call sends.

use alert_connectors_model::{
    Alert, AlertStatus, AlertType, DescriptionFormat, Field, FieldValue, Severity,
};
use jiff::Timestamp;

/// An alert that says that a connector works. From here on it is rendered and sent like any other.
pub fn test_alert(connector_name: &str, space_name: &str, now: Timestamp) -> Option<Alert> {
    let text = |name: &str, value: &str| Field {
        name: name.to_owned(),
        value: FieldValue::Text(value.to_owned()),
    };
    Some(Alert {
        alert_type: AlertType::parse("connector_test")?,
        title: "Test message from Alert Connectors".to_owned(),
        severity: Severity::Low,
        status: AlertStatus::Active,
        description: Some("If you can read this, alerts will reach this channel.".to_owned()),
        description_format: DescriptionFormat::Plain,
        product: None,
        check: None,
        fields: vec![text("Connector", connector_name), text("Space", space_name)],
        url: None,
        actions: Vec::new(),
        dedup_key: None,
        occurred_at: now,
        resolved_at: None,
        raises: Vec::new(),
    })
}
