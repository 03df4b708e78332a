//! A space's mapping of a source: rules that change the alerts of its bodies, in order.

mod lookup;
mod parse;
mod template;

use alert_connectors_model::{AlertType, Fault, Json, Severity};

pub(crate) use self::lookup::Sent;
use self::{lookup::Lookup, template::Template};
use crate::draft::Draft;

/// The rules by which a space changes the alerts of a source. The default has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    rules: Vec<Rule>,
}

/// What becomes of alerts for which all of the conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    conditions: Vec<Condition>,
    effect: Effect,
}

/// That something of the alert, or of the body that it was made of, has a value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    lookup: Lookup,
    /// One of these; any value where there are none.
    values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Effect {
    /// The alert is left out.
    Drop,
    Change(Box<Change>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Change {
    alert_type: Option<AlertType>,
    severity: Option<Severity>,
    title: Option<Template>,
    url: Option<Template>,
    action: Option<ActionTemplate>,
}

/// A link to add.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ActionTemplate {
    label: Template,
    url: Template,
}

/// Whether an alert stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Stays,
    Dropped,
}

impl Mapping {
    /// Reads the document of a mapping. Returns all of its faults.
    pub fn parse(document: Json<'_>) -> Result<Self, Vec<Fault>> {
        parse::mapping(document)
    }

    /// Whether it changes nothing.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Changes an alert that was made of what a producer sent. Every rule sees what the rules before it changed.
    pub(crate) fn apply(&self, sent: Sent<'_, '_>, draft: &mut Draft<'_>) -> Fate {
        for rule in &self.rules {
            let is_met = |condition: &Condition| condition.is_met(sent, draft);
            if !rule.conditions.iter().all(is_met) {
                continue;
            }
            match &rule.effect {
                Effect::Drop => return Fate::Dropped,
                Effect::Change(change) => change.apply(sent, draft),
            }
        }
        Fate::Stays
    }
}

impl Condition {
    fn is_met(&self, sent: Sent<'_, '_>, draft: &Draft<'_>) -> bool {
        let Some(found) = self.lookup.text(sent, draft) else {
            return false;
        };
        self.values.is_empty() || self.values.iter().any(|value| *value == found)
    }
}

impl Change {
    fn apply(&self, sent: Sent<'_, '_>, draft: &mut Draft<'_>) {
        // All templates see the alert as it was before this rule.
        let title = self.title.as_ref().map(|title| title.fill(sent, draft));
        let url = self.url.as_ref().map(|url| url.fill_url(sent, draft));
        let action = self.action.as_ref().map(|action| {
            let label = action.label.fill(sent, draft);
            (label, action.url.fill_url(sent, draft))
        });
        if let Some(alert_type) = &self.alert_type {
            draft.alert_type(alert_type.as_str());
        }
        if let Some(severity) = self.severity {
            draft.severity(severity);
        }
        // Placeholders without values may leave nothing to show.
        if let Some(title) = title.filter(|title| !title.trim().is_empty()) {
            draft.text("title", title);
        }
        if let Some(url) = url {
            draft.text("url", url);
        }
        if let Some((label, url)) = action {
            draft.add_action(label, url);
        }
    }
}
