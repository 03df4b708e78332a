//! The values of an answer as the cells of a table.

use serde_json::Value;

/// The items of a page.
pub(super) fn items(page: &Value) -> impl Iterator<Item = &Value> {
    page["items"].as_array().into_iter().flatten()
}

/// A value of an answer as text; nothing where there is none.
pub(super) fn text(value: &Value, name: &str) -> String {
    match &value[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Heads the rows of attempts.
pub(super) const ATTEMPT_HEADING: [&str; 5] = ["ATTEMPT", "MS", "OUTCOME", "STATUS", "ERROR"];

/// The attempts of a delivery, a row each.
pub(super) fn attempt_rows(delivery: &Value) -> impl Iterator<Item = [String; 5]> {
    let attempts = delivery["attempts"].as_array().into_iter().flatten();
    attempts.map(|attempt| {
        [
            "started_at",
            "duration_ms",
            "outcome",
            "status_code",
            "error",
        ]
        .map(|name| text(attempt, name))
    })
}
