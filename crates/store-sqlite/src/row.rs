//! From rows to the domain's types, with errors that name the table, the column and the row.

use alert_connectors_model::{Alert, Json, Loc, parse_alert};
use alert_connectors_store::StoreError;
use jiff::Timestamp;

/// An error that names what could not be read.
pub(crate) fn unreadable(
    table: &'static str,
    column: &'static str,
    row: impl std::fmt::Display,
) -> StoreError {
    StoreError::Unreadable {
        table,
        column,
        row: format!("{row}"),
    }
}

/// A time as it is stored.
pub(crate) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A time that may be absent.
pub(crate) fn maybe_time(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(time)
}

/// An alert's content. It was written by us, so the same reader takes it without a warning.
pub(crate) fn alert(content: &str, seq: i64) -> Result<Alert, StoreError> {
    let failed = || unreadable("alerts", "content", seq);
    let json = Json::parse(content.as_bytes()).map_err(|_malformed| failed())?;
    parse_alert(json, &Loc::body(), Timestamp::UNIX_EPOCH)
        .map(|parsed| parsed.alert)
        .map_err(|_faults| failed())
}

/// An alert's content as it is stored.
pub(crate) fn alert_json(alert: &Alert) -> String {
    serde_json::to_string(alert).expect("strings, numbers and lists always serialise")
}
