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
    }
}
