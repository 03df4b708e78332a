//! The pending deliveries of destinations, and the outcomes of their attempts.

use std::sync::Arc;

use alert_connectors_model::{
    Alert, AlertId, AlertStatus, Attempt, Connector, ConnectorId, DeliveryId, DeliveryKind,
    DeliveryState, EndReason, Fingerprint, Severity, Space, SpaceId, TraceContext,
};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{DestinationHealth, DestinationState, Expiry, HealthState, StoreError};

/// The pending deliveries.
#[async_trait]
pub trait Queue: Send + Sync {
    /// The version of identity and spaces. If it moved, another program may have changed what is pending. The engine polls it,
    /// since events are only hints.
    async fn version(&self) -> Result<i64, StoreError>;

    /// The destinations that need a worker. The engine asks at its start and whenever the version moved; where servers
    /// share the store, at every poll.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// The state of a destination, which the engine loads when it starts working on it. A wait that another server set is
    /// converted to this server's clock, which says `now`.
    async fn destination_state(
        &self,
        destination: Fingerprint,
        now: Timestamp,
    ) -> Result<DestinationState, StoreError>;

    /// The oldest deliveries pending for a destination after the one numbered `after`, oldest first, at most `at_most`.
    /// Those that have expired, and those of connectors that are switched off, are left out.
    async fn pending(
        &self,
        destination: Fingerprint,
        after: i64,
        at_most: usize,
        expiry: Expiry,
    ) -> Result<Vec<PendingDelivery>, StoreError>;

    /// The deliveries pending at a destination for the connector of the oldest one, in order, each in short; the worst
    /// alerts come in full. `None` if none is pending.
    async fn digest_batch(
        &self,
        destination: Fingerprint,
        query: BatchQuery,
    ) -> Result<Option<DigestBatch>, StoreError>;

    /// The state of the opening that a follow-up waits behind.
    async fn opening(&self, follow_up: i64, expiry: Expiry) -> Result<OpeningState, StoreError>;

    /// The connectors that point at a destination, with their spaces.
    async fn connectors_of(
        &self,
        destination: Fingerprint,
    ) -> Result<Vec<(Arc<Space>, Arc<Connector>)>, StoreError>;

    /// The health of each connector that points at a destination, as its space sees it.
    async fn health_states(
        &self,
        destination: Fingerprint,
    ) -> Result<Vec<(SpaceId, ConnectorId, HealthState)>, StoreError>;

    /// Records the outcomes of attempts in one transaction. When it returns, all of it is on disk. Recording an end twice
    /// changes nothing; recording a retry twice counts one more attempt of its delivery. Returns an answer for each outcome, in order.
    async fn record(&self, reports: Arc<[Report]>) -> Result<Vec<Recorded>, StoreError>;

    /// Waits for what was committed since the last call, in the order of the commits; `None` once the store stopped.
    /// Events are hints: a caller that misses one finds the same with [`Queue::pending`]. For one caller at a time.
    async fn next_events(&self) -> Option<Vec<StoreEvent>>;
}

/// The destinations that need a worker.
#[derive(Debug, Clone)]
pub struct Backlog {
    /// The destinations with pending deliveries.
    pub pending: Vec<Fingerprint>,
    /// The destinations that are blocked or never answer, and those whose spaces were not notified yet that they work again.
    pub troubled: Vec<Fingerprint>,
    /// Whether another server queued something since the last call.
    pub queued_elsewhere: bool,
}

/// Something that concerns delivery.
#[derive(Debug, Clone)]
pub enum StoreEvent {
    /// A delivery was queued.
    Queued(PendingDelivery),
    /// The pending deliveries of this destination changed in another way: they are read again.
    Changed(Fingerprint),
    /// What was pending for one destination is pending for another now.
    Moved {
        /// Where it was.
        from: Fingerprint,
        /// Where it is.
        to: Fingerprint,
    },
    /// A connector was given this destination's URL, new or the same, or was switched on: it counts as repaired.
    Repaired(Fingerprint),
    /// A connector no longer points at this destination, or was switched off.
    ConnectorDetached(Fingerprint, Arc<Space>, Arc<Connector>),
    /// Another server queued something: deliveries newer than those known here may be pending for any destination.
    QueuedElsewhere,
    /// Another server queued something for this destination.
    BacklogGrew(Fingerprint),
    /// Another server changed what is pending for this destination, or its health.
    Invalidated(Fingerprint),
    /// Another server requests the lease of this destination.
    LeaseRequested(Fingerprint),
    /// Another server released the lease of this destination, which has pending deliveries.
    LeaseReleased(Fingerprint),
    /// Other servers may take this one for dead, and its leases: nothing is sent under them until they are renewed, which is done at once.
    LeasesInDoubt,
}

/// A pending delivery.
#[derive(Debug, Clone)]
pub struct PendingDelivery {
    /// Its place in the order of all deliveries, given by the database.
    pub seq: i64,
    /// Names the delivery.
    pub id: DeliveryId,
    /// Names the alert.
    pub alert_id: AlertId,
    /// What it says of the alert.
    pub kind: DeliveryKind,
    /// For a follow-up, the state of its opening when this was read.
    pub opening: OpeningState,
    /// The space of the delivery and the alert.
    pub space: Arc<Space>,
    /// The alert. Deliveries of one alert that were queued together share it.
    pub alert: Arc<Alert>,
    /// When the delivery was made.
    pub created_at: Timestamp,
    /// When its time began: when it was made or, later, retried.
    pub queued_at: Timestamp,
    /// The connector to notify.
    pub connector: Arc<Connector>,
    /// The form of the next attempt.
    pub form: Form,
    /// How many attempts were made.
    pub attempts: u32,
    /// The span of the request that queued it, if that is recorded.
    pub trace: Option<TraceContext>,
}

/// The state of the opening of a follow-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpeningState {
    /// It arrived.
    Arrived,
    /// It is still pending.
    Pending,
    /// It ended undelivered.
    Undelivered,
}

impl OpeningState {
    /// The state once a previous delivery of the problem, which is in `state`, is counted too.
    #[must_use]
    pub fn with(self, state: DeliveryState, queued_at: Timestamp, expiry: Expiry) -> Self {
        match state {
            DeliveryState::Delivered | DeliveryState::Accepted => Self::Arrived,
            // Whether the destination was repaired since is unknown here; if so, the opening is still pending.
            DeliveryState::Pending
                if self == Self::Undelivered && !expiry.is_up(queued_at, Some(expiry.now)) =>
            {
                Self::Pending
            }
            DeliveryState::Pending
            | DeliveryState::Failed
            | DeliveryState::Expired
            | DeliveryState::Cancelled => self,
        }
    }
}

/// The deliveries that one digest may carry.
#[derive(Debug, Clone)]
pub struct DigestBatch {
    /// The space.
    pub space: Arc<Space>,
    /// The connector to notify.
    pub connector: Arc<Connector>,
    /// Pending deliveries, in order.
    pub entries: Vec<DigestEntry>,
}

/// How much of a destination's pending deliveries one digest may carry.
#[derive(Debug, Clone, Copy)]
pub struct BatchQuery {
    /// The place of the first delivery in the order.
    pub from: i64,
    /// At most this many deliveries.
    pub at_most: usize,
    /// At most this many alerts in full.
    pub in_full: usize,
    /// By which rule deliveries expire.
    pub expiry: Expiry,
}

/// A pending delivery, in short.
#[derive(Debug, Clone)]
pub struct DigestEntry {
    /// Its place in the order.
    pub seq: i64,
    /// Names the delivery.
    pub id: DeliveryId,
    /// Names the alert.
    pub alert_id: AlertId,
    /// What it says of the alert.
    pub kind: DeliveryKind,
    /// For a follow-up, the state of its opening.
    pub opening: OpeningState,
    /// How bad the alert is.
    pub severity: Severity,
    /// Whether the problem is active or resolved.
    pub status: AlertStatus,
    /// How many attempts were made.
    pub attempts: u32,
    /// When the delivery was made.
    pub created_at: Timestamp,
    /// The span of the request that queued it, if that is recorded.
    pub trace: Option<TraceContext>,
    /// What the alert says, where it is among the worst.
    pub alert: Option<Arc<Alert>>,
}

impl DigestEntry {
    /// The places of the worst alerts among deliveries, each once: active before resolved, and the most severe first.
    /// Each delivery comes with the place of its alert.
    pub fn worst(entries: &[(i64, Self)], at_most: usize) -> Vec<i64> {
        let rank = |(alert_seq, entry): &(i64, Self)| {
            (entry.status as u8, 3 - entry.severity as u8, *alert_seq)
        };
        let mut worst: Vec<_> = entries.iter().map(rank).collect();
        worst.sort_unstable();
        worst.dedup();
        worst.truncate(at_most);
        worst
            .into_iter()
            .map(|(_, _, alert_seq)| alert_seq)
            .collect()
    }
}

/// The form of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With everything.
    Full,
    /// Plain: after the full one was refused, or while the message is set aside.
    Plain,
}

/// The right by which a server reports on a destination. A server without one reports nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// No other server uses the store.
    Unshared,
    /// A lease, by its number. A report under a previous lease adds attempts and changes nothing else.
    Lease(i64),
}

impl Fence {
    /// The number of the lease.
    pub const fn lease(self) -> Option<i64> {
        match self {
            Self::Unshared => None,
            Self::Lease(number) => Some(number),
        }
    }
}

/// What is to be recorded at once: the result of a request, for every delivery that it carried, or a follow-up that was cancelled,
/// or a change of health.
#[derive(Debug, Clone)]
pub struct Report {
    /// The destination that it was sent to.
    pub destination: Fingerprint,
    /// The right by which it was sent.
    pub fence: Fence,
    /// The destination's health, if it changed.
    pub health: Option<DestinationHealth>,
    /// Its outcome for each delivery.
    pub outcomes: Vec<Outcome>,
    /// Deliveries that had failed and are pending again, since the destination was at fault.
    pub revived: Vec<i64>,
}

/// What an attempt means for one delivery.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The delivery's place in the order.
    pub seq: i64,
    /// The attempt, which a digest's deliveries share; `None` where nothing was sent: a follow-up is cancelled, or a
    /// message is set aside since another arrived in its place.
    pub attempt: Option<Arc<Attempt>>,
    /// What follows for the delivery.
    pub disposition: Disposition,
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It is tried again.
    Retry {
        /// In this form.
        form: Form,
        /// When the next attempt is due, as history shows it. The destination's health decides when it is made.
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

/// Result of recording an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The delivery is as the outcome says.
    Done,
    /// The delivery had ended before, or another server holds the lease; the attempt is kept.
    Superseded,
    /// The delivery is gone, with its space.
    Gone,
}
