//! What is owed to destinations, and what came of it.

use std::sync::Arc;

use alert_connectors_model::{
    Alert, AlertId, Attempt, Connector, DeliveryId, DeliveryState, EndReason, Fingerprint, Space,
};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::StoreError;

/// The deliveries that wait.
#[async_trait]
pub trait Queue: Send + Sync {
    /// What whoever delivers looks at when it starts and from time to time, since events are only hints.
    async fn tidings(&self) -> Result<Tidings, StoreError>;

    /// The oldest deliveries owed to a destination after the one numbered `after`, oldest first, at most `at_most`.
    async fn due(
        &self,
        destination: Fingerprint,
        after: i64,
        at_most: usize,
    ) -> Result<Vec<Due>, StoreError>;

    /// Records outcomes in one transaction. When it returns they are on disk. Recording one twice changes nothing.
    /// An answer for each, in order.
    async fn record(&self, outcomes: Vec<Outcome>) -> Result<Vec<Recorded>, StoreError>;

    /// Waits for what was committed since the last call, in the order of the commits; `None` once the store stopped.
    /// A hint: whoever misses an event finds the same with [`Queue::due`]. For one caller at a time.
    async fn next_events(&self) -> Option<Vec<Event>>;
}

/// How things stand with delivery.
#[derive(Debug, Clone)]
pub struct Tidings {
    /// The destinations to which anything is owed.
    pub owed: Vec<Fingerprint>,
    /// The version of identity and spaces: if it moved, a space may have been removed by another program.
    pub version: i64,
}

/// Something that concerns delivery.
#[derive(Debug, Clone)]
pub enum Event {
    /// A delivery was queued.
    Queued(Due),
    /// What is owed to this destination may have changed otherwise: read it again.
    Changed(Fingerprint),
}

/// A delivery that waits.
#[derive(Debug, Clone)]
pub struct Due {
    /// Its place in the order of all deliveries, given by the database.
    pub seq: i64,
    /// Names the delivery.
    pub id: DeliveryId,
    /// Names the alert.
    pub alert_id: AlertId,
    /// The space of both.
    pub space: Arc<Space>,
    /// What to say. Deliveries of one alert that were queued together share it.
    pub alert: Arc<Alert>,
    /// Whom to tell.
    pub connector: Arc<Connector>,
    /// In which form the next attempt is made.
    pub form: Form,
    /// How many attempts were made.
    pub attempts: u32,
    /// When the next attempt is due, if a wait was recorded.
    pub next_attempt_at: Option<Timestamp>,
}

/// The form of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With everything.
    Full,
    /// Plain, after the full one was refused.
    Plain,
}

/// What came of an attempt, for one delivery.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The delivery's place in the order.
    pub seq: i64,
    /// The attempt.
    pub attempt: Attempt,
    /// How the delivery goes on.
    pub next: NextStep,
}

/// How a delivery goes on after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// It is tried again.
    Again {
        /// In this form.
        form: Form,
        /// Not before this time.
        at: Timestamp,
    },
    /// It ended.
    End {
        /// In this state.
        state: DeliveryState,
        /// For this reason, if it did not arrive.
        reason: Option<EndReason>,
        /// At this time.
        at: Timestamp,
    },
}

/// What became of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The delivery stands as the outcome says.
    Done,
    /// The delivery had ended otherwise meanwhile; the attempt is kept.
    Superseded,
    /// The delivery is gone, with its space.
    Gone,
}
