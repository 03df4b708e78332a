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

/// The same of the fields of a body.
pub(crate) fn first_field<'j>(
    body: &mut FieldReader<'j>,
    names: &[&'static str],
) -> Option<Cow<'j, str>> {
    names.iter().find_map(|name| text(body.take(name)))
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

/// A field of an alert.
pub(crate) fn field<'j>(name: impl Into<Cow<'j, str>>, value: Json<'j>) -> Json<'j> {
    entry(("name", Json::Text(name.into())), ("value", value))
}

/// Adds a field for each scalar of an object. Objects within it are named by their way, such as `a.b`; of lists, those of scalars
/// are shown in one line.
pub(crate) fn add_fields<'j>(fields: &mut Vec<Json<'j>>, object: Vec<(Cow<'j, str>, Json<'j>)>) {
    let mut open: Vec<(Cow<'j, str>, Json<'j>)> = object.into_iter().rev().collect();
    while let Some((name, value)) = open.pop() {
        match value {
            Json::Object(members) => open.extend(
                members
                    .into_iter()
                    .rev()
                    .map(|(inner, value)| (Cow::Owned(format!("{name}.{inner}")), value)),
            ),
            Json::List(items) => {
                let words: Option<Vec<String>> = items.iter().map(scalar_text).collect();
                let words = words.filter(|words| !words.is_empty());
                fields.extend(words.map(|words| field(name, Json::Text(words.join(", ").into()))));
            }
            Json::Null => {}
            scalar => fields.push(field(name, scalar)),
        }
    }
}

/// A string, number or boolean in words.
pub(crate) fn scalar_text(value: &Json<'_>) -> Option<String> {
    match value {
        Json::Text(text) => Some(text.to_string()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Null | Json::List(_) | Json::Object(_) => None,
    }
}

/// The text that a body must have to be the source's `shape`. Anything else is a fault that says what was found.
pub(crate) fn required_text<'j>(
    body: &mut FieldReader<'j>,
    name: &'static str,
    shape: &str,
) -> Option<Cow<'j, str>> {
    let found = match body.take(name) {
        Some(Json::Text(text)) if !text.trim().is_empty() => return Some(text),
        Some(other) => format!("here it is {}", other.type_name()),
        None => "this body has none".to_owned(),
    };
    let msg = format!("{shape} has a text named {name}; {found}. A template may have reshaped it.");
    body.fault(name, FaultKind::WrongType, msg);
    None
}
