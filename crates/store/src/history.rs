//! The history of deliveries, their retry and replay, and a connector's health.

use alert_connectors_model::{
    Alert, AlertId, ConnectorId, ConnectorType, Delivery, DeliveryId, DeliveryKind, DeliveryState,
    SpaceId,
};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    DestinationHealth, DigestEntry, Expiry, Form, Page, SetAside, StoreError, stored::Columns,
};

/// The history of deliveries.
#[async_trait]
pub trait History: Send + Sync {
    /// A page of the deliveries of a space's connectors, of deleted ones too, without their attempts, newest first by the order
    /// of acceptance.
    async fn deliveries(
        &self,
        space_id: SpaceId,
        query: DeliveryQuery,
        expiry: Expiry,
    ) -> Result<Page<Delivery>, StoreError>;

    /// One delivery with its attempts.
    async fn delivery(
        &self,
        space_id: SpaceId,
        id: DeliveryId,
        expiry: Expiry,
    ) -> Result<Option<Delivery>, StoreError>;

    /// What a delivery's message is made of: as it was sent last or, while it was not, as it would be sent. Of the alerts that
    /// were sent with it, at most `in_full` come in full.
    async fn message(
        &self,
        space_id: SpaceId,
        id: DeliveryId,
        in_full: usize,
    ) -> Result<Option<DeliveryMessage>, StoreError>;

    /// Queues a delivery again after it failed, expired or was cancelled.
    async fn retry(
        &self,
        space_id: SpaceId,
        id: DeliveryId,
        expiry: Expiry,
    ) -> Result<Retried, StoreError>;

    /// Queues deliveries of a connector again, oldest first; returns how many. One that is pending is not queued twice.
    async fn replay(
        &self,
        space_id: SpaceId,
        connector: ConnectorId,
        replay: Replay,
        expiry: Expiry,
    ) -> Result<Replayed, StoreError>;

    /// The connectors of all spaces whose webhook is blocked, by space: at most [`BLOCKED_LISTED_MAX`]. Those that are
    /// switched off are left out, since nobody waits for them.
    async fn blocked_connectors(&self) -> Result<Vec<BlockedConnector>, StoreError>;

    /// The health of a connector; `None` if there is no such connector.
    async fn health(
        &self,
        space_id: SpaceId,
        connector: ConnectorId,
        expiry: Expiry,
    ) -> Result<Option<Health>, StoreError>;

    /// The health of all connectors of a space, oldest connector first, in one read.
    async fn healths(&self, space_id: SpaceId, expiry: Expiry) -> Result<Vec<Health>, StoreError>;
}

/// What a delivery's message is made of.
#[derive(Debug, Clone)]
pub struct DeliveryMessage {
    /// What the alert said when the delivery was queued; of deliveries that were merged into one message, what it said for the
    /// last of them.
    pub alert: Alert,
    /// Names the alert.
    pub alert_id: AlertId,
    /// What the message says of the alert.
    pub kind: DeliveryKind,
    /// When the delivery was made.
    pub created_at: Timestamp,
    /// The platform that it is rendered for.
    pub connector_type: ConnectorType,
    /// The form of the last attempt or, before that, of the next one.
    pub form: Form,
    /// How many deliveries the last request carried; 1 where none was made.
    pub digest_size: u32,
    /// Those that it carried, in order, with the worst alerts in full. Empty where it carried this one alone, and where
    /// not all of them are known any more.
    pub carried: Vec<DigestEntry>,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryQuery {
    /// Of these connectors; of all that there ever were if empty.
    pub connectors: Vec<ConnectorId>,
    /// Of these states; all if empty.
    pub states: Vec<DeliveryState>,
    /// Of these kinds; all if empty.
    pub kinds: Vec<DeliveryKind>,
    /// Made at or after this time.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
    /// At most this many.
    pub limit: usize,
    /// Older than this position, from [`Page::next`].
    pub before: Option<i64>,
}

/// Which deliveries to queue again.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Made at or after this time.
    pub since: Timestamp,
    /// Made before this time.
    pub until: Option<Timestamp>,
    /// Of these states, none of them pending.
    pub states: Vec<DeliveryState>,
}

impl Replay {
    /// At most this many at once.
    pub const MOST: usize = 10_000;
    /// The same as a number of rows.
    pub const MOST_ROWS: i64 = 10_000;
}

/// Result of a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It is queued.
    Queued,
    /// It stands in a state from which nothing is retried.
    Stands(DeliveryState),
    /// Its connector is deleted.
    ConnectorGone,
    /// Its connector is switched off.
    ConnectorInactive,
    /// There is no such delivery.
    Absent,
}

/// Result of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// This many are queued.
    Queued(usize),
    /// The connector is switched off.
    ConnectorInactive,
    /// There is no such connector.
    Absent,
}

impl Replayed {
    /// How many are queued.
    pub const fn count(self) -> usize {
        match self {
            Self::Queued(count) => count,
            Self::ConnectorInactive | Self::Absent => 0,
        }
    }
}

/// At most this many connectors with a blocked webhook are listed.
pub const BLOCKED_LISTED_MAX: usize = 2_000;

/// A connector whose webhook is blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedConnector {
    /// The slug of its space.
    pub space: String,
    /// The connector.
    pub id: ConnectorId,
    /// Its name for people.
    pub name: String,
    /// Since when the webhook is blocked.
    pub since: Timestamp,
    /// What the channel said, and what to do about it.
    pub reason: String,
}

/// Selects the connectors whose webhook is blocked. It walks the destinations that ever gave trouble, then goes by
/// `connectors_by_destination` and primary key.
pub const SELECT_BLOCKED: &str = "SELECT s.slug, c.id, c.name, d.blocked_at, coalesce(d.block_reason, '') FROM destinations d
    JOIN connectors c ON c.destination = d.fingerprint AND c.deleted_at IS NULL JOIN spaces s ON s.no = c.space_no
    WHERE d.blocked_at IS NOT NULL AND c.is_active ORDER BY s.slug, c.no LIMIT 2000";
const _: () = assert!(BLOCKED_LISTED_MAX == 2_000, "SELECT_BLOCKED says so");

impl BlockedConnector {
    /// A row of [`SELECT_BLOCKED`].
    pub fn of(row: &dyn Columns) -> Result<Self, StoreError> {
        Ok(Self {
            space: row.text(0)?,
            id: ConnectorId::from_bytes(row.id(1)?),
            name: row.text(2)?,
            since: row.time(3)?,
            reason: row.text(4)?,
        })
    }
}

/// The health of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The connector.
    pub connector_id: ConnectorId,
    /// In one word.
    pub state: HealthState,
    /// Since when it has this state.
    pub since: Timestamp,
    /// How many deliveries are pending.
    pub queue_depth: u64,
    /// When the oldest of them was made.
    pub oldest_pending_at: Option<Timestamp>,
    /// When the next attempt is made, if it has to wait.
    pub next_attempt_at: Option<Timestamp>,
    /// When a delivery last arrived.
    pub last_success_at: Option<Timestamp>,
    /// The error of the last failed attempt.
    pub last_error: Option<String>,
    /// Attempts in a row that failed; a response that asks to wait is no failure.
    pub consecutive_failures: u32,
}

/// The facts that a connector's health is derived from.
pub struct HealthFacts {
    /// The connector.
    pub connector_id: ConnectorId,
    /// Whether it is switched on.
    pub is_active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was switched on or off last.
    pub switched_at: Timestamp,
    /// The health of its destination.
    pub health: DestinationHealth,
    /// How many deliveries are pending.
    pub queue_depth: u64,
    /// When the oldest of them was made.
    pub oldest_pending_at: Option<Timestamp>,
    /// When a delivery last arrived.
    pub last_success_at: Option<Timestamp>,
}

impl HealthFacts {
    /// When the next attempt is made, if it has to wait. Every delivery waits for the channel; one that is set aside
    /// also waits for its own time.
    fn next_attempt_at(&self) -> Option<Timestamp> {
        let health = &self.health;
        let is_ours = |one: &&SetAside| one.connector_id == self.connector_id;
        let set_aside = health.failing.set_aside.iter().filter(is_ours);
        let set_aside: Vec<_> = set_aside.map(|one| one.wait.ends_at()).collect();
        let others_wait = usize::try_from(self.queue_depth).is_ok_and(|all| all > set_aside.len());
        let channel = health.wait.map(|wait| wait.ends_at());
        let own = set_aside.into_iter().min().filter(|_| !others_wait);
        channel.max(own).filter(|_| self.queue_depth > 0)
    }
}

impl From<HealthFacts> for Health {
    fn from(facts: HealthFacts) -> Self {
        let next_attempt_at = facts.next_attempt_at();
        let health = facts.health;
        let state = HealthState::of(facts.is_active, facts.last_success_at, &health);
        let since = match state {
            HealthState::Paused => facts.switched_at,
            HealthState::Blocked => {
                let block = health.block.as_ref();
                block.map_or(facts.created_at, |block| block.since)
            }
            HealthState::Retrying => health.failing_since.unwrap_or(facts.created_at),
            HealthState::Healthy => {
                let since = health.recovered_at.unwrap_or(facts.created_at);
                since.max(facts.created_at)
            }
            HealthState::Idle => facts.created_at,
        };
        Self {
            connector_id: facts.connector_id,
            state,
            since,
            queue_depth: facts.queue_depth,
            oldest_pending_at: facts.oldest_pending_at,
            next_attempt_at,
            last_success_at: facts.last_success_at,
            last_error: health.last_error,
            consecutive_failures: health.failures,
        }
    }
}

/// The health of a connector in a word: `paused` is switched off, `blocked` waits for a repair, `retrying` failed last, `healthy`
/// has worked and has not failed since, `idle` has neither worked nor failed. A request to slow down (429) is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// It is switched off.
    Paused,
    /// Its webhook refuses everything; its deliveries stay pending.
    Blocked,
    /// The last attempt failed.
    Retrying,
    /// It has worked, and nothing failed since.
    Healthy,
    /// Nothing has arrived or failed yet.
    Idle,
}

impl HealthState {
    /// The health of a connector, from when a delivery of its own last arrived and from the health of its destination.
    pub const fn of(
        is_active: bool,
        last_success_at: Option<Timestamp>,
        health: &DestinationHealth,
    ) -> Self {
        if !is_active {
            Self::Paused
        } else if health.block.is_some() {
            Self::Blocked
        } else if health.failures > 0 {
            Self::Retrying
        } else if last_success_at.is_some() || health.last_error.is_some() {
            Self::Healthy
        } else {
            Self::Idle
        }
    }

    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Blocked => "blocked",
            Self::Retrying => "retrying",
            Self::Healthy => "healthy",
            Self::Idle => "idle",
        }
    }

    /// Reads the word of the API.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [
            Self::Paused,
            Self::Blocked,
            Self::Retrying,
            Self::Healthy,
            Self::Idle,
        ];
        all.into_iter().find(|state| state.as_str() == word)
    }
}
