//! What a space uses, in answers.

use utoipa::ToSchema;

use super::answers;

answers! {
    /// What a space uses of what it may have.
    Usage {
        /// The alerts of this day by UTC, as counted within the last minute, and those since then, repeats of problems included.
        alerts_today: u64,
        /// When this day ends.
        #[schema(format = DateTime)]
        day_ends_at: String,
        /// Its connectors.
        connectors: usize,
        /// The bytes of its stored alerts with their deliveries, about as many as they need in the database. They are measured every
        /// ten seconds or so.
        stored_bytes: u64,
        /// Whether alerts are refused, since the space stores as much as it may and nothing of it can be removed.
        is_full: bool,
        /// What it may have.
        quota: Quota,
    }

    /// What a space may have. Null means no limit.
    Quota {
        /// Alerts a second of all callers together.
        #[schema(required)]
        alerts_per_second: Option<u32>,
        /// Alerts a second of each API key.
        #[schema(required)]
        key_alerts_per_second: Option<u32>,
        /// Alerts a day by UTC.
        #[schema(required)]
        alerts_per_day: Option<u32>,
        /// Connectors, beside the 500 that every space may have at most.
        #[schema(required)]
        connectors: Option<u32>,
        /// Bytes of stored alerts. Beyond them the oldest history goes.
        #[schema(required)]
        stored_bytes: Option<u64>,
    }
}
