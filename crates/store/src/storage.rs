//! How much a space stores, and making room in a space that stores too much.

use alert_connectors_model::{Space, SpaceId};
use async_trait::async_trait;

use crate::{NewAlert, StoreError};

/// What an alert counts for beside its content: its columns and its entries in indexes, in bytes.
const ALERT_BYTES: usize = 256;
/// What a delivery and its first attempt count for, in bytes.
const DELIVERY_BYTES: usize = 256;

/// One step measures at most this many new alerts, and as many that changed. It is as many as are counted, so that measuring keeps pace.
pub const MEASURED_A_STEP: i64 = 2_000;

/// How much a space stores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Storage {
    /// Its alerts with their deliveries and revisions, in bytes. Both stores count alike, so the number is about what either needs.
    /// Alerts count a little after they came or changed, with those of [`AlertSummary`](crate::AlertSummary).
    pub bytes: u64,
    /// Whether the space stores more than it may, and nothing of it could be removed when its room was last looked at.
    pub is_full: bool,
}

/// Keeping spaces within what they may store.
#[async_trait]
pub trait SpaceStorage: Send + Sync {
    /// How much a space stores. An unknown space stores nothing.
    async fn storage(&self, space_id: SpaceId) -> Result<Storage, StoreError>;

    /// How much every space stores that stores anything.
    async fn storages(&self) -> Result<Vec<(Space, Storage)>, StoreError>;

    /// Removes some of the oldest history of a space that stores more than `bytes_max`, after the place `after` in the order of
    /// alerts; a first step begins with 0. Active problems and alerts with pending deliveries stay, and so do alerts that count for
    /// nothing. Returns the place to go on after, and nothing once the space is within the limit or all was looked at; which of the
    /// two, [`Storage`] says.
    async fn make_room(
        &self,
        space_id: SpaceId,
        bytes_max: u64,
        after: i64,
    ) -> Result<Option<i64>, StoreError>;
}

/// What a new alert with so many deliveries counts for, in bytes.
pub fn bytes_of(new: &NewAlert, deliveries: usize) -> i64 {
    size((ALERT_BYTES + new.json.len() + DELIVERY_BYTES * deliveries) as u64)
}

/// What an alert counts for in addition once so many bytes of revisions were kept of it, and so many follow-ups were queued.
pub fn growth_of(revisions: usize, follow_ups: usize) -> i64 {
    size((revisions + DELIVERY_BYTES * follow_ups) as u64)
}

/// A size in the columns of a database.
pub fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
