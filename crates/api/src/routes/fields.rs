//! Fields that several bodies have.

use alert_connectors_model::{FaultKind, FieldReader, Json, display_name};
use jiff::Timestamp;

const NAME_CHARS_MAX: usize = 120;

/// A required display name: 1–120 characters, none of them a control character.
pub(super) fn name(reader: &mut FieldReader<'_>) -> Option<String> {
    let text = reader.required_text("name")?;
    display_name_of(reader, "name", &text)
}

/// The display name that a field holds, by the same rule.
pub(super) fn display_name_of(
    reader: &mut FieldReader<'_>,
    field: &'static str,
    text: &str,
) -> Option<String> {
    let kind = match text.trim().chars().count() {
        0 => FaultKind::TooShort,
        1..=NAME_CHARS_MAX => FaultKind::NotOneOf,
        _ => FaultKind::TooLong,
    };
    display_name(text)
        .map_err(|what| reader.fault(field, kind, what))
        .ok()
}

/// An optional field that is true or false.
pub(super) fn flag(reader: &mut FieldReader<'_>, name: &'static str) -> Option<bool> {
    match reader.take(name)? {
        Json::Bool(flag) => Some(flag),
        other => {
            reader.wrong_type(name, "true or false", &other);
            None
        }
    }
}

/// Reads the time of a field.
pub(super) fn time(
    reader: &mut FieldReader<'_>,
    name: &'static str,
    text: &str,
) -> Option<Timestamp> {
    let parsed = text.parse();
    if parsed.is_err() {
        let msg = format!("{name} must be an RFC 3339 time such as 2026-11-23T12:00:00Z.");
        reader.fault(name, FaultKind::NotOneOf, msg);
    }
    parsed.ok()
}
