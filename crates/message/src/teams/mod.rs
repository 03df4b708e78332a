//! Microsoft Teams: the `message` envelope with one Adaptive Card of version 1.4, made of elements that every client draws.
//!
//! Cards are measured as Teams was seen to count them: as a JSON string inside JSON, 28,672 bytes at most
//! (<https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format>).

mod actions;
mod card;
mod description;
mod digest;
mod facts;
mod text;
mod weight;

use alert_connectors_model::{AlertStatus, Severity};
use serde::Serialize;

use self::{
    actions::{Actions, actions},
    card::{Card, Element, Message, TextRun},
    facts::FactLimits,
    text::{notification, runs, with_visible_spaces},
    weight::weight,
};
use crate::{
    Digest, Platform, Rendering, Shown,
    text::one_line,
    truncate::{Trim, cut, fit},
    words::{headline, title, utc_minute},
};

/// Microsoft Teams, by way of a workflow or an Office 365 connector.
#[derive(Debug)]
pub(crate) struct Teams;

/// Below the 28,672 bytes at which Teams refuses, counted on the escaped form.
const CARD_WEIGHT_MAX: usize = 24_000;
/// The longest summary, which is shown in notifications and where cards can't be drawn.
const SUMMARY_UNITS_MAX: usize = 250;
/// The plain form is kept this short.
const PLAIN_UNITS_MAX: usize = 1_000;

/// How much of what may be long is shown. The first step that fits is taken: values are shortened first, then the
/// description, then facts go, then the buttons of product and check.
struct Fit {
    title: usize,
    /// In weight, as the card is measured.
    description: usize,
    facts: FactLimits,
    actions: usize,
}

/// The alert's link, its page, five actions, product and check.
const ACTIONS_MAX: usize = 9;

const FITS: [Fit; 8] = [
    step(1_003, 12_000, 1_000, 12, ACTIONS_MAX),
    step(1_003, 12_000, 200, 12, ACTIONS_MAX),
    step(1_003, 9_000, 200, 12, ACTIONS_MAX),
    step(1_003, 6_000, 200, 6, ACTIONS_MAX),
    step(400, 3_000, 100, 4, ACTIONS_MAX),
    step(250, 1_200, 100, 2, ACTIONS_MAX),
    step(150, 600, 60, 0, ACTIONS_MAX),
    step(100, 300, 60, 0, ACTIONS_MAX - 2),
];

const fn step(title: usize, description: usize, value: usize, facts: usize, actions: usize) -> Fit {
    Fit {
        title,
        description,
        facts: FactLimits { value, facts },
        actions,
    }
}

impl Platform for Teams {
    fn message(&self, shown: Shown<'_>) -> Rendering {
        let mut last = None;
        for step in &FITS {
            let (card, trimmed) = render(shown, step);
            let card = json(&card);
            let fits = fits(&card);
            last = Some((card, trimmed));
            if fits {
                break;
            }
        }
        // The last step fits by its numbers; a property test holds it to that.
        let (payload, trimmed) = match last {
            Some((card, trimmed)) => (sealed(&card, summary(shown, SUMMARY_UNITS_MAX)), trimmed),
            None => (self.plain(shown), Vec::new()),
        };
        Rendering { payload, trimmed }
    }

    fn plain(&self, shown: Shown<'_>) -> Vec<u8> {
        let alert = shown.alert;
        let mut text = format!("{}: {}", headline(shown), one_line(title(alert)));
        let note = shown.note.map(|note| note.text(alert));
        let description = alert.description.as_deref().filter(|_| shown.whole);
        if let Some(description) = note.as_deref().or(description) {
            text.push_str(&format!(" – {}", one_line(description)));
        }
        let text = cut(&text, PLAIN_UNITS_MAX).text;
        let body = vec![Element::rich(runs(&text, TextRun::plain))];
        let summary = summary(shown, SUMMARY_UNITS_MAX);
        sealed(&json(&Card::plain(body, summary.clone())), summary)
    }

    fn digest(&self, digest: &Digest<'_>) -> Vec<u8> {
        digest::payload(digest)
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings, numbers and lists always serialise")
}

/// The card in its envelope.
fn sealed(card: &str, summary: String) -> Vec<u8> {
    let card = serde_json::value::RawValue::from_string(card.to_owned());
    let card = card.expect("it was serialised by us");
    json(&Message::around(card, summary)).into_bytes()
}

fn fits(card: &str) -> bool {
    // No byte weighs more than three: two bytes of a character beyond ASCII become the six of an escape.
    card.len() * 3 + 2 <= CARD_WEIGHT_MAX || weight(card) <= CARD_WEIGHT_MAX
}

/// The same words plain, for notifications and for clients that can't draw the card.
fn summary(shown: Shown<'_>, max: usize) -> String {
    let text = format!("{} {}", headline(shown), one_line(title(shown.alert)));
    fit(&text, max, |text| notification(text).into_owned()).text
}

fn render(shown: Shown<'_>, step: &Fit) -> (Card, Vec<Trim>) {
    let alert = shown.alert;
    let mut trimmed = Vec::new();
    let mut body = vec![heading(shown, step, &mut trimmed)];
    if shown.whole {
        description::blocks(alert, step.description, &mut trimmed, &mut body);
        facts::elements(alert, step.facts, &mut trimmed, &mut body);
    }
    let note = shown
        .note
        .map_or_else(String::new, |note| format!("{} · ", note.text(alert)));
    body.push(Element::subtle(vec![TextRun::small(format!(
        "{note}{} · {}",
        utc_minute(alert.occurred_at),
        alert.alert_type.as_str()
    ))]));
    let Actions { row, more } = actions(shown, step.actions, &mut trimmed);
    body.extend(more);
    let summary = summary(shown, step.title.min(SUMMARY_UNITS_MAX));
    (Card::full(body, row, summary), trimmed)
}

/// The severity as a tinted container with its word; colour is never the only signal.
fn heading(shown: Shown<'_>, step: &Fit, trimmed: &mut Vec<Trim>) -> Element {
    let alert = shown.alert;
    let (style, sign) = style_of(alert.status, alert.severity);
    let source = one_line(title(alert));
    let title = cut(&source, step.title);
    title.note(&"title", &source, trimmed);
    Element::Container {
        style,
        bleed: true,
        items: vec![
            Element::word(format!("{sign} {}", headline(shown))),
            Element::rich(runs(
                &with_visible_spaces(&title.text, &mut 0),
                TextRun::heading,
            )),
        ],
    }
}

/// The tint of the heading and the sign beside its word.
const fn style_of(status: AlertStatus, severity: Severity) -> (&'static str, &'static str) {
    match (status, severity) {
        (AlertStatus::Resolved, _) => ("good", "✅"),
        (AlertStatus::Active, Severity::Critical) => ("attention", "🟣"),
        (AlertStatus::Active, Severity::High) => ("attention", "🔴"),
        (AlertStatus::Active, Severity::Medium) => ("warning", "🟠"),
        (AlertStatus::Active, Severity::Low) => ("accent", "🔵"),
    }
}

#[cfg(test)]
mod tests;
