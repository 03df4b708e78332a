//! The health of a destination, as a row.

use jiff::SignedDuration;

use super::{Columns, unreadable};
use crate::{Block, DestinationHealth, FailingMessages, StoreError, UNANSWERED_TOLD, Wait};

/// The columns that [`health`] reads, in its order. `told` is [`DestinationHealth::announced`].
pub const HEALTH_COLUMNS: &str = "failures, failing_since, recovered_at, last_error, throttles, wait_set_at, wait_ms,
    wait_asked, refused, blocked_at, block_reason, probes, told, repaired_at, quiet, unanswered, failing_messages";

/// The destinations that are blocked or never answer, and those whose spaces were not notified yet that they work again. It walks those that
/// ever gave trouble.
pub const TROUBLED: &str =
    "SELECT fingerprint FROM destinations WHERE blocked_at IS NOT NULL OR told
    OR unanswered >= 3";
const _: () = assert!(UNANSWERED_TOLD == 3, "TROUBLED says so");

/// How many destinations are blocked.
pub const BLOCKED: &str = "SELECT count(*) FROM destinations WHERE blocked_at IS NOT NULL";

/// The health of every destination, and its fingerprint.
pub fn every_health() -> String {
    format!("SELECT {HEALTH_COLUMNS}, fingerprint FROM destinations")
}

/// Whether what a row of [`HEALTH_COLUMNS`] keeps as JSON can be read, for an inspection.
pub fn check_health(row: &dyn Columns) -> Result<(), StoreError> {
    let broken = |column| unreadable("destinations", column, "of a webhook");
    let refused = serde_json::from_str::<Vec<i64>>(&row.text(8)?);
    refused.map_err(|_broken| broken("refused"))?;
    let failing = FailingMessages::from_json(&row.text(16)?);
    failing.ok_or_else(|| broken("failing_messages")).map(drop)
}

/// The health of a destination, from a row of [`HEALTH_COLUMNS`].
pub fn health(row: &dyn Columns) -> Result<DestinationHealth, StoreError> {
    let (length, asked) = (SignedDuration::from_millis(row.number(6)?), row.flag(7)?);
    let wait = row.maybe_time(5)?.map(|set_at| Wait {
        set_at,
        length,
        asked,
    });
    let reason = row.maybe_text(10)?.unwrap_or_default();
    let (probes, quiet) = (row.count(11)?, row.flag(14)?);
    let block = row.maybe_time(9)?.map(|since| Block {
        reason,
        since,
        probes,
        quiet,
    });
    // Counting begins again where it can't be read: no delivery waits for what is only counted, and an inspection finds it.
    let refused = serde_json::from_str(&row.text(8)?).unwrap_or_default();
    let failing = FailingMessages::from_json(&row.text(16)?).unwrap_or_default();
    Ok(DestinationHealth {
        failures: row.count(0)?,
        unanswered: row.count(15)?,
        failing,
        failing_since: row.maybe_time(1)?,
        recovered_at: row.maybe_time(2)?,
        last_error: row.maybe_text(3)?,
        throttles: row.count(4)?,
        wait,
        refused,
        block,
        announced: row.flag(12)?,
        repaired_at: row.maybe_time(13)?,
    })
}
