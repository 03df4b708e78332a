//! Reading alerts back, and resolving one.

use std::sync::Arc;

use alert_connectors_model::{
    Alert, AlertId, AlertStatus, AlertType, Delivery, DeliveryId, Severity, SpaceId,
};
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::{AcceptedDelivery, AlertSummary, Expiry, Roster, StoreError, stored::StoredAlert};

/// The history of alerts.
#[async_trait]
pub trait Alerts: Send + Sync {
    /// The alert of that name in the space, with its deliveries in short.
    async fn alert(
        &self,
        space_id: SpaceId,
        id: AlertId,
        expiry: Expiry,
    ) -> Result<Option<AlertRecord>, StoreError>;

    /// A page of the space's alerts, newest first by the order in which they were accepted.
    async fn alerts(
        &self,
        space_id: SpaceId,
        query: AlertQuery,
        expiry: Expiry,
    ) -> Result<Page<AlertRecord>, StoreError>;

    /// The deliveries of an alert with their attempts, oldest first.
    async fn deliveries_of(
        &self,
        space_id: SpaceId,
        id: AlertId,
        expiry: Expiry,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// How many alerts of the space came since the hour of a time, by type and severity.
    async fn summary(
        &self,
        space_id: SpaceId,
        since: Timestamp,
    ) -> Result<AlertSummary, StoreError>;

    /// Erases alerts of the space with their deliveries, pending ones too, in small steps. A message that is on its way may
    /// still arrive. How many came in an hour stays counted.
    async fn erase(&self, space_id: SpaceId, erasure: Erasure) -> Result<Erased, StoreError>;

    /// Resolves the problem, and notifies the active connectors of the roster that any message of it reached or will
    /// reach. A second call changes nothing.
    async fn resolve(
        &self,
        roster: Arc<Roster>,
        id: AlertId,
        expiry: Expiry,
    ) -> Result<Resolution, StoreError>;
}

/// Which alerts to erase.
#[derive(Debug, Clone)]
pub enum Erasure {
    /// This one.
    One(AlertId),
    /// All of this problem, active or not.
    Problem(String),
}

/// How many alerts were erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased(pub usize);

impl Erased {
    /// Whether a step that erased this many was the last.
    pub const fn is_last(self) -> bool {
        self.0 < ERASED_A_STEP as usize
    }
}

/// One step of erasing takes at most this many alerts.
pub const ERASED_A_STEP: u8 = 100;

/// Result of closing a problem.
#[derive(Debug, Clone)]
pub enum Resolution {
    /// The alert as it is now.
    Now(Box<AlertRecord>),
    /// There is no such alert in the space.
    Absent,
    /// The space's connectors, or identity, changed since the roster was read: read it and authorise again.
    Stale,
}

impl Resolution {
    /// The answer where the problem is closed: the alert as it is now, if it is still there.
    pub fn of(record: Option<AlertRecord>) -> Self {
        record.map_or(Self::Absent, |record| Self::Now(Box::new(record)))
    }
}

/// Which alerts to list; within one filter, several values mean "or", and an empty list means all.
#[derive(Debug, Clone, Default)]
pub struct AlertQuery {
    /// Of these states.
    pub statuses: Vec<AlertStatus>,
    /// Of these severities.
    pub severities: Vec<Severity>,
    /// Of these types.
    pub alert_types: Vec<AlertType>,
    /// Of these problems.
    pub dedup_keys: Vec<String>,
    /// Received at or after this time.
    pub since: Option<Timestamp>,
    /// Received before this time.
    pub until: Option<Timestamp>,
    /// At most this many.
    pub limit: usize,
    /// Older than this position, from [`Page::next`].
    pub before: Option<i64>,
}

impl AlertQuery {
    /// The conditions on numbers, each as SQL that begins with ` AND `: severity, status and time of receipt.
    pub fn number_conditions(&self) -> String {
        let mut conditions = String::new();
        let mut one_of = |column: &str, codes: Vec<u8>| {
            if !codes.is_empty() {
                let codes: Vec<_> = codes.iter().map(u8::to_string).collect();
                conditions.push_str(&format!(" AND {column} IN ({})", codes.join(", ")));
            }
        };
        one_of(
            "severity",
            self.severities.iter().map(|one| one.code()).collect(),
        );
        one_of(
            "status",
            self.statuses.iter().map(|one| one.code()).collect(),
        );
        if let Some(since) = self.since {
            conditions.push_str(&format!(" AND received_at >= {}", since.as_millisecond()));
        }
        if let Some(until) = self.until {
            conditions.push_str(&format!(" AND received_at < {}", until.as_millisecond()));
        }
        conditions
    }
}

impl AlertQuery {
    /// The page begins before this place in the order.
    pub fn before(&self) -> i64 {
        self.before.unwrap_or(i64::MAX)
    }

    /// A query reads at most this many rows: one more than the page holds, which says whether there is another page.
    pub fn rows_max(&self) -> i64 {
        rows_max(self.limit)
    }

    /// Cuts what was read to the page, and returns where the next one begins.
    pub fn cut(&self, rows: &mut Vec<StoredAlert>) -> Option<i64> {
        let has_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        rows.last().filter(|_| has_more).map(|row| row.seq)
    }

    /// Whether only resolved alerts are wanted.
    pub fn only_resolved(&self) -> bool {
        self.statuses == [AlertStatus::Resolved]
    }
}

/// One row more than a page holds, which says whether there is another page.
pub(crate) fn rows_max(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1
}

/// Part of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<i64>,
}

impl<T> Page<T> {
    /// A list without an item.
    pub const fn empty() -> Self {
        Self {
            items: Vec::new(),
            next: None,
        }
    }
}

/// An alert as it is stored.
#[derive(Debug, Clone)]
pub struct AlertRecord {
    /// Names the alert.
    pub id: AlertId,
    /// When it was first received.
    pub received_at: Timestamp,
    /// How often it was posted.
    pub occurrences: u64,
    /// What it says.
    pub alert: Alert,
    /// The list of what was corrected, as JSON.
    pub warnings: Box<RawValue>,
    /// Its deliveries, in short: all of them where one alert is read, the first [`DELIVERIES_LISTED_MAX`] in a page.
    pub deliveries: Vec<DeliverySummary>,
    /// How many more there are.
    pub deliveries_left_out: usize,
}

/// A page of alerts holds at most this many deliveries of each alert.
pub const DELIVERIES_LISTED_MAX: usize = 100;

/// A delivery in short.
pub type DeliverySummary = AcceptedDelivery;

impl AlertRecord {
    /// Keeps only the deliveries of these names.
    pub fn retain_deliveries(&mut self, ids: &[DeliveryId]) {
        self.deliveries
            .retain(|delivery| ids.contains(&delivery.id));
    }
}
