//! Reading the small bodies of the identity routes, every fault at once.

use alert_connectors_model::{
    Fault, FaultKind, Json, Loc, ObjectReader, closest_match, display_name,
};

use crate::ApiError;

const NAME_CHARS_MAX: usize = 120;

/// The body as an object.
pub(super) fn object(json: Json<'_>) -> Result<ObjectReader<'_>, ApiError> {
    ObjectReader::new(json).map_err(|other| {
        let msg = format!("The body must be an object; this is {}.", other.type_name());
        ApiError::invalid(vec![Fault::new(Loc::body(), FaultKind::WrongType, msg)])
    })
}

/// A required string.
pub(super) fn text(
    object: &mut ObjectReader<'_>,
    name: &'static str,
    faults: &mut Vec<Fault>,
) -> Option<String> {
    let (kind, msg) = match object.take(name) {
        Some(Json::Text(text)) => return Some(text.into_owned()),
        Some(Json::Null) => (
            FaultKind::Null,
            format!("{name} must be a string; this is null."),
        ),
        Some(other) => (
            FaultKind::WrongType,
            format!("{name} must be a string; this is {}.", other.type_name()),
        ),
        None => (FaultKind::Missing, format!("{name} is required.")),
    };
    faults.push(Fault::new(Loc::body().field(name), kind, msg));
    None
}

/// A string that may be left out or null.
pub(super) fn optional_text(
    object: &mut ObjectReader<'_>,
    name: &'static str,
    faults: &mut Vec<Fault>,
) -> Option<String> {
    match object.take(name)? {
        Json::Null => None,
        Json::Text(text) => Some(text.into_owned()),
        other => {
            let msg = format!(
                "{name} must be a string or null; this is {}.",
                other.type_name()
            );
            faults.push(Fault::new(
                Loc::body().field(name),
                FaultKind::WrongType,
                msg,
            ));
            None
        }
    }
}

/// A name for people: 1–120 characters, none of them a control character.
pub(super) fn name(text: &str, faults: &mut Vec<Fault>) -> Option<String> {
    let kind = match text.trim().chars().count() {
        0 => FaultKind::TooShort,
        1..=NAME_CHARS_MAX => FaultKind::NotOneOf,
        _ => FaultKind::TooLong,
    };
    let fault = |what| faults.push(Fault::new(Loc::body().field("name"), kind, what));
    display_name(text).map_err(fault).ok()
}

/// Adds a fault for each unknown field.
pub(super) fn unknown(object: &ObjectReader<'_>, known: &[&'static str], faults: &mut Vec<Fault>) {
    for name in object.left_over() {
        let hint = closest_match(name, known.iter().copied())
            .map(|known| format!(" Did you mean {known}?"));
        let msg = format!("There is no such field.{}", hint.unwrap_or_default());
        let shown: String = name.chars().take(80).collect();
        faults.push(Fault::new(
            Loc::body().field(shown),
            FaultKind::UnknownField,
            msg,
        ));
    }
}
