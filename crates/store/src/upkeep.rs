//! Periodic work, in steps so small that no request waits for them.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::{Expiry, Inspection, StoreError};

/// Keeping a store tidy.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Does one small step of tidying, and returns how to go on.
    async fn tidy(&self, rules: Tidying, progress: Progress) -> Result<Tidied, StoreError>;

    /// Seals again up to `at_most` webhook URLs that are not sealed under the first key, and the store's own secrets
    /// once no URL is left. Returns how many.
    async fn reseal(&self, at_most: usize) -> Result<usize, StoreError>;

    /// The figures that only the store can count.
    async fn census(&self) -> Result<Census, StoreError>;

    /// Reads all that is stored, opens every webhook URL, and says what is wrong. On a large store this takes minutes.
    async fn inspect(&self) -> Result<Inspection, StoreError>;
}

/// What is too old.
#[derive(Debug, Clone, Copy)]
pub struct Tidying {
    /// The present time.
    pub now: Timestamp,
    /// History older than this goes.
    pub retention: SignedDuration,
    /// Entries of the audit trail that are older than this go.
    pub audit_retention: SignedDuration,
}

impl Tidying {
    /// Alerts that were received before this time go; in milliseconds.
    pub fn history_begins(&self) -> i64 {
        let begins = self.now.checked_sub(self.retention);
        begins.unwrap_or(Timestamp::MIN).as_millisecond()
    }

    /// Entries of the audit trail before this time go; in milliseconds.
    pub fn audit_begins(&self) -> i64 {
        let begins = self.now.checked_sub(self.audit_retention);
        begins.unwrap_or(Timestamp::MIN).as_millisecond()
    }

    /// Deliveries that were queued at or before this time have expired, whatever the rule and whatever is repaired; in
    /// milliseconds.
    pub fn expired_until(&self) -> i64 {
        let until = self.now.checked_sub(Expiry::LONGEST);
        until.unwrap_or(Timestamp::MIN).as_millisecond()
    }
}

/// One step of tidying writes down at most this many ends.
pub const ENDS_A_STEP: usize = 500;
/// One step of tidying removes at most this many old entries of the audit trail.
pub const AUDIT_ENTRIES_A_STEP: i64 = 500;
/// One step of tidying, or of making room, looks at no more alerts than this, and removes old ones with all that belongs to them.
pub const ALERTS_A_STEP: usize = 100;

/// How far a round of tidying has come, in the store's own numbers. A round begins with the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    /// Alerts are counted, for [`AlertSummary`](crate::AlertSummary).
    #[default]
    Counts,
    /// Old entries of the audit trail are removed.
    Audit,
    /// Ends that were only computed are written down, up to this connector.
    Ends(i64),
    /// Old history is removed, up to this alert.
    History(i64),
}

/// Result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tidied {
    /// There is more: go on from here.
    More(Progress),
    /// The round is done.
    Done,
}

/// The figures that only the store can count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Deliveries that are written as pending.
    pub pending: u64,
    /// Destinations that are blocked.
    pub blocked: u64,
    /// When the oldest pending delivery was queued.
    pub oldest_pending_at: Option<Timestamp>,
    /// What all spaces store, in bytes of [`Storage`](crate::Storage).
    pub stored_bytes: u64,
    /// Spaces that are full.
    pub full_spaces: u64,
}
