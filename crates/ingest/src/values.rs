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
    match body.take(name) {
        Some(Json::List(items)) => Some(items),
        other => {
            missing(body, "list", name, shape, other.as_ref());
            None
        }
    }
}

/// The same of a text.
pub(crate) fn required_text<'j>(
    body: &mut FieldReader<'j>,
    name: &'static str,
    shape: &str,
) -> Option<Cow<'j, str>> {
    match body.take(name) {
        Some(Json::Text(text)) if !text.trim().is_empty() => Some(text),
        other => {
            missing(body, "text", name, shape, other.as_ref());
            None
        }
    }
}

fn missing(
    body: &mut FieldReader<'_>,
    what: &str,
    name: &'static str,
    shape: &str,
    found: Option<&Json<'_>>,
) {
    let found = match found {
        Some(other) => format!("here it is {}", other.type_name()),
        None => "this body has none".to_owned(),
    };
    let msg =
        format!("{shape} has a {what} named {name}; {found}. A template may have reshaped it.");
    body.fault(name, FaultKind::WrongType, msg);
}

/// A field of an alert, as the API takes it.
pub(crate) fn field<'j>(name: impl Into<Cow<'j, str>>, value: Json<'j>) -> Json<'j> {
    Json::Object(vec![
        ("name".into(), Json::Text(name.into())),
        ("value".into(), value),
    ])
}

/// A link of an alert, as the API takes it.
pub(crate) fn action<'j>(label: impl Into<Cow<'j, str>>, url: impl Into<Cow<'j, str>>) -> Json<'j> {
    Json::Object(vec![
        ("label".into(), Json::Text(label.into())),
        ("url".into(), Json::Text(url.into())),
    ])
}

/// A message repeats at most this many characters of a word.
const SHOWN_CHARS_MAX: usize = 60;

/// A word of a producer, as a message repeats it.
pub(crate) fn shown(word: &str) -> String {
    word.chars().take(SHOWN_CHARS_MAX).collect()
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
