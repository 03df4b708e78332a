//! The openings of follow-ups: whether the message that a follow-up is about was delivered.

use std::collections::HashMap;

use alert_connectors_model::DeliveryState;
use alert_connectors_store::{Expiry, OpeningState, StoreError, stored::Columns as _};

use crate::connection::Connection;

// By primary key, then by deliveries_by_alert.
const BEFORE: &str = "SELECT f.seq, b.state, coalesce(b.requeued_at, b.created_at) FROM deliveries f
    LEFT JOIN deliveries b ON b.alert_seq = f.alert_seq AND b.connector_no = f.connector_no AND b.seq < f.seq
    WHERE f.seq = ANY ($1)";

/// Returns the state of the opening of each of these follow-ups.
pub(crate) async fn openings(
    connection: &Connection,
    follow_ups: &[i64],
    expiry: Expiry,
) -> Result<HashMap<i64, OpeningState>, StoreError> {
    let mut openings = HashMap::new();
    if follow_ups.is_empty() {
        return Ok(openings);
    }
    for row in connection.rows(BEFORE, &[&follow_ups]).await? {
        let opening = openings
            .entry(row.at(0)?)
            .or_insert(OpeningState::Undelivered);
        // Both are absent where no other delivery came before.
        let state = row.maybe_number(1)?.map(|_| row.code(1)).transpose()?;
        let state = state.and_then(DeliveryState::from_code);
        if let (Some(state), Some(queued_at)) = (state, row.maybe_time(2)?) {
            *opening = opening.with(state, queued_at, expiry);
        }
    }
    Ok(openings)
}
