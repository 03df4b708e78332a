//! Slack: a visible first line in `text`, and one attachment with the colour bar and a few short blocks.
//!
//! Limits and answers: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>,
//! <https://docs.slack.dev/reference/block-kit/blocks>. Slack does not say what a character is, so text is measured
//! escaped, as it is sent, and kept below the documented limits.

mod block;
mod digest;
mod escape;

use alert_connectors_model::{Alert, AlertStatus, DescriptionFormat, Severity};
use serde::Serialize;

use self::{
    block::{Block, Text},
    escape::{LINK_CHARS_MAX, date, entity, inert, link_label, link_target, plain_inert},
};
use crate::{
    Digest, Platform, Rendering, Shown,
    fit::{Fitted, Meter, Trim},
    markdown::{self, Line, Run},
    text::{clean, one_line},
    words::{Fact, facts, headline, title, utc_minute},
};

/// Slack, and servers that take its incoming webhooks.
#[derive(Debug)]
pub(crate) struct Slack;

/// Top-level `text` is kept to this (advice: 4,000; longer text may be split into several messages).
const TEXT_CHARS_MAX: usize = 3_000;
/// A URL longer than this is not put around the title, so that the title keeps its room.
const TITLE_LINK_CHARS_MAX: usize = 1_800;
/// Below the 3,000 of a text object.
const SECTION_CHARS_MAX: usize = 2_800;
/// Below the 3,000 of a text object, of which a context element is one.
const CONTEXT_CHARS_MAX: usize = 1_500;
/// At most this many fields in a section.
const SECTION_FIELDS_MAX: usize = 10;
/// The text of all blocks together; Slack was seen to refuse from about 11,300 on (`msg_blocks_too_long`).
const MESSAGE_CHARS_MAX: usize = 10_000;
/// The whole body. Slack documents no limit; 40 KB were seen to be refused.
const BODY_BYTES_MAX: usize = 32 * 1_024;

/// Room for a usual message, so that its bytes are not moved while it is written.
const USUAL_BYTES: usize = 2_048;

/// How much of what may be long is shown. The first step that fits the whole is taken: long facts are cut first, then
/// the description, then facts are dropped from the end.
struct Step {
    description: usize,
    value: usize,
    facts: usize,
}

const STEPS: [Step; 7] = [
    Step {
        description: SECTION_CHARS_MAX,
        value: 1_800,
        facts: 42,
    },
    Step {
        description: SECTION_CHARS_MAX,
        value: 400,
        facts: 42,
    },
    Step {
        description: SECTION_CHARS_MAX,
        value: 150,
        facts: 42,
    },
    Step {
        description: 1_400,
        value: 150,
        facts: 42,
    },
    Step {
        description: 1_400,
        value: 100,
        facts: 20,
    },
    Step {
        description: 700,
        value: 80,
        facts: 10,
    },
    Step {
        description: 300,
        value: 60,
        facts: 4,
    },
];

#[derive(Serialize)]
struct Payload<'a> {
    text: &'a str,
    unfurl_links: bool,
    unfurl_media: bool,
    attachments: [Attachment<'a>; 1],
}

/// An attachment with blocks must carry no other legacy field, or Slack answers `invalid_attachments`.
#[derive(Serialize)]
struct Attachment<'a> {
    color: &'static str,
    fallback: &'a str,
    blocks: &'a [Block],
}

#[derive(Serialize)]
struct Plain {
    text: String,
}

impl Platform for Slack {
    fn message(&self, shown: Shown<'_>) -> Rendering {
        let mut fewest = None;
        for step in &STEPS {
            let (rendering, chars) = render(shown, step);
            if chars <= MESSAGE_CHARS_MAX && rendering.payload.len() <= BODY_BYTES_MAX {
                return rendering;
            }
            fewest = Some(rendering);
        }
        // The last step fits by its numbers; a property test holds it to that.
        fewest.unwrap_or_else(|| Rendering {
            payload: self.plain(shown),
            trimmed: Vec::new(),
        })
    }

    fn plain(&self, shown: Shown<'_>) -> Vec<u8> {
        let alert = shown.alert;
        let title = format!("[{}] {}", headline(shown), one_line(title(alert)));
        let note = shown.note.map(|note| note.text(alert));
        let description = alert.description.as_deref().filter(|_| shown.whole);
        let description = clean(note.as_deref().or(description).unwrap_or_default());
        // It is one text, so one odd character makes all of it dearer.
        let meter = Meter::of(&title).or(Meter::of(&description));
        let mut fitted = Fitted::new(1_200, meter);
        fitted.foreign("", &inert(&title), entity, "");
        let mut text = fitted.into_text();
        let mut fitted = Fitted::new(700, meter);
        fitted.foreign("\n", &inert(&description), entity, "");
        text.push_str(&fitted.into_text());
        if let Some(rest) = shown
            .rest()
            .and_then(link_target)
            .filter(|url| url.len() <= 1_000)
        {
            text.push_str("\n<");
            text.push_str(&rest);
            text.push('>');
        }
        json(&Plain { text })
    }

    fn digest(&self, digest: &Digest<'_>) -> Vec<u8> {
        digest::payload(digest)
    }
}

fn render(shown: Shown<'_>, step: &Step) -> (Rendering, usize) {
    let alert = shown.alert;
    let mut trimmed = Vec::new();
    let (text, fallback) = first_line(shown, &mut trimmed);
    let mut blocks = Vec::new();
    if shown.whole {
        blocks.extend(description(alert, step, &mut trimmed));
        fact_blocks(alert, step, &mut trimmed, &mut blocks);
    }
    blocks.push(Block::context(Text::mrkdwn(context(shown))));
    blocks.extend(links(shown, !trimmed.is_empty()));
    let chars = blocks.iter().map(Block::text_chars).sum();
    let attachments = [Attachment {
        color: color(alert),
        fallback: &fallback,
        blocks: &blocks,
    }];
    let payload = Payload {
        text: &text,
        unfurl_links: false,
        unfurl_media: false,
        attachments,
    };
    (
        Rendering {
            payload: json(&payload),
            trimmed,
        },
        chars,
    )
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut bytes, value).expect("strings, numbers and lists always serialise");
    bytes
}

fn color(alert: &Alert) -> &'static str {
    match alert.status {
        AlertStatus::Resolved => "#16A34A",
        AlertStatus::Active => color_of(alert.severity),
    }
}

const fn color_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "#7C3AED",
        Severity::High => "#DC2626",
        Severity::Medium => "#EA580C",
        Severity::Low => "#2563EB",
    }
}

/// The severity word and the linked title, and the same words plain.
fn first_line(shown: Shown<'_>, trimmed: &mut Vec<Trim>) -> (String, String) {
    let (alert, word) = (shown.alert, headline(shown));
    let title = one_line(title(alert));
    let meter = Meter::of(&title);
    let target = alert.url.as_ref().and_then(|url| link_target(url.as_str()));
    let target = target.filter(|target| target.len() <= TITLE_LINK_CHARS_MAX);
    let mut text = Fitted::new(TEXT_CHARS_MAX, meter);
    for part in ["*", word, "* "] {
        text.ours(part);
    }
    match target {
        Some(target) => text.foreign(&format!("<{target}|"), &link_label(&title), entity, ">"),
        None => text.foreign("", &inert(&title), entity, ""),
    }
    note(trimmed, "title", &title, &text);
    let mut fallback = Fitted::new(TEXT_CHARS_MAX, meter);
    for part in [word, " "] {
        fallback.ours(part);
    }
    fallback.foreign("", &inert(&title), entity, "");
    (text.into_text(), fallback.into_text())
}

fn note(trimmed: &mut Vec<Trim>, field: impl std::fmt::Display, source: &str, fitted: &Fitted) {
    if fitted.was_cut() {
        let from = source.chars().count();
        trimmed.push(Trim {
            field: field.to_string(),
            from,
            to: fitted.shown().min(from),
        });
    }
}

fn description(alert: &Alert, step: &Step, trimmed: &mut Vec<Trim>) -> Option<Block> {
    let source = clean(alert.description.as_deref()?);
    let source = source.trim_end();
    let mut fitted = Fitted::new(step.description, Meter::of(source));
    match alert.description_format {
        DescriptionFormat::Plain => fitted.foreign("", &plain_inert(source), |_| None, ""),
        DescriptionFormat::Markdown => write_markdown(&mut fitted, &markdown::parse(source)),
    }
    note(trimmed, "description", source, &fitted);
    let text = fitted.into_text();
    if text.trim().is_empty() {
        return None;
    }
    Some(Block::section(match alert.description_format {
        DescriptionFormat::Plain => Text::plain(text),
        DescriptionFormat::Markdown => Text::mrkdwn(text),
    }))
}

fn write_markdown(fitted: &mut Fitted, lines: &[Line]) {
    for (position, line) in lines.iter().enumerate() {
        if position > 0 {
            fitted.ours("\n");
        }
        match line {
            Line::Text(runs) => write_runs(fitted, runs),
            Line::Item { marker, runs } => {
                fitted.ours(&format!("{marker} "));
                write_runs(fitted, runs);
            }
            Line::Code(code) => fitted.foreign("```\n", &code.replace('`', "ˋ"), entity, "\n```"),
        }
    }
}

fn write_runs(fitted: &mut Fitted, runs: &[Run]) {
    for (position, run) in runs.iter().enumerate() {
        let bare = run.text.trim();
        let (lead, trail) = run.text.split_once(bare).unwrap_or_default();
        let (opening, closing) = marks(run);
        // Slack reads a mark only where a word ends; an invisible space makes such an end.
        let marked = run.bold || run.italic || run.code;
        let glued =
            |neighbour: Option<char>| marked && neighbour.is_some_and(|c| !c.is_whitespace());
        let before = position
            .checked_sub(1)
            .and_then(|at| runs.get(at))
            .and_then(|run| run.text.chars().next_back());
        let after = runs
            .get(position + 1)
            .and_then(|run| run.text.chars().next());
        let joint = if lead.is_empty() && glued(before) {
            "\u{200B}"
        } else {
            ""
        };
        let end = if trail.is_empty() && glued(after) {
            "\u{200B}"
        } else {
            ""
        };
        fitted.ours(lead);
        let text = match (run.code, &run.link) {
            (true, _) => bare.replace('`', "ˋ").into(),
            (false, Some(_)) => link_label(bare),
            (false, None) => inert(bare),
        };
        fitted.foreign(
            &format!("{joint}{opening}"),
            &text,
            entity,
            &format!("{closing}{end}"),
        );
        fitted.ours(trail);
    }
}

/// The markup around a run, outermost first.
fn marks(run: &Run) -> (String, String) {
    let (mut head, mut tail) = (String::new(), String::new());
    for mark in [
        run.bold.then_some('*'),
        run.italic.then_some('_'),
        run.code.then_some('`'),
    ]
    .into_iter()
    .flatten()
    {
        head.push(mark);
        tail.insert(0, mark);
    }
    if let Some(target) = run
        .link
        .as_ref()
        .and_then(|link| link_target(link.as_str()))
    {
        head.push_str(&format!("<{target}|"));
        tail.insert(0, '>');
    }
    (head, tail)
}

fn fact_blocks(alert: &Alert, step: &Step, trimmed: &mut Vec<Trim>, blocks: &mut Vec<Block>) {
    let mut fields = Vec::new();
    let mut dropped = 0;
    for (position, fact) in facts(alert).enumerate() {
        if position < step.facts {
            fields.push(Text::mrkdwn(fact_text(&fact, step, trimmed)));
        } else {
            dropped += 1;
        }
    }
    if dropped > 0 {
        let from = alert.fields.len();
        trimmed.push(Trim {
            field: "fields".to_owned(),
            from,
            to: from.saturating_sub(dropped),
        });
    }
    let mut fields = fields.into_iter().peekable();
    while fields.peek().is_some() {
        blocks.push(Block::fields(
            fields.by_ref().take(SECTION_FIELDS_MAX).collect(),
        ));
    }
}

/// `*Name*` and the value on the next line.
fn fact_text(fact: &Fact<'_>, step: &Step, trimmed: &mut Vec<Trim>) -> String {
    let name = one_line(fact.name);
    let value = clean(fact.value.trim());
    // The field counts as one text, so one odd character in the name makes the value dearer too.
    let meter = Meter::of(&name).or(Meter::of(&value));
    let mut text = Fitted::new(140, meter);
    text.foreign("*", &inert(&name), entity, "*\n");
    let mut text = text.into_text();
    let mut fitted = Fitted::new(step.value, meter);
    let target = fact.url.and_then(|url| link_target(url.as_str()));
    match target.filter(|target| target.len() < step.value / 2) {
        Some(target) => fitted.foreign(
            &format!("<{target}|"),
            &link_label(&one_line(&value)),
            entity,
            ">",
        ),
        None => fitted.foreign("", &inert(&value), entity, ""),
    }
    note(trimmed, fact.place, &value, &fitted);
    text.push_str(&fitted.into_text());
    text
}

/// When it happened and what kind of alert it is.
fn context(shown: Shown<'_>) -> String {
    let alert = shown.alert;
    let when = date(alert.occurred_at, &utc_minute(alert.occurred_at));
    let mut text = Fitted::new(CONTEXT_CHARS_MAX, Meter::Utf16);
    if let Some(note) = shown.note {
        text.ours(&format!("{} · ", note.text(alert)));
    }
    for part in [when.as_str(), " · "] {
        text.ours(part);
    }
    text.foreign("", &inert(alert.alert_type.as_str()), entity, "");
    text.into_text()
}

/// Links as mrkdwn links: a button warns of a missing app back end, and legacy webhooks have none.
fn links(shown: Shown<'_>, trimmed: bool) -> Option<Block> {
    let mut parts = Vec::new();
    let mut size = 0;
    let mut add = |label: &str, url: &str| {
        let Some(target) = link_target(url).filter(|target| target.len() <= LINK_CHARS_MAX) else {
            return;
        };
        let mut fitted = Fitted::new(200, Meter::of(label));
        fitted.foreign("", &link_label(&one_line(label)), entity, "");
        let part = format!("<{target}|{}>", fitted.into_text());
        size += Meter::of(&part).size(&part) + 3;
        if size <= SECTION_CHARS_MAX {
            parts.push(part);
        }
    };
    if let Some(page) = shown.page {
        add(
            if trimmed {
                "Read the rest"
            } else {
                "Open alert"
            },
            page,
        );
    } else if let Some(url) = &shown.alert.url {
        let around_title =
            link_target(url.as_str()).is_some_and(|url| url.len() <= TITLE_LINK_CHARS_MAX);
        if trimmed || !around_title {
            add(if trimmed { "Read the rest" } else { "Open" }, url.as_str());
        }
    }
    for action in &shown.alert.actions {
        add(&action.label, action.url.as_str());
    }
    (!parts.is_empty()).then(|| Block::section(Text::mrkdwn(parts.join(" · "))))
}

#[cfg(test)]
mod tests;
