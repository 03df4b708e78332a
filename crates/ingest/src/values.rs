//! Reading values of a body that may be missing or of another type.

use std::borrow::Cow;

use alert_connectors_model::{Json, ObjectReader};

/// The text of a value; nothing where it has no visible character, or is no text.
pub(crate) fn text(value: Option<Json<'_>>) -> Option<Cow<'_, str>> {
    match value {
        Some(Json::Text(text)) if !text.trim().is_empty() => Some(text),
        _ => None,
    }
}

/// An object, or an empty one in place of anything else.
pub(crate) fn object(value: Option<Json<'_>>) -> ObjectReader<'_> {
    let read = value.and_then(|value| ObjectReader::new(value).ok());
    read.unwrap_or_default()
}

/// The names and values of an object; nothing in place of anything else.
pub(crate) fn pairs(value: Option<Json<'_>>) -> Vec<(Cow<'_, str>, Json<'_>)> {
    match value {
        Some(Json::Object(pairs)) => pairs,
        _ => Vec::new(),
    }
}

/// The first of these names whose value is text.
pub(crate) fn first<'j>(object: &mut ObjectReader<'j>, names: &[&str]) -> Option<Cow<'j, str>> {
    names.iter().find_map(|name| text(object.take(name)))
}
