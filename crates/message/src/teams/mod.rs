//! Microsoft Teams: the `message` envelope with one Adaptive Card of version 1.4, made of elements that every client draws.
//!
//! Cards are measured as Teams was seen to count them: as a JSON string inside JSON, 28,672 bytes at most
//! (<https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format>).

mod card;
mod digest;
mod escape;

use alert_connectors_model::{Alert, AlertStatus, DescriptionFormat, Severity};
use serde::Serialize;

use self::{
    card::{Action, Card, Element, Fact, Message, TextRun},
    escape::{fact_inert, run_inert},
};
use crate::{
    Digest, Platform, Rendering, Shown,
    fit::{self, Trim},
    markdown::{self, Line},
    text::{clean, one_line},
    words::{facts, headline, title, utc_minute},
};

/// Microsoft Teams, by way of a workflow or an Office 365 connector.
#[derive(Debug)]
pub(crate) struct Teams;

/// Below the 28,672 bytes at which Teams refuses, counted on the escaped form.
const CARD_BYTES_MAX: usize = 24_000;
/// At most this many buttons; a seventh would be hidden.
const ACTIONS_MAX: usize = 6;
/// Longer titles of buttons are cut off by the clients.
const ACTION_TITLE_CHARS_MAX: usize = 20;
/// What stands in notifications and where cards can't be drawn.
const SUMMARY_CHARS_MAX: usize = 250;
/// The plain form is kept this short.
const PLAIN_CHARS_MAX: usize = 1_000;
/// One block a line, and no more lines than a screen or two.
const DESCRIPTION_LINES_MAX: usize = 40;

/// How much of what may be long is shown. The first step that fits the whole is taken: facts go first, then text is
/// cut, then actions go.
struct Step {
    title: usize,
    description: usize,
    value: usize,
    facts: usize,
    actions: usize,
}

const STEPS: [Step; 7] = [
    Step {
        title: 1_003,
        description: 4_000,
        value: 1_000,
        facts: 12,
        actions: ACTIONS_MAX,
    },
    Step {
        title: 1_003,
        description: 4_000,
        value: 200,
        facts: 12,
        actions: ACTIONS_MAX,
    },
    Step {
        title: 1_003,
        description: 4_000,
        value: 200,
        facts: 6,
        actions: ACTIONS_MAX,
    },
    Step {
        title: 400,
        description: 2_000,
        value: 100,
        facts: 4,
        actions: ACTIONS_MAX,
    },
    Step {
        title: 400,
        description: 1_000,
        value: 100,
        facts: 0,
        actions: 4,
    },
    Step {
        title: 250,
        description: 500,
        value: 100,
        facts: 0,
        actions: 2,
    },
    Step {
        title: 250,
        description: 200,
        value: 100,
        facts: 0,
        actions: 1,
    },
];

impl Platform for Teams {
    fn message(&self, shown: Shown<'_>) -> Rendering {
        let mut last = None;
        for step in &STEPS {
            let (card, trimmed) = render(shown, step);
            let card = json(&card);
            let fits = weight(&card) <= CARD_BYTES_MAX;
            last = Some(Rendering {
                payload: sealed(&card, summary(shown)),
                trimmed,
            });
            if fits {
                break;
            }
        }
        // The last step fits by its numbers; a property test holds it to that.
        last.unwrap_or_else(|| Rendering {
            payload: self.plain(shown),
            trimmed: Vec::new(),
        })
    }

    fn plain(&self, shown: Shown<'_>) -> Vec<u8> {
        let alert = shown.alert;
        let mut text = format!("{}: {}", headline(shown), one_line(title(alert)));
        let note = shown.note.map(|note| note.text(alert));
        let description = alert.description.as_deref().filter(|_| shown.whole);
        if let Some(description) = note.as_deref().or(description) {
            text.push_str(" – ");
            text.push_str(&one_line(description));
        }
        let text = fit::cut(&run_inert(&text), PLAIN_CHARS_MAX).into_text();
        let body = vec![Element::rich(vec![TextRun::plain(text)])];
        sealed(&json(&Card::plain(body, summary(shown))), summary(shown))
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

/// How Teams counts a card: as a JSON string, with everything beyond ASCII as its `\u` escapes.
fn weight(card: &str) -> usize {
    let size = |letter: char| match letter {
        '"' | '\\' => 2,
        _ if letter.is_ascii() => 1,
        _ => 6 * letter.len_utf16(),
    };
    card.chars().map(size).sum::<usize>() + 2
}

/// The same words plain, for notifications and for clients that can't draw the card.
fn summary(shown: Shown<'_>) -> String {
    let text = format!("{} {}", headline(shown), one_line(title(shown.alert)));
    fit::cut(&run_inert(&text), SUMMARY_CHARS_MAX).into_text()
}

fn render(shown: Shown<'_>, step: &Step) -> (Card, Vec<Trim>) {
    let alert = shown.alert;
    let mut trimmed = Vec::new();
    let mut body = vec![heading(shown, step, &mut trimmed)];
    if shown.whole {
        description(alert, step, &mut trimmed, &mut body);
        body.extend(fact_set(alert, step, &mut trimmed));
    }
    let note = shown
        .note
        .map_or_else(String::new, |note| format!("{} · ", note.text(alert)));
    body.push(Element::subtle(format!(
        "{note}{} · {}",
        utc_minute(alert.occurred_at),
        fact_inert(alert.alert_type.as_str())
    )));
    let actions = actions(shown, step, &mut trimmed);
    (Card::full(body, actions, summary(shown)), trimmed)
}

/// The severity as a tinted container with its word; colour is never the only signal.
fn heading(shown: Shown<'_>, step: &Step, trimmed: &mut Vec<Trim>) -> Element {
    let alert = shown.alert;
    let (style, sign) = style_of(alert.status, alert.severity);
    let source = one_line(title(alert));
    let title = cut("title", &source, step.title, trimmed);
    Element::Container {
        style,
        bleed: true,
        items: vec![
            Element::word(format!("{sign} {}", headline(shown))),
            Element::rich(vec![TextRun::heading(run_inert(&title).into_owned())]),
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

fn cut(field: impl std::fmt::Display, source: &str, max: usize, trimmed: &mut Vec<Trim>) -> String {
    let fitted = fit::cut(source, max);
    if fitted.was_cut() {
        let from = source.chars().count();
        trimmed.push(Trim {
            field: field.to_string(),
            from,
            to: fitted.shown(),
        });
    }
    fitted.into_text()
}

/// One block a line, which every client draws alike; line breaks inside a block are not.
fn description(alert: &Alert, step: &Step, trimmed: &mut Vec<Trim>, body: &mut Vec<Element>) {
    let Some(description) = &alert.description else {
        return;
    };
    let source = clean(description);
    let mut lines = match alert.description_format {
        DescriptionFormat::Plain => plain_lines(&source),
        DescriptionFormat::Markdown => markdown_lines(&source),
    };
    lines.retain(|line| line.iter().any(|run| !run.text.trim().is_empty()));
    let mut left = step.description;
    let mut shown = 0;
    let mut cut_short = false;
    for (position, line) in lines.into_iter().enumerate() {
        let mut runs = Vec::new();
        for mut run in line {
            if cut_short {
                break;
            }
            let fitted = fit::cut(&run.text, left);
            cut_short = fitted.was_cut() || position >= DESCRIPTION_LINES_MAX;
            shown += fitted.shown();
            left = left.saturating_sub(fit::Meter::of(&run.text).size(&run.text));
            let text = fitted.into_text();
            run.text = run_inert(if position < DESCRIPTION_LINES_MAX {
                &text
            } else {
                "…"
            })
            .into_owned();
            runs.push(run);
        }
        if !runs.is_empty() {
            body.push(Element::rich(runs));
        }
    }
    if cut_short {
        trimmed.push(Trim {
            field: "description".to_owned(),
            from: source.chars().count(),
            to: shown,
        });
    }
}

fn plain_lines(source: &str) -> Vec<Vec<TextRun>> {
    source
        .split('\n')
        .map(|line| vec![TextRun::plain(line.trim_end().to_owned())])
        .collect()
}

fn markdown_lines(source: &str) -> Vec<Vec<TextRun>> {
    let mut lines = Vec::new();
    for line in markdown::parse(source) {
        match line {
            Line::Text(runs) => lines.push(runs.into_iter().flat_map(TextRun::of).collect()),
            Line::Item { marker, runs } => {
                let marker = TextRun::plain(format!("{marker} "));
                lines.push(
                    std::iter::once(marker)
                        .chain(runs.into_iter().flat_map(TextRun::of))
                        .collect(),
                );
            }
            Line::Code(code) => lines.extend(
                code.split('\n')
                    .map(|line| vec![TextRun::code(line.to_owned())]),
            ),
        }
    }
    lines
}

fn fact_set(alert: &Alert, step: &Step, trimmed: &mut Vec<Trim>) -> Option<Element> {
    let mut shown = Vec::new();
    let mut dropped = 0;
    for (position, fact) in facts(alert).enumerate() {
        if position >= step.facts {
            dropped += 1;
            continue;
        }
        let value = cut(fact.place, &clean(fact.value.trim()), step.value, trimmed);
        let name = fit::cut(&one_line(fact.name), 100).into_text();
        let title = if fact.is_ours() {
            name
        } else {
            fact_inert(&name)
        };
        shown.push(Fact {
            title,
            value: fact_inert(&value),
        });
    }
    if dropped > 0 {
        let from = alert.fields.len();
        trimmed.push(Trim {
            field: "fields".to_owned(),
            from,
            to: from.saturating_sub(dropped),
        });
    }
    (!shown.is_empty()).then_some(Element::FactSet { facts: shown })
}

/// The alert's own link first, then its actions, its page here, and where product and check are seen.
fn actions(shown: Shown<'_>, step: &Step, trimmed: &mut Vec<Trim>) -> Vec<Action> {
    let alert = shown.alert;
    let own = alert.url.iter().map(|url| ("Open", url.as_str()));
    let rest = if trimmed.is_empty() {
        "Alert details"
    } else {
        "Read the rest"
    };
    let page = shown.page.iter().map(|page| (rest, *page));
    let given = alert
        .actions
        .iter()
        .map(|action| (action.label.as_str(), action.url.as_str()));
    let part = |name, part: &'_ Option<alert_connectors_model::Part>| {
        part.as_ref()
            .and_then(|part| part.url.clone())
            .map(|url| (name, url))
    };
    let parts = [part("Product", &alert.product), part("Check", &alert.check)];
    let parts = parts
        .iter()
        .flatten()
        .map(|(name, url)| (*name, url.as_str()));
    let wanted: Vec<_> = own.chain(page).chain(given).chain(parts).collect();
    let must_show = wanted.len()
        - alert
            .product
            .iter()
            .chain(&alert.check)
            .filter(|p| p.url.is_some())
            .count();
    if must_show > step.actions {
        trimmed.push(Trim {
            field: "actions".to_owned(),
            from: must_show,
            to: step.actions,
        });
    }
    let title = |label: &str| {
        fit::cut(&run_inert(&one_line(label)), ACTION_TITLE_CHARS_MAX + 2).into_text()
    };
    wanted
        .into_iter()
        .take(step.actions)
        .map(|(label, url)| Action::open(title(label), url.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests;
