//! JSON read in one pass into a tree that borrows from the body, refusing duplicate keys and trailing text.

use std::{borrow::Cow, cell::Cell, fmt, ops::Range};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// A JSON value. Objects keep their keys in the order of the text, each at most once.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, exactly as it was written.
    Number(Number),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Json<'a>>),
    /// An object.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Where and why a body is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at line {line}, column {column}")]
pub struct JsonError {
    /// What is wrong.
    pub reason: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
    /// Whether it is JSON, but of more values than a body may have.
    pub is_too_much: bool,
}

impl<'a> Json<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, JsonError> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let left = Cell::new(VALUES_MAX);
        let node = Node {
            left: &left,
            body: body.as_ptr_range(),
        };
        let value = node.deserialize(&mut deserializer);
        let value = value.and_then(|value| deserializer.end().map(|()| value));
        value.map_err(|error| JsonError {
            is_too_much: left.get() == 0,
            ..JsonError::of(&error, body)
        })
    }

    /// The error for a body that has more values than it may have.
    pub fn too_many_values() -> JsonError {
        JsonError {
            reason: format!("more than {VALUES_MAX} values"),
            line: 1,
            column: 1,
            is_too_much: true,
        }
    }

    /// About how much memory the tree of a body takes, in bytes, before it is read.
    pub fn weight_of(body: &[u8]) -> usize {
        // Each value but the first stands behind one of these. They may also stand in strings, which makes the estimate
        // too high.
        let begins_a_value = |byte: &&u8| matches!(byte, b',' | b'[' | b'{');
        let values = body.iter().filter(begins_a_value).count() + 1;
        values.min(VALUES_MAX) * 2 * size_of::<Self>()
    }

    /// The same value, which borrows nothing.
    pub fn into_owned(self) -> Json<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(value),
            Self::Number(number) => Json::Number(number),
            Self::Text(text) => Json::Text(owned(text)),
            Self::List(items) => Json::List(items.into_iter().map(Self::into_owned).collect()),
            Self::Object(fields) => {
                let fields = fields.into_iter();
                let fields = fields.map(|(name, value)| (owned(name), value.into_owned()));
                Json::Object(fields.collect())
            }
        }
    }

    /// What the value is called in messages.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl fmt::Display for Json<'_> {
    /// Compact JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write_string(text, f),
            Self::List(items) => {
                f.write_str("[")?;
                for (position, item) in items.iter().enumerate() {
                    f.write_str(if position > 0 { "," } else { "" })?;
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
            Self::Object(fields) => {
                f.write_str("{")?;
                for (position, (name, value)) in fields.iter().enumerate() {
                    f.write_str(if position > 0 { "," } else { "" })?;
                    write_string(name, f)?;
                    f.write_str(":")?;
                    value.fmt(f)?;
                }
                f.write_str("}")
            }
        }
    }
}

fn write_string(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).expect("a string always serialises"))
}

impl JsonError {
    fn of(error: &serde_json::Error, body: &[u8]) -> Self {
        let (line, column) = (error.line().max(1), error.column().max(1));
        let text = error.to_string();
        let reason = text.split(" at line ").next().unwrap_or_default();
        let found = word_at(body, line, column).filter(|_| reason.starts_with("expected"));
        let reason = match found {
            Some(word) => format!("`{word}` is not JSON"),
            None => reason.to_owned(),
        };
        Self {
            reason,
            line,
            column,
            is_too_much: false,
        }
    }
}

/// Longer words are named by their beginning.
const WORD_CHARS_MAX: usize = 20;

/// The word that stands at a place of a body: what a person would look for there.
fn word_at(body: &[u8], line: usize, column: usize) -> Option<String> {
    let line = body.split(|byte| *byte == b'\n').nth(line - 1)?;
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.+-'".contains(byte);
    // The place is that of the first invalid byte, which may be inside the word.
    let at = column.min(line.len()).checked_sub(1)?;
    let begin = line.get(..at)?.iter().rposition(|byte| !is_word(byte));
    let word = line.get(begin.map_or(0, |before| before + 1)..)?;
    let end = word.iter().position(|byte| !is_word(byte));
    let word = std::str::from_utf8(word.get(..end.unwrap_or(word.len()))?).ok()?;
    (!word.is_empty()).then(|| word.chars().take(WORD_CHARS_MAX).collect())
}

/// An object whose fields are taken out one by one, so that what is left over is unknown.
#[derive(Debug, Default)]
pub struct ObjectReader<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> ObjectReader<'a> {
    /// The object, or the value back if it is none.
    pub fn new(json: Json<'a>) -> Result<Self, Json<'a>> {
        match json {
            Json::Object(fields) => Ok(Self(fields)),
            other => Err(other),
        }
    }

    /// Takes the field of that name out.
    pub fn take(&mut self, name: &str) -> Option<Json<'a>> {
        let position = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(position).1)
    }

    /// The fields that were not taken, in their order.
    pub fn into_rest(self) -> Vec<(Cow<'a, str>, Json<'a>)> {
        self.0
    }

    /// The names of the fields that were not taken.
    pub fn left_over(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_ref())
    }
}

/// A body may have this many values, more than any batch needs. They may take thirty times the memory of their text.
pub(crate) const VALUES_MAX: usize = 250_000;

#[derive(Clone)]
struct Node<'c> {
    /// The values that may still come.
    left: &'c Cell<usize>,
    /// Where the body lies in memory, to distinguish its own text from what `serde_json` adds.
    body: Range<*const u8>,
}

impl Node<'_> {
    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        match self.left.get().checked_sub(1) {
            Some(left) if left > 0 => {
                self.left.set(left);
                Ok(())
            }
            _ => {
                self.left.set(0);
                Err(E::custom(format_args!("more than {VALUES_MAX} values")))
            }
        }
    }

    /// The number that an object stands for, if it is one that `serde_json` made: its key is not of the body.
    fn number_in(&self, fields: &[(Cow<'_, str>, Json<'_>)]) -> Option<Number> {
        match fields {
            [(Cow::Borrowed(key), Json::Text(digits))]
                if *key == NUMBER_KEY && !self.body.contains(&key.as_ptr()) =>
            {
                digits.parse().ok()
            }
            _ => None,
        }
    }
}

impl<'de> DeserializeSeed<'de> for &Node<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Node<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            self.count()?;
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut fields: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            // Bodies hold a dozen keys; past that a set would be needed to stay linear.
            if fields.len() > KEYS_MAX {
                return Err(A::Error::custom(format_args!(
                    "more than {KEYS_MAX} keys in an object"
                )));
            }
            if fields.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom("duplicate key"));
            }
            fields.push((key, entries.next_value_seed(self)?));
            self.count()?;
        }
        Ok(self
            .number_in(&fields)
            .map_or(Json::Object(fields), Json::Number))
    }
}

/// The key under which `serde_json` hands a number over as it was written, so that none is rounded.
const NUMBER_KEY: &str = "$serde_json::private::Number";

/// No request has use for more keys in one object; the bound keeps the search for duplicates cheap.
const KEYS_MAX: usize = 1_000;

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_keys_and_trailing_text_are_refused_with_their_place() {
        let error = Json::parse(b"{\"a\":1,\n \"a\":2}").unwrap_err();
        assert_eq!((error.reason.as_str(), error.line), ("duplicate key", 2));
        assert_eq!(
            Json::parse(b"{} x").unwrap_err().reason,
            "trailing characters"
        );
        assert!(Json::parse(b"{\"a\":{\"b\":1,\"b\":1}}").is_err());
        assert!(Json::parse(b"").is_err());
        assert!(Json::parse(&b"[".repeat(100_000)).is_err());
    }

    #[test]
    fn more_values_than_a_body_may_have_are_refused_early() {
        for body in [
            "[0".to_owned() + &",0".repeat(VALUES_MAX),
            "[".to_owned() + &"[0],".repeat(VALUES_MAX),
        ] {
            let error = Json::parse(body.as_bytes()).unwrap_err();
            assert!(error.is_too_much, "{error}");
            assert_eq!(error.reason, "more than 250000 values");
        }
        let most = "[0".to_owned() + &",0".repeat(VALUES_MAX / 2);
        assert!(Json::parse((most + "]").as_bytes()).is_ok());
        assert!(!Json::parse(b"[0").unwrap_err().is_too_much);
        assert!(Json::weight_of(b"[1,{\"a\":2}]") >= 4 * size_of::<Json<'_>>());
    }

    #[test]
    fn an_object_is_never_taken_for_a_number() {
        for key in [
            "$serde_json::private::Number",
            "\\u0024serde_json::private::Number",
        ] {
            let body = format!("{{\"{key}\":\"1e5\"}}");
            let Json::Object(fields) = Json::parse(body.as_bytes()).unwrap() else {
                unreachable!("{body}");
            };
            assert_eq!(fields[0].1, Json::Text("1e5".into()));
        }
    }

    #[test]
    fn an_error_names_what_was_found() {
        for (body, reason) in [
            ("{\"a\": NaN}", "`NaN` is not JSON"),
            ("{\"a\":\n  None}", "`None` is not JSON"),
            ("{\"a\": nul}", "`nul` is not JSON"),
            ("{'a': 1}", "key must be a string"),
            ("{\"a\": }", "expected value"),
            ("{\"a\": 1", "EOF while parsing an object"),
        ] {
            assert_eq!(Json::parse(body.as_bytes()).unwrap_err().reason, reason);
        }
    }

    #[test]
    fn no_number_is_rounded() {
        for digits in [
            "1",
            "-0.50",
            "1e+2",
            "1e+400",
            "123456789012345678901234567890",
            "0.0000001",
        ] {
            let Json::Number(number) = Json::parse(digits.as_bytes()).unwrap() else {
                unreachable!()
            };
            assert_eq!(number.to_string(), digits);
        }
        assert!(Json::parse(b"01").is_err());
        assert!(matches!(
            Json::parse(br#"{"$serde_json::private::Number":"x"}"#),
            Ok(Json::Object(_))
        ));
    }

    #[test]
    fn strings_without_escapes_are_borrowed() {
        let Json::List(items) = Json::parse(br#"["plain","\n"]"#).unwrap() else {
            unreachable!()
        };
        assert!(matches!(items[0], Json::Text(Cow::Borrowed("plain"))));
        assert!(matches!(&items[1], Json::Text(Cow::Owned(text)) if text == "\n"));
    }
}
