//! The openings of follow-ups: whether the message that a follow-up is about was delivered.

use std::collections::HashMap;

use alert_connectors_model::DeliveryState;
use alert_connectors_store::{Expiry, OpeningState, StoreError, stored::time};

use crate::{error::Columns as _, session::Session};

// By primary key, then by deliveries_by_alert.
const BEFORE: &str = "SELECT f.seq, b.state, coalesce(b.requeued_at, b.created_at) FROM deliveries f
    LEFT JOIN deliveries b ON b.alert_seq = f.alert_seq AND b.connector_no = f.connector_no AND b.seq < f.seq
    WHERE f.seq = ANY ($1)";

/// Returns the state of the opening of each of these follow-ups.
pub(crate) async fn openings(
    session: &Session,
    follow_ups: &[i64],
    expiry: Expiry,
) -> Result<HashMap<i64, OpeningState>, StoreError> {
    let mut openings = HashMap::new();
    if follow_ups.is_empty() {
        return Ok(openings);
    }
    for row in session.rows(BEFORE, &[&follow_ups]).await? {
        let opening = openings
            .entry(row.at(0)?)
            .or_insert(OpeningState::Undelivered);
        let state: Option<i16> = row.at(1)?;
        let state = state
            .and_then(|code| u8::try_from(code).ok())
            .and_then(DeliveryState::from_code);
        let queued_at = row.at::<Option<i64>>(2)?.map(time);
        if let (Some(state), Some(queued_at)) = (state, queued_at) {
            *opening = opening.with(state, queued_at, expiry);
        }
    }
    Ok(openings)
}
