//! The values of an answer as the cells of a table.

use serde_json::Value;

use super::{CommandResult, harmless::harmless, say, table::table};

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

/// Prints one thing: a line for each of its cells.
pub(super) fn show_facts(heading: &[&str], cells: &[String]) -> CommandResult {
    for (name, cell) in heading.iter().zip(cells) {
        let (name, cell) = (name.to_lowercase(), harmless(cell));
        say(format_args!("{name:<9}  {cell}"))?;
    }
    Ok(())
}

/// Prints a table below what stands there already; nothing where it has no row.
pub(super) fn show_below<R: AsRef<[String]>>(heading: &[&str], rows: Vec<R>) -> CommandResult {
    if !rows.is_empty() {
        say("")?;
        say(table(heading, rows))?;
    }
    Ok(())
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
