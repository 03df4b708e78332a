//! A digest in Slack: counts as the first line, the worst in full, the rest as lines with links.

use alert_connectors_model::{Alert, Severity};

use super::{
    SECTION_UNITS_MAX,
    block::{Block, Inline, RichElement, Text},
    calm, color, color_of, date, description, fits, mrkdwn, payload as payload_of, rich_text,
};
use crate::{
    Digest, Shown, autolink,
    digest::{DIGEST_FITS, DigestFit},
    rich::Line,
    text::one_line,
    truncate::{cut, fit, units},
    words::{facts, headline, title},
};

/// Longer links are left out of lines, of which there are many.
const LINE_LINK_UNITS_MAX: usize = 300;
/// Facts of an alert that is shown in full.
const FACTS_MAX: usize = 4;
/// Lines in one section, so that none is folded away.
const LINES_A_SECTION: usize = 10;

pub(super) fn payload(digest: &Digest<'_>) -> Vec<u8> {
    let mut fewest = Vec::new();
    for step in &DIGEST_FITS {
        let (payload, blocks) = render(digest, step);
        let fits = fits(&payload, &blocks);
        fewest = payload;
        if fits {
            break;
        }
    }
    fewest
}

/// The message, and the blocks that it shows.
fn render(digest: &Digest<'_>, step: &DigestFit) -> (Vec<u8>, Vec<Block>) {
    let (full, lines) = digest.parts(step);
    let (total, words) = digest.heading();
    let space = fit(&one_line(digest.space), 120, calm).text;
    let text = format!("*{total}* in {space}: {words}");
    let fallback = format!("{total} in {space}: {words}");
    let mut blocks = Vec::new();
    for shown in full {
        in_full(*shown, step, &mut blocks);
    }
    blocks.extend(sections(lines.iter().map(|shown| line(*shown, step))));
    if let Some(more) = digest.more(full.len() + lines.len()) {
        blocks.push(Block::context(Text::mrkdwn(more)));
    }
    let worst = digest.counts.worst();
    let color = worst.map_or_else(|| resolved_color(full), color_of);
    (payload_of(&text, color, &fallback, &blocks), blocks)
}

/// Where nothing is active all of it is resolved.
fn resolved_color(full: &[Shown<'_>]) -> &'static str {
    full.first()
        .map_or(color_of(Severity::Low), |shown| color(shown.alert))
}

fn in_full(shown: Shown<'_>, step: &DigestFit, blocks: &mut Vec<Block>) {
    blocks.push(Block::section(Text::mrkdwn(line(shown, step))));
    let mut left_out = Vec::new();
    blocks.extend(description::block(
        shown.alert,
        step.description,
        &mut left_out,
    ));
    let facts: Vec<String> = facts(shown.alert)
        .take(FACTS_MAX)
        .map(|fact| format!("{}: {}", one_line(fact.name), one_line(&fact.value)))
        .collect();
    if !facts.is_empty() {
        blocks.push(one_text(&cut(&facts.join(" · "), step.description).text));
    }
}

/// Foreign text on one line, its URLs links to themselves.
fn one_text(text: &str) -> Block {
    let line = Line::text(text);
    let has_link = line.runs.iter().any(|run| run.link.is_some());
    if !has_link && mrkdwn::reads_nothing(text) {
        return Block::section(Text::mrkdwn(mrkdwn::escape(text).into_owned()));
    }
    let mut elements: Vec<Inline> = Vec::new();
    for run in &line.runs {
        rich_text::push(&mut elements, run);
    }
    Block::RichText {
        elements: vec![RichElement::RichTextSection { elements }],
    }
}

/// Lines in as few sections as hold them; every line is in one.
fn sections(lines: impl Iterator<Item = String>) -> Vec<Block> {
    let mut sections: Vec<(String, usize)> = Vec::new();
    for line in lines {
        match sections.last_mut() {
            Some((text, count))
                if *count < LINES_A_SECTION
                    && units(&format!("{text}\n• {line}")) <= SECTION_UNITS_MAX =>
            {
                text.push_str(&format!("\n• {line}"));
                *count += 1;
            }
            _ => sections.push((format!("• {line}"), 1)),
        }
    }
    let texts = sections.into_iter().map(|(text, _)| text);
    texts
        .map(|text| Block::section(Text::mrkdwn(text)))
        .collect()
}

/// Whether a title may be the label of the link of its line.
fn may_name(title: &str, shown: Shown<'_>) -> bool {
    let shows_another = shown
        .rest()
        .is_some_and(|url| autolink::shows_another(title, url));
    mrkdwn::can_be_label(title) && !shows_another
}

/// `*HIGH* <link|title> · note · time`
fn line(shown: Shown<'_>, step: &DigestFit) -> String {
    let alert: &Alert = shown.alert;
    let title = one_line(title(alert));
    let target = shown
        .rest()
        .and_then(mrkdwn::link_target)
        .filter(|target| target.len() <= LINE_LINK_UNITS_MAX);
    let fitted = fit(&title, step.title, calm).text;
    let title = match target {
        Some(target) if may_name(&title, shown) => format!("<{target}|{fitted}>"),
        Some(target) => format!("{fitted} · <{target}|open>"),
        None => fitted,
    };
    let note = shown
        .note
        .map_or_else(String::new, |note| format!(" · {}", note.text(alert)));
    format!("*{}* {title}{note} · {}", headline(shown), date(alert))
}
