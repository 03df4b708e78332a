//! The facts of an alert, from a list of names and values or from an object of them.

use std::borrow::Cow;

use super::{AlertReader, FIELD_NAME_CHARS_MAX, FIELD_VALUE_CHARS_MAX, FIELDS_MAX, scalar_text};
use crate::{Field, FieldValue, Json, Loc, ObjectReader, is_visible};

/// A longer number is kept as text: no reader could use it as a number.
const NUMBER_CHARS_MAX: usize = 40;

impl AlertReader<'_, '_> {
    pub(super) fn fields(&mut self) -> Vec<Field> {
        let loc = self.loc.field("fields");
        match self.fields.take("fields") {
            Some(Json::Object(entries)) => {
                let entries = self.at_most("fields", entries, FIELDS_MAX).into_iter();
                let entries = entries.enumerate();
                entries
                    .map(|(at, (name, value))| self.entry(&loc, at, name, value))
                    .collect()
            }
            json => {
                let items = self
                    .list("fields", json, FIELDS_MAX)
                    .into_iter()
                    .enumerate();
                items
                    .map(|(at, item)| self.item(&loc.item(at), at, item))
                    .collect()
            }
        }
    }

    /// An entry of an object.
    fn entry(&mut self, loc: &Loc, at: usize, name: Cow<'_, str>, value: Json<'_>) -> Field {
        let shown: String = name.chars().take(FIELD_NAME_CHARS_MAX).collect();
        let loc = loc.field(shown);
        Field {
            name: self.name(&loc, at, Some(Json::Text(name))),
            value: self.value(loc, value),
        }
    }

    /// An item of a list: an object of name and value, or a value alone.
    fn item(&mut self, loc: &Loc, at: usize, json: Json<'_>) -> Field {
        let mut object = match ObjectReader::new(json) {
            Ok(object) => object,
            Err(value) => {
                return Field {
                    name: self.name(loc, at, None),
                    value: self.value(loc.clone(), value),
                };
            }
        };
        let name = self.name(&loc.field("name"), at, object.take("name"));
        let value = object.take("value").unwrap_or(Json::Null);
        let value = self.value(loc.field("value"), value);
        self.drop_unknown(loc, &object, &["name", "value"]);
        Field { name, value }
    }

    fn name(&mut self, loc: &Loc, at: usize, json: Option<Json<'_>>) -> String {
        match json.and_then(scalar_text) {
            Some(name) if name.chars().any(is_visible) => {
                self.text(loc.clone(), name, FIELD_NAME_CHARS_MAX)
            }
            _ => {
                let name = format!("field {}", at + 1);
                self.warn(loc.clone(), format!("It has no name; shown as {name}."));
                name
            }
        }
    }

    fn value(&mut self, loc: Loc, json: Json<'_>) -> FieldValue {
        let text = match json {
            Json::Null => return FieldValue::Empty,
            Json::Bool(value) => return FieldValue::Bool(value),
            Json::Number(number) => {
                let digits = number.to_string();
                if digits.len() <= NUMBER_CHARS_MAX {
                    return FieldValue::Number(number);
                }
                Cow::Owned(digits)
            }
            Json::Text(text) => text,
            nested @ (Json::List(_) | Json::Object(_)) => Cow::Owned(nested.to_string()),
        };
        FieldValue::Text(self.text(loc, text, FIELD_VALUE_CHARS_MAX))
    }
}
