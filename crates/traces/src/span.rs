//! What a span says.

use alert_connectors_model::TraceContext;
use jiff::Timestamp;

/// A span that has ended.
#[derive(Debug, Clone)]
pub struct Span {
    /// Its trace and its own id.
    pub context: TraceContext,
    /// The span that it is part of.
    pub parent: Option<[u8; 8]>,
    /// What was done.
    pub name: &'static str,
    /// In which role.
    pub kind: SpanKind,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// More about it, by the names of the semantic conventions where they have one. Nothing in it is a secret.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// The role in which something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// A request was answered.
    Server,
    /// A request was made.
    Client,
    /// Something that was queued was worked off.
    Consumer,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanValue {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
}

impl From<&str> for SpanValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for SpanValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}
