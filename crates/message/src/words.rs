//! The words and times that both platforms show alike.

use std::{borrow::Cow, fmt};

use alert_connectors_model::{Action, Alert, AlertStatus, Field, FieldValue, Link, Part, Severity};
use jiff::{Timestamp, tz::Offset};

use crate::{Shown, text::is_blank, truncate::Trim};

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

/// The word that stands first, where a follow-up may have one of its own.
pub(crate) fn headline(shown: Shown<'_>) -> &'static str {
    let own = shown.note.filter(|_| !shown.whole);
    own.and_then(|note| note.word(shown.alert.severity))
        .unwrap_or_else(|| severity_word(shown.alert))
}

/// The title, or `(untitled)` where nothing of it could be seen.
pub fn title(alert: &Alert) -> &str {
    visible(&alert.title, "(untitled)")
}

/// The label of an action, or `Link` where nothing of it could be seen.
pub(crate) fn label(action: &Action) -> &str {
    visible(&action.label, "Link")
}

fn visible<'t>(text: &'t str, instead: &'t str) -> &'t str {
    if is_blank(text) { instead } else { text }
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
    let parts = [
        (FactSource::Product, &alert.product),
        (FactSource::Check, &alert.check),
    ];
    let parts = parts
        .into_iter()
        .filter_map(|(place, part)| Some(Fact::of_part(place, part.as_ref()?)));
    let own = alert.fields.iter().enumerate();
    parts.chain(own.map(|(index, field)| Fact::of_field(FactSource::Field(index), field)))
}

/// `+8 more facts`, where not all are shown; they are added to the list of what did not fit.
pub(crate) fn more_facts(
    alert: &Alert,
    left_out: usize,
    trimmed: &mut Vec<Trim>,
) -> Option<String> {
    if left_out == 0 {
        return None;
    }
    let from = alert.fields.len();
    let parts = [
        (FactSource::Product, &alert.product),
        (FactSource::Check, &alert.check),
    ];
    let parts = parts
        .into_iter()
        .filter_map(|(place, part)| Some((place, part.as_ref()?)));
    // The fields are left out first, since they stand last.
    for (place, part) in parts.skip((facts(alert).count() - left_out).min(2)) {
        trimmed.push(Trim {
            field: place.to_string(),
            from: part.name.chars().count(),
            to: 0,
        });
    }
    if from > 0 {
        trimmed.push(Trim {
            field: "fields".to_owned(),
            from,
            to: from.saturating_sub(left_out),
        });
    }
    let noun = if left_out == 1 { "fact" } else { "facts" };
    Some(format!("+{left_out} more {noun}"))
}

/// A name and a value to show.
pub(crate) struct Fact<'a> {
    pub(crate) place: FactSource,
    pub(crate) name: &'a str,
    pub(crate) value: Cow<'a, str>,
    pub(crate) url: Option<&'a Link>,
}

/// Where a fact stands in the alert, as the list of what was trimmed names it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FactSource {
    Product,
    Check,
    Field(usize),
}

impl<'a> Fact<'a> {
    fn of_part(place: FactSource, part: &'a Part) -> Self {
        let name = if place == FactSource::Product {
            "Product"
        } else {
            "Check"
        };
        Self {
            place,
            name,
            value: Cow::Borrowed(visible(&part.name, "–")),
            url: part.url.as_ref(),
        }
    }

    fn of_field(place: FactSource, field: &'a Field) -> Self {
        let value = match &field.value {
            FieldValue::Text(text) if is_blank(text) => Cow::Borrowed("–"),
            FieldValue::Text(text) => Cow::Borrowed(text.as_str()),
            other => Cow::Owned(other.to_string()),
        };
        Self {
            place,
            name: visible(&field.name, "(unnamed)"),
            value,
            url: None,
        }
    }
}

impl FactSource {
    /// Where the name of the fact stands.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Product | Self::Check => self.to_string(),
            Self::Field(index) => format!("fields.{index}.name"),
        }
    }
}

impl fmt::Display for FactSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product => f.write_str("product.name"),
            Self::Check => f.write_str("check.name"),
            Self::Field(index) => write!(f, "fields.{index}.value"),
        }
    }
}
