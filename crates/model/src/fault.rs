//! What is wrong with a request, and where: the entries of a 422's `errors`.

use std::{borrow::Cow, fmt};

use serde::Serialize;

use crate::Json;

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Fault {
    /// Where it is: `body`, `query` or `header`, then the names of fields and the places in lists, counted from 0.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<serde_json::Value>))]
    pub loc: Loc,
    /// What is wrong, in a sentence.
    pub msg: String,
    /// What kind of fault it is.
    #[serde(rename = "type")]
    pub kind: FaultKind,
}

impl Fault {
    /// A fault at a place.
    pub fn new(loc: Loc, kind: FaultKind, msg: impl Into<String>) -> Self {
        Self {
            loc,
            msg: msg.into(),
            kind,
        }
    }

    /// A field that holds another type of value than the wanted one.
    pub(crate) fn wrong_type(loc: Loc, name: &str, wanted: &str, found: &Json<'_>) -> Self {
        let kind = match found {
            Json::Null => FaultKind::Null,
            _ => FaultKind::WrongType,
        };
        let msg = format!("{name} must be {wanted}; this is {}.", found.type_name());
        Self::new(loc, kind, msg)
    }
}

/// What kind of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A required field is absent.
    Missing,
    /// There is no such field.
    UnknownField,
    /// Another JSON type is expected.
    WrongType,
    /// `null` is not allowed here.
    Null,
    /// Shorter than the minimum.
    TooShort,
    /// Longer than the maximum.
    TooLong,
    /// More entries than the maximum.
    TooMany,
    /// Not one of the allowed values.
    NotOneOf,
    /// Not a usable URL.
    BadUrl,
    /// The URL does not begin with `https://`.
    NotHttps,
    /// The URL leads where webhooks may not go.
    NotPublic,
    /// The URL belongs to the other platform.
    WrongPlatform,
    /// A Slack workflow URL, which cannot show alerts.
    SlackWorkflow,
}

/// One step of the way to a fault: a field's name or an item's index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum LocPart {
    /// A field of an object.
    Name(Cow<'static, str>),
    /// An item of a list, from 0.
    Index(usize),
}

/// The way from the request to a fault, such as `["body", "severity_filter", 0]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loc(Vec<LocPart>);

impl Loc {
    /// The request's body.
    pub fn body() -> Self {
        Self(vec![LocPart::Name("body".into())])
    }

    /// A query parameter.
    pub fn query(name: impl Into<Cow<'static, str>>) -> Self {
        Self(vec![
            LocPart::Name("query".into()),
            LocPart::Name(name.into()),
        ])
    }

    /// A header of the request.
    pub fn header(name: &'static str) -> Self {
        Self(vec![
            LocPart::Name("header".into()),
            LocPart::Name(name.into()),
        ])
    }

    /// A field below this place.
    #[must_use]
    pub fn field(&self, name: impl Into<Cow<'static, str>>) -> Self {
        self.below(LocPart::Name(name.into()))
    }

    /// An item below this place.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        self.below(LocPart::Index(index))
    }

    fn below(&self, part: LocPart) -> Self {
        let mut parts = Vec::with_capacity(self.0.len() + 1);
        parts.extend_from_slice(&self.0);
        parts.push(part);
        Self(parts)
    }
}

impl fmt::Display for Loc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, part) in self.0.iter().enumerate() {
            let dot = if position == 0 { "" } else { "." };
            match part {
                LocPart::Name(name) => write!(f, "{dot}{name}")?,
                LocPart::Index(index) => write!(f, "{dot}{index}")?,
            }
        }
        Ok(())
    }
}
