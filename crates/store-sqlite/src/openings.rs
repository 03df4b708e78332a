//! The openings of follow-ups: whether the message that a follow-up is about was delivered.

use alert_connectors_model::DeliveryState;
use alert_connectors_store::{Expiry, OpeningState, stored::time};
use rusqlite::Connection;

use crate::error::Failure;

// By deliveries_by_alert.
const BEFORE: &str = "SELECT state, coalesce(requeued_at, created_at) FROM deliveries
    WHERE alert_seq = ?1 AND connector_no = ?2 AND seq < ?3";

/// The state of a problem's opening at a connector, before the delivery numbered `before`.
pub(crate) fn opening(
    connection: &Connection,
    alert_seq: i64,
    connector_no: i64,
    before: i64,
    expiry: Expiry,
) -> Result<OpeningState, Failure> {
    let mut statement = connection.prepare_cached(BEFORE)?;
    let mut rows = statement.query([alert_seq, connector_no, before])?;
    let mut opening = OpeningState::Undelivered;
    while let Some(row) = rows.next()? {
        let state: u8 = row.get(0)?;
        let queued_at = time(row.get(1)?);
        if let Some(state) = DeliveryState::from_code(state) {
            opening = opening.with(state, queued_at, expiry);
        }
    }
    Ok(opening)
}
