//! A digest in Slack: counts as the first line, the worst as sections, the rest as lines with links.

use alert_connectors_model::{Alert, Severity};

use super::{
    Attachment, BODY_BYTES_MAX, MESSAGE_CHARS_MAX, Payload, SECTION_CHARS_MAX,
    block::{Block, Text},
    color, color_of,
    escape::{date, entity, inert, link_label, link_target},
    json,
};
use crate::{
    Digest, Shown,
    digest::{STEPS, Step},
    fit::{Fitted, Meter},
    text::{clean, one_line},
    words::{facts, headline, title, utc_minute},
};

/// Longer links are left out of lines, of which there are many.
const LINE_LINK_CHARS_MAX: usize = 300;
/// Facts of an alert that is shown in full.
const FACTS_MAX: usize = 4;
/// Lines in one section, so that none is folded away.
const LINES_A_SECTION: usize = 10;

pub(super) fn payload(digest: &Digest<'_>) -> Vec<u8> {
    let mut fewest = Vec::new();
    for step in &STEPS {
        let (bytes, chars) = render(digest, step);
        let fits = chars <= MESSAGE_CHARS_MAX && bytes.len() <= BODY_BYTES_MAX;
        fewest = bytes;
        if fits {
            break;
        }
    }
    fewest
}

fn render(digest: &Digest<'_>, step: &Step) -> (Vec<u8>, usize) {
    let (full, lines, rest) = digest.parts(step);
    let (total, words) = digest.heading();
    let space = space(digest);
    let text = format!("*{total}* in {space}: {words}");
    let fallback = format!("{total} in {space}: {words}");
    let mut blocks: Vec<Block> = full.iter().map(|shown| in_full(*shown, step)).collect();
    for lines in lines.chunks(LINES_A_SECTION) {
        blocks.extend(section(lines, step));
    }
    if rest.total() > 0 {
        let more = format!("and {} more: {}", rest.total(), rest.words());
        blocks.push(Block::context(Text::mrkdwn(more)));
    }
    let chars = blocks.iter().map(Block::text_chars).sum();
    let worst = digest.counts.worst();
    let attachments = [Attachment {
        color: worst.map_or_else(|| resolved_color(full), color_of),
        fallback: &fallback,
        blocks: &blocks,
    }];
    let payload = Payload {
        text: &text,
        unfurl_links: false,
        unfurl_media: false,
        attachments,
    };
    (json(&payload), chars)
}

fn space(digest: &Digest<'_>) -> String {
    let name = one_line(digest.space);
    let mut fitted = Fitted::new(120, Meter::of(&name));
    fitted.foreign("", &inert(&name), entity, "");
    fitted.into_text()
}

/// Where nothing is active all of it is resolved.
fn resolved_color(full: &[Shown<'_>]) -> &'static str {
    full.first()
        .map_or(color_of(Severity::Low), |shown| color(shown.alert))
}

fn in_full(shown: Shown<'_>, step: &Step) -> Block {
    let mut text = line(shown, step);
    let add = |text: &mut String, more: &str, max: usize| {
        let more = clean(more);
        let mut fitted = Fitted::new(max, Meter::of(text).or(Meter::of(&more)));
        fitted.foreign("\n", &inert(more.trim()), entity, "");
        text.push_str(&fitted.into_text());
    };
    if let Some(description) = &shown.alert.description {
        add(&mut text, description, step.description);
    }
    let facts: Vec<String> = facts(shown.alert)
        .take(FACTS_MAX)
        .map(|fact| format!("{}: {}", one_line(fact.name), one_line(&fact.value)))
        .collect();
    if !facts.is_empty() {
        add(&mut text, &facts.join(" · "), step.description);
    }
    Block::section(Text::mrkdwn(text))
}

fn section(lines: &[Shown<'_>], step: &Step) -> Option<Block> {
    let mut text = String::new();
    for shown in lines {
        let line = format!("• {}\n", line(*shown, step));
        if Meter::of(&text).size(&text) + Meter::of(&line).size(&line) > SECTION_CHARS_MAX {
            break;
        }
        text.push_str(&line);
    }
    let text = text.trim_end();
    (!text.is_empty()).then(|| Block::section(Text::mrkdwn(text.to_owned())))
}

/// `*HIGH* <link|title> · note · time`
fn line(shown: Shown<'_>, step: &Step) -> String {
    let alert: &Alert = shown.alert;
    let title = one_line(title(alert));
    let target = shown
        .rest()
        .and_then(link_target)
        .filter(|target| target.len() <= LINE_LINK_CHARS_MAX);
    let head = format!("*{}* ", headline(shown));
    let mut text = Fitted::new(step.title + LINE_LINK_CHARS_MAX, Meter::of(&title));
    let mut bounded = Fitted::new(step.title, Meter::of(&title));
    bounded.foreign("", &title, |_| None, "");
    let title = bounded.into_text();
    match target {
        Some(target) => text.foreign(&format!("<{target}|"), &link_label(&title), entity, ">"),
        None => text.foreign("", &inert(&title), entity, ""),
    }
    let note = shown
        .note
        .map_or_else(String::new, |note| format!(" · {}", note.text(alert)));
    let when = date(alert.occurred_at, &utc_minute(alert.occurred_at));
    format!("{head}{}{note} · {when}", text.into_text())
}
