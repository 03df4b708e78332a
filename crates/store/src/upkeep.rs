//! What has to be done from time to time, in steps so small that nobody waits for them.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::{Inspection, StoreError};

/// Keeping a store tidy.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Does one small step of what is to be done, and says how to go on.
    async fn tidy(&self, rules: Tidying, progress: Progress) -> Result<Tidied, StoreError>;

    /// Seals up to `at_most` webhook URLs again that are not sealed under the first key, and the store's own secrets
    /// once no URL is left. Says how many it was.
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
    /// What has ended without being written is written down, up to this connector.
    Ends(i64),
    /// What is old is removed, up to this alert.
    History(i64),
}

impl Default for Progress {
    fn default() -> Self {
        Self::Ends(0)
    }
}

/// What a step came to.
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
