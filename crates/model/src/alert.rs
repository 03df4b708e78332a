//! An alert: what a data platform reports, as it is stored, shown and sent.

#![warn(clippy::wildcard_enum_match_arm)] // A new state must be decided everywhere.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::{Link, Severity, rfc3339_millis, wire_enum::wire_enum};

/// At most this many alerts in a batch.
pub const BATCH_ALERTS_MAX: usize = 1_000;
/// At most this many actions in an alert.
pub const ACTIONS_MAX: usize = 5;

/// What an alert says. It serialises as the API shows it and as a store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertContent))]
pub struct Alert {
    /// What connectors filter by.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[a-z0-9_.-]{1,64}$"))]
    pub alert_type: AlertType,
    /// The first line of the message, which is shown as `(untitled)` where nothing in it is visible.
    #[cfg_attr(feature = "schema", schema(max_length = 1000))]
    pub title: String,
    /// How bad it is. It never falls while the problem is there.
    pub severity: Severity,
    /// Whether the problem is there or gone.
    pub status: AlertStatus,
    /// The text of the message.
    #[cfg_attr(feature = "schema", schema(required, max_length = 16000))]
    pub description: Option<String>,
    /// How the description is written.
    pub description_format: DescriptionFormat,
    /// The product that it is about.
    #[cfg_attr(feature = "schema", schema(required))]
    pub product: Option<Part>,
    /// The check that found it.
    #[cfg_attr(feature = "schema", schema(required))]
    pub check: Option<Part>,
    /// Facts, shown in their order.
    #[cfg_attr(feature = "schema", schema(max_items = 40))]
    pub fields: Vec<Field>,
    /// Where the title leads.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, required, max_length = 2048))]
    pub url: Option<Link>,
    /// Links below the message.
    #[cfg_attr(feature = "schema", schema(max_items = 5))]
    pub actions: Vec<Action>,
    /// Names the ongoing problem within the space.
    #[cfg_attr(feature = "schema", schema(required, max_length = 255))]
    pub dedup_key: Option<String>,
    /// When it happened, as the producer says; else when it was received.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    #[serde(serialize_with = "millis")]
    pub occurred_at: Timestamp,
    /// When the problem ended. Left out while it is there.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, nullable = false, format = DateTime))]
    #[serde(
        serialize_with = "maybe_millis",
        skip_serializing_if = "Option::is_none"
    )]
    pub resolved_at: Option<Timestamp>,
    /// When its severity rose while the problem was there, the first time first. Left out if it never did.
    #[cfg_attr(feature = "schema", schema(max_items = 3))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub raises: Vec<Raise>,
}

impl Alert {
    /// The active alert once the same problem was posted again at a time: newer words, facts and links, and never a lower
    /// severity.
    #[must_use]
    pub fn repeated_by(&self, newer: &Self, at: Timestamp) -> Self {
        let rose = (newer.severity > self.severity).then_some(Raise {
            at,
            from: self.severity,
            to: newer.severity,
        });
        Self {
            raises: self.raises.iter().copied().chain(rose).collect(),
            title: newer.title.clone(),
            description: newer.description.clone(),
            description_format: newer.description_format,
            product: newer.product.clone().or_else(|| self.product.clone()),
            check: newer.check.clone().or_else(|| self.check.clone()),
            fields: newer.fields.clone(),
            url: newer.url.clone(),
            actions: newer.actions.clone(),
            severity: self.severity.max(newer.severity),
            ..self.clone()
        }
    }

    /// The alert once its problem was posted as gone.
    #[must_use]
    pub fn resolved_by(&self, end: &Self) -> Self {
        Self {
            title: end.title.clone(),
            ..self.resolved(end.occurred_at)
        }
    }

    /// The alert once its problem is gone.
    #[must_use]
    pub fn resolved(&self, at: Timestamp) -> Self {
        Self {
            status: AlertStatus::Resolved,
            resolved_at: Some(at),
            ..self.clone()
        }
    }

    /// How long the problem had been there at a time; `None` if that lies before its beginning.
    pub fn lasted_until(&self, at: Timestamp) -> Option<Duration> {
        Duration::try_from(at.duration_since(self.occurred_at)).ok()
    }
}

/// A rise of an alert's severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Raise {
    /// When it was received.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    #[serde(serialize_with = "millis")]
    pub at: Timestamp,
    /// The severity before.
    pub from: Severity,
    /// The severity since then.
    pub to: Severity,
}

#[expect(
    clippy::ref_option,
    reason = "serde passes the field as it stands in the struct"
)]
fn maybe_millis<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => millis(time, serializer),
        None => serializer.serialize_none(),
    }
}

fn millis<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339_millis(*time))
}

/// An alert's kind, of an open vocabulary: 1–64 of `a-z 0-9 _ . -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct AlertType(String);

impl AlertType {
    /// The longest name, in characters.
    pub const CHARS_MAX: usize = 64;

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::CHARS_MAX).contains(&text.len()) && text.bytes().all(Self::allows);
        fits.then(|| Self(text.to_owned()))
    }

    /// Whether a name may hold this character.
    pub(crate) const fn allows(byte: u8) -> bool {
        matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-')
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AlertType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

wire_enum! {
    /// Whether the problem is there or gone.
    #[cfg_attr(feature = "schema", schema(as = Status))]
    AlertStatus {
        /// It is there.
        Active = 0, "active";
        /// It is gone.
        Resolved = 1, "resolved";
    }
}

wire_enum! {
    /// How a description is written: as it stands, or in the small Markdown of the API.
    DescriptionFormat {
        /// As it stands.
        Plain = 0, "plain";
        /// The small Markdown of the API.
        Markdown = 1, "markdown";
    }
}

/// A product or a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Part {
    /// The platform's own name for it, up to 200 characters.
    pub id: Option<String>,
    /// Its name for people, up to 200 characters.
    pub name: String,
    /// Where to see it: http or https, up to 2,048 characters.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub url: Option<Link>,
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Field {
    /// What it is, up to 100 characters.
    pub name: String,
    /// A string of up to 4,000 characters, a number, a boolean, or null, which is shown as –.
    #[cfg_attr(feature = "schema", schema(value_type = serde_json::Value))]
    pub value: FieldValue,
}

/// The value of a fact.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// Text, possibly empty.
    Text(String),
    /// A number, shown as it was written.
    Number(serde_json::Number),
    /// `true` or `false`.
    Bool(bool),
    /// No value at all; shown as –.
    Empty,
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if !text.trim().is_empty() => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Bool(value) => value.fmt(f),
            Self::Text(_) | Self::Empty => f.write_str("–"),
        }
    }
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Action {
    /// What it leads to, up to 60 characters.
    pub label: String,
    /// Where it leads: http or https, up to 2,048 characters.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub url: Link,
}
