//! The words and times that both platforms show alike.

use alert_connectors_model::{Alert, AlertStatus, Severity};
use jiff::{Timestamp, tz::Offset};

use crate::text::is_blank;

/// The word that stands first in a message: `CRITICAL`, or `RESOLVED (critical)` once the problem is gone.
pub fn severity_word(alert: &Alert) -> &'static str {
    match (alert.status, alert.severity) {
        (AlertStatus::Active, Severity::Low) => "LOW",
        (AlertStatus::Active, Severity::Medium) => "MEDIUM",
        (AlertStatus::Active, Severity::High) => "HIGH",
        (AlertStatus::Active, Severity::Critical) => "CRITICAL",
        (AlertStatus::Resolved, Severity::Low) => "RESOLVED (low)",
        (AlertStatus::Resolved, Severity::Medium) => "RESOLVED (medium)",
        (AlertStatus::Resolved, Severity::High) => "RESOLVED (high)",
        (AlertStatus::Resolved, Severity::Critical) => "RESOLVED (critical)",
    }
}

/// The title, or `(untitled)` where nothing of it could be seen.
pub fn title(alert: &Alert) -> &str {
    if is_blank(&alert.title) {
        "(untitled)"
    } else {
        &alert.title
    }
}

/// `2026-11-23 12:04 UTC`
pub(crate) fn utc_minute(time: Timestamp) -> String {
    let time = Offset::UTC.to_datetime(time);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02} UTC",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute()
    )
}

/// Facts in the order in which they are shown: the product, the check, then the alert's own.
pub(crate) fn facts(alert: &Alert) -> impl Iterator<Item = Fact<'_>> {
    let part = |name, path, part: &'_ Option<alert_connectors_model::Part>| {
        part.as_ref()
            .map(|part| (name, path, part.name.clone(), part.url.clone()))
    };
    let parts = [
        part("Product", "product.name", &alert.product),
        part("Check", "check.name", &alert.check),
    ];
    let parts = parts
        .into_iter()
        .flatten()
        .map(|(name, path, value, url)| Fact {
            name: name.into(),
            path: path.to_owned(),
            value,
            url,
            ours: true,
        });
    let own = alert.fields.iter().enumerate().map(|(index, field)| Fact {
        name: (&*field.name).into(),
        path: format!("fields.{index}.value"),
        value: field.value.to_string(),
        url: None,
        ours: false,
    });
    parts.chain(own)
}

/// A name and a value to show.
pub(crate) struct Fact<'a> {
    pub(crate) name: std::borrow::Cow<'a, str>,
    /// Where it stands in the alert, for the list of what was trimmed.
    pub(crate) path: String,
    pub(crate) value: String,
    pub(crate) url: Option<alert_connectors_model::Link>,
    /// Whether the name is one of our own words.
    pub(crate) ours: bool,
}
