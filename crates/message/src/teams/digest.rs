//! A digest in Teams: counts in the tinted heading, the worst as blocks, the rest as lines with links.

use alert_connectors_model::{AlertStatus, Severity};

use super::{
    CARD_BYTES_MAX, SUMMARY_CHARS_MAX,
    card::{Card, Element, TextRun},
    escape::{fact_inert, run_inert},
    json, sealed, style_of, weight,
};
use crate::{
    Digest, Shown,
    digest::{STEPS, Step},
    fit,
    text::{clean, one_line},
    words::{facts, headline, title, utc_minute},
};

/// Longer links are left out of lines, of which there are many.
const LINE_LINK_CHARS_MAX: usize = 300;
/// Facts of an alert that is shown in full.
const FACTS_MAX: usize = 4;

pub(super) fn payload(digest: &Digest<'_>) -> Vec<u8> {
    let mut last = Vec::new();
    for step in &STEPS {
        let card = json(&render(digest, step));
        let fits = weight(&card) <= CARD_BYTES_MAX;
        last = sealed(&card, summary(digest));
        if fits {
            break;
        }
    }
    last
}

fn summary(digest: &Digest<'_>) -> String {
    let (total, words) = digest.heading();
    let text = format!("{total} in {}: {words}", one_line(digest.space));
    fit::cut(&run_inert(&text), SUMMARY_CHARS_MAX).into_text()
}

fn render(digest: &Digest<'_>, step: &Step) -> Card {
    let (full, lines, rest) = digest.parts(step);
    let (total, words) = digest.heading();
    let (status, severity) = match digest.counts.worst() {
        Some(severity) => (AlertStatus::Active, severity),
        None => (AlertStatus::Resolved, Severity::Low),
    };
    let (style, sign) = style_of(status, severity);
    let space = fit::cut(&one_line(digest.space), 120).into_text();
    let heading = format!("{total} in {space}");
    let mut body = vec![Element::Container {
        style,
        bleed: true,
        items: vec![
            Element::word(format!("{sign} {words}")),
            Element::rich(vec![TextRun::heading(run_inert(&heading).into_owned())]),
        ],
    }];
    for shown in full {
        in_full(*shown, step, &mut body);
    }
    body.extend(lines.iter().map(|shown| Element::line(line(*shown, step))));
    if rest.total() > 0 {
        let more = format!("and {} more: {}", rest.total(), rest.words());
        body.push(Element::subtle(more));
    }
    Card::full(body, Vec::new(), summary(digest))
}

fn in_full(shown: Shown<'_>, step: &Step, body: &mut Vec<Element>) {
    body.push(Element::line(line(shown, step)));
    if let Some(description) = &shown.alert.description {
        let text = fit::cut(&one_line(&clean(description)), step.description).into_text();
        if !text.trim().is_empty() {
            body.push(Element::rich(vec![TextRun::plain(
                run_inert(&text).into_owned(),
            )]));
        }
    }
    let facts: Vec<String> = facts(shown.alert)
        .take(FACTS_MAX)
        .map(|fact| format!("{}: {}", one_line(fact.name), one_line(&fact.value)))
        .collect();
    if !facts.is_empty() {
        let text = fit::cut(&facts.join(" · "), step.description).into_text();
        body.push(Element::rich(vec![TextRun::plain(
            run_inert(&text).into_owned(),
        )]));
    }
}

/// `**HIGH** title · note · time · [open](link)`: the label of the link is ours, so that no foreign text names it.
fn line(shown: Shown<'_>, step: &Step) -> String {
    let alert = shown.alert;
    let title = fit::cut(&one_line(title(alert)), step.title).into_text();
    let mut line = format!("**{}** {}", headline(shown), fact_inert(&title));
    if let Some(note) = shown.note {
        line.push_str(&format!(" · {}", note.text(alert)));
    }
    line.push_str(&format!(" · {}", utc_minute(alert.occurred_at)));
    if let Some(target) = shown.rest().and_then(link_target) {
        line.push_str(&format!(" · [open]({target})"));
    }
    line
}

/// A parsed URL as it may stand in `[open](…)`, or nothing if it is too long.
fn link_target(url: &str) -> Option<String> {
    let mut target = String::with_capacity(url.len());
    for byte in url.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'+,;=%".contains(&byte);
        if plain {
            target.push(char::from(byte));
        } else {
            target.push_str(&format!("%{byte:02X}"));
        }
    }
    (target.len() <= LINE_LINK_CHARS_MAX).then_some(target)
}
