//! Reading values of a body that may be missing or of another type.

use std::borrow::Cow;

use alert_connectors_model::{FaultKind, FieldReader, Json, ObjectReader};

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

/// The items of a list; nothing in place of anything else.
pub(crate) fn items(value: Option<Json<'_>>) -> Vec<Json<'_>> {
    match value {
        Some(Json::List(items)) => items,
        _ => Vec::new(),
    }
}

/// The list that a body must have to be the source's `shape`. Anything else is a fault that says what was found.
pub(crate) fn required_list<'j>(
    body: &mut FieldReader<'j>,
    name: &'static str,
    shape: &str,
) -> Option<Vec<Json<'j>>> {
    let found = match body.take(name) {
        Some(Json::List(items)) => return Some(items),
        Some(other) => format!("here it is {}", other.type_name()),
        None => "this body has none".to_owned(),
    };
    let msg = format!("{shape} has a list named {name}; {found}. A template may have reshaped it.");
    body.fault(name, FaultKind::WrongType, msg);
    None
}

/// A field or an action of an alert, as the API takes it: two values with their names.
pub(crate) fn entry<'j>(
    (name, value): (&'static str, Json<'j>),
    (other, other_value): (&'static str, Json<'j>),
) -> Json<'j> {
    Json::Object(vec![(name.into(), value), (other.into(), other_value)])
}
