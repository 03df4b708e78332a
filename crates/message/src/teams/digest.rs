//! A digest in Teams: counts in the tinted heading, the worst as blocks, the rest as lines with links.

use alert_connectors_model::{AlertStatus, Severity};

use super::{
    SUMMARY_UNITS_MAX,
    card::{Card, Element, TextRun},
    description, fits, json, sealed, style_of,
    text::{in_markdown, notification, runs, with_visible_spaces},
};
use crate::{
    Digest, Shown,
    digest::{DIGEST_FITS, DigestFit},
    rich::Line,
    text::one_line,
    truncate::{cut, fit},
    words::{facts, headline, title, utc_minute},
};

/// Longer links are left out of lines, of which there are many.
const LINE_LINK_CHARS_MAX: usize = 300;
/// Facts of an alert that is shown in full.
const FACTS_MAX: usize = 4;

/// What a line of a description weighs in the card for each unit of it that is to be shown.
const WEIGHT_PER_UNIT: usize = 2;

pub(super) fn payload(digest: &Digest<'_>) -> Vec<u8> {
    let mut card = String::new();
    for step in &DIGEST_FITS {
        card = json(&render(digest, step));
        if fits(&card) {
            break;
        }
    }
    sealed(&card, summary(digest))
}

fn summary(digest: &Digest<'_>) -> String {
    let (total, words) = digest.heading();
    let text = format!("{total} in {}: {words}", one_line(digest.space));
    fit(&text, SUMMARY_UNITS_MAX, |text| {
        notification(text).into_owned()
    })
    .text
}

fn render(digest: &Digest<'_>, step: &DigestFit) -> Card {
    let (full, lines) = digest.parts(step);
    let (total, words) = digest.heading();
    let (status, severity) = match digest.counts.worst() {
        Some(severity) => (AlertStatus::Active, severity),
        None => (AlertStatus::Resolved, Severity::Low),
    };
    let (style, sign) = style_of(status, severity);
    let space = cut(&one_line(digest.space), 120).text;
    let heading = format!("{total} in {space}");
    let mut body = vec![Element::Container {
        style,
        bleed: true,
        items: vec![
            Element::word(format!("{sign} {words}")),
            Element::rich(runs(&heading, TextRun::heading)),
        ],
    }];
    for shown in full {
        in_full(*shown, step, &mut body);
    }
    body.extend(lines.iter().map(|shown| line(*shown, step)));
    if let Some(more) = digest.more(full.len() + lines.len()) {
        body.push(Element::subtle(vec![TextRun::small(more)]));
    }
    Card::full(body, Vec::new(), summary(digest))
}

fn in_full(shown: Shown<'_>, step: &DigestFit, body: &mut Vec<Element>) {
    body.push(line(shown, step));
    let room = step.description * WEIGHT_PER_UNIT;
    description::blocks(shown.alert, room, &mut Vec::new(), body);
    let facts: Vec<String> = facts(shown.alert)
        .take(FACTS_MAX)
        .map(|fact| format!("{}: {}", one_line(fact.name), one_line(&fact.value)))
        .collect();
    if !facts.is_empty() {
        let text = cut(&facts.join(" · "), step.description).text;
        description::lines_of(&[Line::text(&text)], body);
    }
}

/// `**HIGH** title · note · time · [open](link)`: the label of the link is ours, so that no foreign text names it. A title
/// in which Markdown would read something stands in text runs.
fn line(shown: Shown<'_>, step: &DigestFit) -> Element {
    let alert = shown.alert;
    let title = cut(&one_line(title(alert)), step.title).text;
    let word = headline(shown);
    let note = shown
        .note
        .map_or_else(String::new, |note| format!(" · {}", note.text(alert)));
    let about = format!("{note} · {}", utc_minute(alert.occurred_at));
    let target = shown.rest().and_then(link_target);
    if let Some(title) = in_markdown(&title) {
        let link = target.map_or_else(String::new, |target| format!(" · [open]({target})"));
        return Element::line(format!("**{word}** {title}{about}{link}"));
    }
    let mut inlines = vec![TextRun::bold(format!("{word} "))];
    // Behind the word, so that its column is not the first.
    inlines.extend(runs(&with_visible_spaces(&title, &mut 1), TextRun::plain));
    inlines.push(TextRun::plain(about));
    if let Some(target) = target {
        inlines.push(TextRun::plain(" · ".to_owned()));
        inlines.push(TextRun::link("open", target));
    }
    Element::rich(inlines)
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
