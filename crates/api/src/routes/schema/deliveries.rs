//! Deliveries, their attempts, and queueing them again.

use utoipa::ToSchema;

use super::{schemas, words};

schemas! {
    /// A delivery in short.
    DeliverySummary {
        /// Names the delivery.
        #[schema(format = "uuid")]
        id: String,
        /// The connector that it is owed to.
        #[schema(format = "uuid")]
        connector_id: String,
        /// The connector's name for people.
        connector_name: String,
        /// How it stands.
        state: DeliveryState,
    }
    /// One alert owed to one connector.
    Delivery {
        /// Names the delivery.
        #[schema(format = "uuid")]
        id: String,
        /// The alert.
        #[schema(format = "uuid")]
        alert_id: String,
        /// The connector that it is owed to.
        #[schema(format = "uuid")]
        connector_id: String,
        /// The connector's name for people.
        connector_name: String,
        /// What it tells of the alert.
        kind: DeliveryKind,
        /// How it stands.
        state: DeliveryState,
        /// Why it ended without arriving, in a word.
        #[schema(required)]
        reason: Option<String>,
        /// When it was queued first.
        #[schema(format = DateTime)]
        created_at: String,
        /// When the next attempt is due.
        #[schema(required, format = DateTime)]
        next_attempt_at: Option<String>,
        /// When it ended.
        #[schema(required, format = DateTime)]
        ended_at: Option<String>,
        /// Its attempts, oldest first. Left out in lists.
        #[schema(nullable = false)]
        attempts: Option<Vec<Attempt>>,
    }
    /// One HTTP request to a webhook.
    Attempt {
        /// Names the attempt.
        #[schema(format = "uuid")]
        id: String,
        /// When it began.
        #[schema(format = DateTime)]
        started_at: String,
        /// How long it took, in milliseconds.
        duration_ms: u32,
        /// What came of it.
        outcome: Outcome,
        /// The webhook's own status, where it answered.
        #[schema(required, minimum = 100, maximum = 999)]
        status_code: Option<u16>,
        /// What went wrong, with the webhook's own words. It never holds the URL.
        #[schema(required)]
        error: Option<String>,
        /// How many alerts the message carried.
        #[schema(minimum = 1)]
        digest_size: u32,
    }
    /// A page of deliveries, newest first, without their attempts.
    DeliveryPage {
        /// The deliveries.
        #[schema(max_items = 200)]
        items: Vec<Delivery>,
        /// The cursor of the next page; null at the end.
        #[schema(required)]
        next_cursor: Option<String>,
    }
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
    /// How many deliveries were queued again.
    Replayed {
        /// What was pending already is not counted.
        #[schema(maximum = 10000)]
        count: u32,
    }
}

words! {
    /// What a delivery tells of its alert: the alert itself, that its severity rose, that it is still there, or that it is gone.
    DeliveryKind { Opening, Raised, Renotified, Resolved }
    /// How a delivery stands. `delivered`: the channel said that the message stands there. `accepted`: a Teams workflow took it,
    /// and nobody can know more.
    DeliveryState { Pending, Delivered, Accepted, Failed, Expired, Cancelled }
    /// What came of an attempt. `unanswered`: the request left whole, and the message may stand in the channel.
    Outcome { Delivered, Accepted, Retry, Unanswered, MessageRefused, DestinationRefused }
}
