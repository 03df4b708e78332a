//! An attempt: one HTTP request to a webhook, with its outcome.

#![warn(clippy::wildcard_enum_match_arm)] // A new state must be decided everywhere.

use jiff::Timestamp;

use crate::{AttemptId, wire_enum::wire_enum};

/// An attempt as the history shows it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Names the attempt.
    pub id: AttemptId,
    /// When the request began.
    pub started_at: Timestamp,
    /// How long it took until the answer was read or given up, in milliseconds.
    pub duration_ms: u32,
    /// Its outcome.
    pub outcome: AttemptOutcome,
    /// The webhook's own status code, where it answered.
    pub status_code: Option<u16>,
    /// What went wrong, in words that hold no secret.
    pub error: Option<String>,
    /// How many deliveries the request carried.
    pub digest_size: u32,
}

wire_enum! {
    /// What came of an attempt. `unanswered`: the request left whole, and the message may stand in the channel.
    #[cfg_attr(feature = "schema", schema(as = Outcome))]
    AttemptOutcome {
        /// The message stands in the channel.
        Delivered = 1, "delivered";
        /// A Teams workflow took it.
        Accepted = 2, "accepted";
        /// To be tried again.
        Retry = 3, "retry";
        /// The channel does not take this message.
        MessageRefused = 4, "message_refused";
        /// The channel takes no message at all.
        DestinationRefused = 5, "destination_refused";
        /// The request left whole, but no answer told its result: the message may stand there.
        Unanswered = 6, "unanswered";
    }
}
