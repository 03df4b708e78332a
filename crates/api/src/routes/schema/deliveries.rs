//! Deliveries, their attempts, and queueing them again.

use alert_connectors_model::{
    self as model, AttemptOutcome, ConnectorType, DeliveryKind, DeliveryState, Severity,
};
use utoipa::ToSchema;

use super::{answers, pages, schemas};

schemas! {
    /// Which deliveries to queue again: at most 10,000.
    #[schema(example = json!({"since": "2026-11-23T12:00:00Z"}))]
    Replay {
        /// Queued at or after this time.
        #[schema(format = DateTime)]
        since: String,
        /// Queued before this time.
        #[schema(format = DateTime)]
        until: Option<String>,
        /// `failed`, `expired` and `cancelled` if left out.
        states: Option<Vec<DeliveryState>>,
    }
}

answers! {
    /// A delivery in short.
    DeliverySummary<'d> {
        /// Names the delivery.
        #[schema(value_type = String, format = "uuid")]
        id: model::DeliveryId,
        /// The connector that it is owed to.
        #[schema(value_type = String, format = "uuid")]
        connector_id: model::ConnectorId,
        /// The connector's name for people.
        #[schema(value_type = String)]
        connector_name: &'d str,
        /// How it stands.
        state: DeliveryState,
    }
    /// One alert owed to one connector.
    Delivery<'d> {
        /// Names the delivery.
        #[schema(value_type = String, format = "uuid")]
        id: model::DeliveryId,
        /// The alert.
        #[schema(value_type = String, format = "uuid")]
        alert_id: model::AlertId,
        /// The connector that it is owed to.
        #[schema(value_type = String, format = "uuid")]
        connector_id: model::ConnectorId,
        /// The connector's name for people.
        #[schema(value_type = String)]
        connector_name: &'d str,
        /// What it tells of the alert.
        kind: DeliveryKind,
        /// How it stands.
        state: DeliveryState,
        /// Why it ended without arriving, in a word.
        #[schema(value_type = Option<String>, required)]
        reason: Option<&'static str>,
        /// When it was queued first.
        #[schema(format = DateTime)]
        created_at: String,
        /// When the next attempt is due.
        #[schema(required, format = DateTime)]
        next_attempt_at: Option<String>,
        /// When it ended.
        #[schema(required, format = DateTime)]
        ended_at: Option<String>,
        /// The title of the alert, as the message says it. Left out in lists.
        #[schema(value_type = Option<String>, nullable = false)]
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'d str>,
        /// The severity of the alert, as the message says it. Left out in lists.
        #[schema(nullable = false)]
        #[serde(skip_serializing_if = "Option::is_none")]
        severity: Option<Severity>,
        /// Its attempts, oldest first. Left out in lists.
        #[schema(nullable = false)]
        #[serde(skip_serializing_if = "Option::is_none")]
        attempts: Option<Vec<Attempt<'d>>>,
    }
    /// The message of a delivery.
    DeliveryMessage {
        /// The platform that it is for.
        connector_type: ConnectorType,
        /// The body of the request: the message alone, or the digest that it was sent with.
        #[schema(value_type = Value)]
        payload: Box<serde_json::value::RawValue>,
        /// How many deliveries the last request carried. With more than one it was a digest, which holds this message in short, or the
        /// message was merged with what followed it.
        #[schema(minimum = 1)]
        digest_size: u32,
    }
    /// One HTTP request to a webhook.
    Attempt<'d> {
        /// Names the attempt.
        #[schema(value_type = String, format = "uuid")]
        id: model::AttemptId,
        /// When it began.
        #[schema(format = DateTime)]
        started_at: String,
        /// How long it took, in milliseconds.
        duration_ms: u32,
        /// What came of it.
        outcome: AttemptOutcome,
        /// The webhook's own status, where it answered.
        #[schema(required, minimum = 100, maximum = 999)]
        status_code: Option<u16>,
        /// What went wrong, with the webhook's own words. It never holds the URL.
        #[schema(value_type = Option<String>, required)]
        error: Option<&'d str>,
        /// How many deliveries the message carried.
        #[schema(minimum = 1)]
        digest_size: u32,
    }
    /// How many deliveries were queued again.
    Replayed {
        /// What was pending already is not counted.
        #[schema(value_type = u32, maximum = 10000)]
        count: usize,
    }
}

pages! {
    /// A page of deliveries, newest first, without their attempts.
    DeliveryPage<'d> of Delivery<'d>;
}

answers! {
    /// A connector whose webhook is blocked.
    BlockedConnector {
        /// The slug of its space.
        space: String,
        /// The connector.
        #[schema(value_type = String, format = "uuid")]
        connector_id: model::ConnectorId,
        /// Its name for people.
        connector_name: String,
        /// Since when the webhook is blocked.
        #[schema(format = DateTime)]
        since: String,
        /// What the channel said, and what to do about it.
        reason: String,
    }
}

pages! {
    /// A page of connectors whose webhook is blocked, by space.
    BlockedConnectorPage of BlockedConnector;
}
