//! Connectors and how they fare.

use alert_connectors_model::{self as model, ConnectorType, Matched, Severity, User};
use alert_connectors_store::HealthState;
use utoipa::ToSchema;

use super::{answers, schemas};

schemas! {
    /// A connector to be made. The fields of an answer that are not here may be sent, and are ignored.
    #[schema(example = json!({
        "name": "#data-quality-alerts", "connector_type": "slack",
        "webhook_url": "https://hooks.slack.com/services/T00/B00/xxx",
        "severity_filter": ["high", "critical"], "alert_type_filter": null
    }))]
    NewConnector {
        /// Its name for people: 1 to 120 characters after trimming, none of them a control character.
        #[schema(min_length = 1)]
        name: String,
        /// The platform that its webhook leads to.
        connector_type: ConnectorType,
        /// Begins with `https://` and leads to a public host: no user info, no fragment, no port 0.
        #[schema(max_length = 2048, format = "uri")]
        webhook_url: String,
        /// Whether it receives alerts.
        #[schema(nullable = false, default = true)]
        is_active: Option<bool>,
        /// `["high", "critical"]` if left out; an empty list matches every severity.
        #[schema(nullable = false)]
        severity_filter: Option<Vec<Severity>>,
        /// All types if left out or null; an empty list matches none.
        #[schema(max_items = 64)]
        alert_type_filter: Option<Vec<String>>,
    }
    /// A webhook that is tried before a connector is made for it.
    #[schema(example = json!({"connector_type": "slack", "webhook_url": "https://hooks.slack.com/services/T00/B00/xxx"}))]
    Webhook {
        /// The platform that the webhook leads to.
        connector_type: ConnectorType,
        /// As for a new connector.
        #[schema(max_length = 2048, format = "uri")]
        webhook_url: String,
    }
    /// What to change; what is left out stays.
    #[schema(example = json!({"name": "Updated Name", "is_active": false, "severity_filter": ["critical"]}))]
    ConnectorChange {
        /// Its name for people: 1 to 120 characters after trimming, none of them a control character.
        #[schema(nullable = false, min_length = 1)]
        name: Option<String>,
        /// The platform that its webhook leads to. It is checked together with the URL.
        #[schema(nullable = false)]
        connector_type: Option<ConnectorType>,
        /// As for a new connector. What is pending goes to the new URL. The same URL once more releases a blocked webhook.
        #[schema(nullable = false, max_length = 2048, format = "uri")]
        webhook_url: Option<String>,
        /// Whether it receives alerts. Switched off, what is pending is cancelled.
        #[schema(nullable = false)]
        is_active: Option<bool>,
        /// An empty list matches every severity.
        #[schema(nullable = false)]
        severity_filter: Option<Vec<Severity>>,
        /// Null matches all types; an empty list matches none.
        #[schema(max_items = 64)]
        alert_type_filter: Option<Vec<String>>,
    }
}

answers! {
    /// A connector: an incoming webhook with its filters.
    #[schema(example = json!({
        "id": "0197c2a0-0000-7000-8000-000000000001", "space_id": "0197c2a0-0000-7000-8000-000000000002",
        "name": "#data-quality-alerts", "connector_type": "slack",
        "webhook_url": "https://hooks.slack.com/services/T00/B00/xxx", "is_active": true,
        "severity_filter": ["high", "critical"], "alert_type_filter": null,
        "created_by": {"id": "0197c2a0-0000-7000-8000-000000000003", "email": "alice@example.com", "full_name": "Alice Johnson"},
        "created_at": "2026-02-11T10:00:00Z", "updated_at": "2026-02-11T10:00:00Z"
    }))]
    Connector<'c> {
        /// Names the connector.
        #[schema(value_type = String, format = "uuid")]
        id: model::ConnectorId,
        /// The space that it belongs to.
        #[schema(value_type = String, format = "uuid")]
        space_id: model::SpaceId,
        /// Its name for people. It need not be unique.
        #[schema(value_type = String, min_length = 1, max_length = 120)]
        name: &'c str,
        /// The platform that its webhook leads to.
        connector_type: ConnectorType,
        /// The whole URL for those who may edit connectors, `https://HOST/…` for others.
        #[schema(max_length = 2048)]
        webhook_url: String,
        /// Whether it receives alerts.
        is_active: bool,
        /// The severities that it receives; an empty list means every one.
        #[schema(value_type = Vec<Severity>, max_items = 4)]
        severity_filter: &'c [Severity],
        /// The types that it receives; `null` means every one, and an empty list none.
        #[schema(value_type = Option<Vec<String>>, required, max_items = 64)]
        alert_type_filter: Option<&'c [model::AlertType]>,
        /// Who made it.
        #[schema(value_type = User)]
        created_by: &'c model::User,
        /// When it was made.
        #[schema(format = DateTime)]
        created_at: String,
        /// When a value of it was changed last.
        #[schema(format = DateTime)]
        updated_at: String,
    }
    /// What came of a test message.
    #[schema(example = json!({"success": false, "status_code": 500, "error": "Connection timeout"}))]
    TestResult {
        /// Whether the message stands in the channel, or a Teams workflow took it.
        success: bool,
        /// The webhook's own status; 500 where it did not answer, 429 where the channel has asked to wait.
        #[schema(minimum = 100, maximum = 999)]
        status_code: u16,
        /// The webhook's own words and what to do.
        #[schema(required)]
        error: Option<String>,
    }
    /// The times in which connectors of a space were switched off.
    Pauses<'p> {
        /// Newest first.
        #[schema(max_items = 200)]
        items: Vec<Pause<'p>>,
    }
    /// A time in which a connector was switched off.
    Pause<'p> {
        /// The connector.
        #[schema(value_type = String, format = "uuid")]
        connector_id: model::ConnectorId,
        /// The connector's name for people, as it is now.
        #[schema(value_type = String, min_length = 1, max_length = 120)]
        connector_name: &'p str,
        /// When it was switched off.
        #[schema(format = DateTime)]
        began_at: String,
        /// When it was switched on again, or deleted; `null` while it is switched off.
        #[schema(required, format = DateTime)]
        ended_at: Option<String>,
        /// What ended it; `null` while it is switched off.
        #[schema(required)]
        ended_by: Option<PauseEndedBy>,
        /// The severities that it would have received, by its filter at the end; an empty list means every one.
        #[schema(value_type = Vec<Severity>, max_items = 4)]
        severity_filter: &'p [Severity],
        /// The types that it would have received, by its filter at the end; `null` means every one, and an empty list none.
        #[schema(value_type = Option<Vec<String>>, required, max_items = 64)]
        alert_type_filter: Option<&'p [model::AlertType]>,
    }
    /// The health of all connectors of a space, in the order of their list.
    ConnectorHealths {
        /// The health of each connector.
        #[schema(max_items = 500)]
        items: Vec<ConnectorHealth>,
        /// What the space uses of what it may have.
        usage: super::Usage,
    }
    /// The health of a connector.
    ConnectorHealth {
        /// Names the connector. Left out where the address of the request does.
        #[schema(value_type = Option<String>, nullable = false, format = "uuid")]
        #[serde(skip_serializing_if = "Option::is_none")]
        connector_id: Option<model::ConnectorId>,
        /// In a word.
        state: HealthState,
        /// Since when.
        #[schema(format = DateTime)]
        since: String,
        /// How many deliveries are pending.
        queue_depth: u64,
        /// When the oldest of them was queued.
        #[schema(required, format = DateTime)]
        oldest_pending_at: Option<String>,
        /// When the next attempt is due.
        #[schema(required, format = DateTime)]
        next_attempt_at: Option<String>,
        /// When the channel took a message last.
        #[schema(required, format = DateTime)]
        last_success_at: Option<String>,
        /// What the last attempt failed of, with the webhook's own words.
        #[schema(required)]
        last_error: Option<String>,
        /// How many attempts in a row have failed. A 429 is no failure.
        consecutive_failures: u32,
    }
    /// What a connector's filters say of an alert.
    ConnectorMatch<'r> {
        /// Names the connector.
        #[schema(value_type = String, format = "uuid")]
        connector_id: model::ConnectorId,
        /// Its name for people.
        #[schema(value_type = String)]
        connector_name: &'r str,
        /// The platform that its webhook leads to.
        connector_type: ConnectorType,
        /// Whether the connector matches the alert.
        matched: bool,
        /// The rule that decides it.
        rule: Matched,
    }
}

/// What ended a pause.
#[derive(serde::Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PauseEndedBy {
    /// The connector was switched on again.
    SwitchedOn,
    /// The connector was deleted.
    Deleted,
}
