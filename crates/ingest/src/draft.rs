//! An alert in the making: its fields as the API takes them, so that it is corrected and cut by the same rules as any other.

use std::borrow::Cow;

use alert_connectors_model::{
    AlertStatus, AlertType, Fault, Json, Loc, ParsedAlert, Severity, Warning, parse_corrected_alert,
};
use jiff::Timestamp;

use crate::{
    severity_words::severity_of,
    values::{action, shown},
};

/// The longest type, in characters.
const TYPE_CHARS_MAX: usize = 64;

/// An alert that is read from the entry of a body at `loc`.
pub(crate) struct Draft<'j> {
    loc: Loc,
    /// The entry as it was sent, where a mapping may look something up in it.
    entry: Option<Json<'j>>,
    fields: Vec<(Cow<'j, str>, Json<'j>)>,
    warnings: Vec<Warning>,
}

impl<'j> Draft<'j> {
    pub(crate) const fn new(loc: Loc, entry: Option<Json<'j>>) -> Self {
        Self {
            loc,
            entry,
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

    /// Sets a part of the alert, in place of what it was.
    pub(crate) fn set(&mut self, name: &'static str, value: Json<'j>) {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.fields.push((Cow::Borrowed(name), value)),
        }
    }

    /// A part of the alert.
    pub(crate) fn get(&self, name: &str) -> Option<&Json<'j>> {
        let mut fields = self.fields.iter();
        fields.find_map(|(known, value)| (known == name).then_some(value))
    }

    /// The value of the first of the alert's fields with that name.
    pub(crate) fn field(&self, name: &str) -> Option<&Json<'j>> {
        let Some(Json::List(fields)) = self.get("fields") else {
            return None;
        };
        fields.iter().find_map(|field| match field {
            Json::Object(pair) => match &**pair {
                [(_, Json::Text(known)), (_, value)] if known == name => Some(value),
                _ => None,
            },
            _ => None,
        })
    }

    /// Adds a link after those that are there.
    pub(crate) fn add_action(&mut self, label: String, url: String) {
        let action = action(label, url);
        match self.fields.iter_mut().find(|(name, _)| name == "actions") {
            Some((_, Json::List(actions))) => actions.push(action),
            _ => self.set("actions", Json::List(vec![action])),
        }
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

    /// Sets the severity that a producer's word means: medium where there is none, and where nobody knows it.
    pub(crate) fn severity_word(&mut self, word: Option<&str>, loc: impl FnOnce(&Loc) -> Loc) {
        let known = word.map(severity_of);
        if let (Some(word), Some(None)) = (word, known) {
            let msg = format!(
                "The severity {} is not known; it counts as medium.",
                shown(word)
            );
            self.warn(loc, msg);
        }
        self.severity(known.flatten().unwrap_or(Severity::Medium));
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

    /// The entry as it was sent, for a mapping that looks something up in it.
    pub(crate) fn take_entry(&mut self) -> Option<Json<'j>> {
        self.entry.take()
    }

    /// The alert. It has faults only where the source set no type, title, severity or status.
    pub(crate) fn parsed(self, now: Timestamp) -> Result<ParsedAlert, Vec<Fault>> {
        parse_corrected_alert(Json::Object(self.fields), &self.loc, now, self.warnings)
    }
}
