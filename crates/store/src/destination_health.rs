//! The health of a destination: its failures, how long to wait, and whether it is blocked.
//!
//! The engine's send policy decides it. A store only keeps it, in the same transaction as the outcome that changed it.

use jiff::{SignedDuration, Timestamp};

use crate::FailingMessages;

/// The spaces are notified after this many requests in a row without a response.
pub const UNANSWERED_TOLD: u32 = 3;

/// The health of a destination. One that never failed has [`DestinationHealth::default`] and needs no row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DestinationHealth {
    /// Attempts in a row that failed.
    pub failures: u32,
    /// Requests in a row that were sent whole and got no response.
    pub unanswered: u32,
    /// When the current run of failures began.
    pub failing_since: Option<Timestamp>,
    /// When the last run of failures ended.
    pub recovered_at: Option<Timestamp>,
    /// The error of the last failed attempt, without secrets.
    pub last_error: Option<String>,
    /// Responses in a row that asked to wait (429).
    pub throttles: u32,
    /// How long nothing may be posted.
    pub wait: Option<Wait>,
    /// The different messages in a row that were refused in both their forms, by their place in the order.
    pub refused: Vec<i64>,
    /// The messages that keep failing, whether or not others arrive.
    pub failing: FailingMessages,
    /// Whether it is blocked.
    pub block: Option<Block>,
    /// Whether the spaces were notified that it is blocked or never answers, and not yet that it works again.
    pub announced: bool,
    /// When it was repaired last: expiry counts from here.
    pub repaired_at: Option<Timestamp>,
}

impl DestinationHealth {
    /// Returns whether enough requests in a row got no response for the spaces to be notified.
    pub fn never_answers(&self) -> bool {
        self.unanswered >= UNANSWERED_TOLD
    }

    /// Someone repaired it: forgets its failures and its block, and expiry counts from now. A wait that the channel
    /// asked for still holds.
    pub fn repair(&mut self, now: Timestamp) {
        if self.failures > 0 || self.block.is_some() {
            self.recovered_at = Some(now);
        }
        (self.failures, self.failing_since, self.unanswered) = (0, None, 0);
        self.failing.suspect = None;
        for one in &mut self.failing.set_aside {
            one.wait.length = SignedDuration::ZERO;
        }
        self.wait = self.wait.filter(|wait| wait.asked);
        self.refused.clear();
        self.block = None;
        // The clock may have stepped back, or be that of another server: a repair is never older than the previous one.
        self.repaired_at = self.repaired_at.max(Some(now));
    }
}

/// A wait, kept as its length and the time when it was set, so that neither a restart nor a clock that steps makes it
/// longer than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// When it was set.
    pub set_at: Timestamp,
    /// How long it is.
    pub length: SignedDuration,
    /// Whether the channel asked for it; if so, test messages wait too.
    pub asked: bool,
}

impl Wait {
    /// What is left of it: never negative, and never more than its length.
    pub fn left(&self, now: Timestamp) -> SignedDuration {
        let gone = now.duration_since(self.set_at);
        if gone.is_negative() {
            return self.length;
        }
        (self.length - gone).max(SignedDuration::ZERO)
    }

    /// When it ends, for people.
    pub fn ends_at(&self) -> Timestamp {
        self.set_at.checked_add(self.length).unwrap_or(self.set_at)
    }
}

/// Why and since when a destination is blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What the channel said and what to do about it.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Probes that were scheduled since.
    pub probes: u32,
    /// Whether no space is notified, since a message about another block met it.
    pub quiet: bool,
}

/// What the engine loads of a destination when it starts working on it.
#[derive(Debug, Clone, Default)]
pub struct DestinationState {
    /// Its health.
    pub health: DestinationHealth,
    /// When the last request to it began, as far as is known: its rate limit continues from there.
    pub last_request_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_wait_survives_a_clock_that_steps() {
        let set_at = Timestamp::from_second(1_000).unwrap();
        let wait = Wait {
            set_at,
            length: SignedDuration::from_secs(60),
            asked: true,
        };
        for (second, left) in [(1_000, 60), (1_020, 40), (1_060, 0), (9_000, 0), (400, 60)] {
            let now = Timestamp::from_second(second).unwrap();
            assert_eq!(wait.left(now), SignedDuration::from_secs(left), "{second}");
        }
    }
}
