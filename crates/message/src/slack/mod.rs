//! Slack: a visible first line in `text`, and one attachment with the colour bar and a few short blocks.
//!
//! Limits and answers: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>,
//! <https://docs.slack.dev/reference/block-kit/blocks>. Slack does not say what a character is, so text is measured
//! escaped, as it is sent, and kept below the documented limits.

mod block;
mod description;
mod digest;
mod facts;
mod links;
mod mrkdwn;
mod rich_text;

use alert_connectors_model::{Alert, AlertStatus, Severity};
use serde::Serialize;

use self::{
    block::{Block, Text},
    facts::FactLimits,
    mrkdwn::Begin,
};
use crate::{
    Digest, Platform, Rendering, Shown, autolink,
    text::one_line,
    truncate::{Size, Trim, fit, units},
    words::{headline, title, utc_minute},
};

/// Slack, and servers that take its incoming webhooks.
#[derive(Debug)]
pub(crate) struct Slack;

/// Top-level `text` is kept to this (advice: 4,000; longer text may be split into several messages).
const TEXT_UNITS_MAX: usize = 3_000;
/// A URL longer than this is not put around the title, so that the title keeps its room.
const TITLE_LINK_UNITS_MAX: usize = 1_800;
/// Room for the severity word beside the title.
const WORD_UNITS_MAX: usize = 40;
/// Below the 3,000 of a text object.
const SECTION_UNITS_MAX: usize = 2_800;
/// The text of all blocks together; Slack was seen to refuse from about 11,300 on (`msg_blocks_too_long`).
const MESSAGE_UNITS_MAX: usize = 10_000;
/// The whole body. Slack documents no limit; 40 KB were seen to be refused.
const BODY_BYTES_MAX: usize = 32 * 1_024;

/// Room for a usual message, so that its bytes are not moved while it is written.
const USUAL_BYTES: usize = 2_048;

/// How much of what may be long is shown. The first step that fits the whole is taken: long facts are cut first, then
/// the description, then facts are dropped from the end.
struct Fit {
    description: usize,
    facts: FactLimits,
}

const FITS: [Fit; 7] = [
    step(SECTION_UNITS_MAX, 1_800, 42),
    step(SECTION_UNITS_MAX, 400, 42),
    step(SECTION_UNITS_MAX, 150, 42),
    step(1_400, 150, 42),
    step(1_400, 100, 20),
    step(700, 80, 10),
    step(300, 60, 4),
];

const fn step(description: usize, value: usize, facts: usize) -> Fit {
    Fit {
        description,
        facts: FactLimits { value, facts },
    }
}

#[derive(Serialize)]
struct SlackBody<'a> {
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
        for step in &FITS {
            let (rendering, blocks) = render(shown, step);
            if fits(&rendering.payload, &blocks) {
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
        let mut text = fit(&title, 1_000, calm).text;
        let note = shown.note.map(|note| note.text(alert));
        let description = description::plain(alert).filter(|_| shown.whole);
        if let Some(more) = note.or(description) {
            let join = |title: &str| format!("{}\n{more}", calm(title));
            text = format!("{text}\n{more}");
            // One character beyond the basic plane in the description changes what the title counts.
            if units(&text) > TEXT_UNITS_MAX {
                text = fit(&title, TEXT_UNITS_MAX, join).text;
            }
        }
        let links = shown.rest().into_iter();
        let links = links.chain(alert.actions.iter().map(|action| action.url.as_str()));
        for target in links.filter_map(mrkdwn::link_target) {
            let longer = format!("{text}\n<{target}>");
            if units(&longer) <= TEXT_UNITS_MAX {
                text = longer;
            }
        }
        json(&Plain { text })
    }

    fn digest(&self, digest: &Digest<'_>) -> Vec<u8> {
        digest::payload(digest)
    }
}

fn fits(payload: &[u8], blocks: &[Block]) -> bool {
    // The payload holds the text of its blocks, so its bytes are never fewer than their units.
    let is_short = payload.len() <= MESSAGE_UNITS_MAX;
    let size = || blocks.iter().map(Block::size).sum::<Size>();
    is_short || payload.len() <= BODY_BYTES_MAX && size().units() <= MESSAGE_UNITS_MAX
}

/// The message, and the blocks that it shows.
fn render(shown: Shown<'_>, step: &Fit) -> (Rendering, Vec<Block>) {
    let alert = shown.alert;
    let mut trimmed = Vec::new();
    let title_link = title_link(shown.alert);
    let (text, fallback) = first_line(shown, title_link.as_deref(), &mut trimmed);
    let mut blocks = Vec::new();
    if shown.whole {
        blocks.extend(description::block(alert, step.description, &mut trimmed));
        facts::blocks(alert, step.facts, &mut trimmed, &mut blocks);
    }
    blocks.push(Block::context(Text::mrkdwn(context(shown))));
    links::blocks(shown, title_link.is_some(), &mut trimmed, &mut blocks);
    let payload = payload(&text, color(alert), &fallback, &blocks);
    (Rendering { payload, trimmed }, blocks)
}

fn payload(text: &str, color: &'static str, fallback: &str, blocks: &[Block]) -> Vec<u8> {
    let attachments = [Attachment {
        color,
        fallback,
        blocks,
    }];
    json(&SlackBody {
        text,
        unfurl_links: false,
        unfurl_media: false,
        attachments,
    })
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

/// Foreign text inside a line of mrkdwn, unchanged where Slack lets it be.
fn calm(text: &str) -> String {
    mrkdwn::escape(&mrkdwn::calm(text, Begin::Inside)).into_owned()
}

/// The severity word and the linked title, and the same words plain.
fn first_line(shown: Shown<'_>, link: Option<&str>, trimmed: &mut Vec<Trim>) -> (String, String) {
    let word = headline(shown);
    let title = one_line(title(shown.alert));
    let max = TEXT_UNITS_MAX - WORD_UNITS_MAX;
    let text = match link {
        Some(target) => fit(&title, max, |title| format!("<{target}|{}>", calm(title))),
        None => fit(&title, max, calm),
    };
    text.note(&"title", &title, trimmed);
    // Documented as plain text, but so is `text`, where tokens are read.
    let fallback = fit(&title, max, |title| mrkdwn::escape(title).into_owned());
    (
        format!("*{word}* {}", text.text),
        format!("{word} {}", fallback.text),
    )
}

/// The alert's link where it can go around the title without changing it.
fn title_link(alert: &Alert) -> Option<String> {
    let target = mrkdwn::link_target(alert.url.as_ref()?.as_str())?;
    let title = one_line(title(alert));
    let shows_another = autolink::shows_another(&title, alert.url.as_ref()?.as_str());
    let can_stand = mrkdwn::can_be_label(&title) && !shows_another;
    (can_stand && target.len() <= TITLE_LINK_UNITS_MAX).then_some(target)
}

/// When it happened and what kind of alert it is.
fn context(shown: Shown<'_>) -> String {
    let alert = shown.alert;
    let note = shown
        .note
        .map_or_else(String::new, |note| format!("{} · ", note.text(alert)));
    let when = date(alert);
    format!("{note}{when} · {}", calm(alert.alert_type.as_str()))
}

fn date(alert: &Alert) -> String {
    mrkdwn::date(alert.occurred_at, &utc_minute(alert.occurred_at))
}

#[cfg(test)]
mod tests;
