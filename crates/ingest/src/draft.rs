//! An alert in the making: its fields as the API takes them, so that it is corrected and cut by the same rules as any other.

use std::borrow::Cow;

use alert_connectors_model::{
    AlertStatus, AlertType, Fault, Json, Loc, ParsedAlert, Severity, Warning, parse_corrected_alert,
};
use jiff::Timestamp;

/// The longest type, in characters.
const TYPE_CHARS_MAX: usize = 64;

/// An alert that is read from the entry of a body at `loc`.
pub(crate) struct Draft<'j> {
    loc: Loc,
    fields: Vec<(Cow<'j, str>, Json<'j>)>,
    warnings: Vec<Warning>,
}

impl<'j> Draft<'j> {
    pub(crate) const fn new(loc: Loc) -> Self {
        Self {
            loc,
            fields: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Says what was corrected at a field of the entry.
    pub(crate) fn warn(&mut self, loc: impl FnOnce(&Loc) -> Loc, msg: impl Into<String>) {
        self.warnings.push(Warning {
            loc: loc(&self.loc),
            msg: msg.into(),
        });
    }

    pub(crate) fn set(&mut self, name: &'static str, value: Json<'j>) {
        self.fields.push((Cow::Borrowed(name), value));
    }

    pub(crate) fn text(&mut self, name: &'static str, text: impl Into<Cow<'j, str>>) {
        self.set(name, Json::Text(text.into()));
    }

    pub(crate) fn maybe_text(&mut self, name: &'static str, text: Option<Cow<'j, str>>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    pub(crate) fn severity(&mut self, severity: Severity) {
        self.text("severity", severity.as_str());
    }

    pub(crate) fn status(&mut self, status: AlertStatus) {
        self.text("status", status.as_str());
    }

    /// Sets the type, made to fit: what can't stand in one becomes `_`.
    pub(crate) fn alert_type(&mut self, text: &str) {
        let fits = |letter: char| match letter.to_ascii_lowercase() {
            letter @ ('a'..='z' | '0'..='9' | '_' | '.' | '-') => letter,
            _ => '_',
        };
        let fitted: String = text.trim().chars().take(TYPE_CHARS_MAX).map(fits).collect();
        if fitted != text && AlertType::parse(text).is_none() {
            self.warn(
                Loc::clone,
                format!("The type became {fitted}: at most 64 of a-z 0-9 _ . -"),
            );
        }
        self.text("alert_type", fitted);
    }

    /// The alert. It has faults only where the source set no type, title, severity or status.
    pub(crate) fn parsed(self, now: Timestamp) -> Result<ParsedAlert, Vec<Fault>> {
        parse_corrected_alert(Json::Object(self.fields), &self.loc, now, self.warnings)
    }
}
