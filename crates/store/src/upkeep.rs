//! Periodic work, in steps so small that no request waits for them.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::{Inspection, StoreError};

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
}

/// How far a round of tidying has come, in the store's own numbers. A round begins with the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Ends that were only computed are written down, up to this connector.
    Ends(i64),
    /// Old history is removed, up to this alert.
    History(i64),
}

impl Default for Progress {
    fn default() -> Self {
        Self::Ends(0)
    }
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
}
