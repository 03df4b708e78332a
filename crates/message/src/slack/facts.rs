//! Facts in Slack: a grid of two columns where mrkdwn shows every character of all of them, otherwise a list in rich text.

use alert_connectors_model::Alert;

use super::{
    block::{Block, Inline, RichElement, Text},
    mrkdwn, rich_text,
};
use crate::{
    autolink,
    rich::{Line, Run},
    text::{clean, one_line},
    truncate::{Trim, cut, fit, units},
    words::{Fact, facts, more_facts},
};

/// At most this many fields in a section (<https://docs.slack.dev/reference/block-kit/blocks/section-block>).
const SECTION_FIELDS_MAX: usize = 10;
/// A name has at most 100 characters, each of which an escape may make five times as long.
const NAME_UNITS_MAX: usize = 140;
/// The list has no limit of its own for a name.
const LIST_NAME_UNITS_MAX: usize = 400;
/// A longer link does not go around the name of a product or check; it stands among the links.
const NAME_LINK_UNITS_MAX: usize = 700;

/// How much of the facts is shown.
#[derive(Clone, Copy)]
pub(super) struct FactLimits {
    /// The longest value, in units.
    pub(super) value: usize,
    pub(super) facts: usize,
}

pub(super) fn blocks(
    alert: &Alert,
    limits: FactLimits,
    trimmed: &mut Vec<Trim>,
    blocks: &mut Vec<Block>,
) {
    let all: Vec<_> = facts(alert).collect();
    let (shown, left_out) = all.split_at(all.len().min(limits.facts));
    let before = trimmed.len();
    let grid: Option<Vec<_>> = shown
        .iter()
        .map(|fact| field(fact, limits, trimmed))
        .collect();
    match grid {
        Some(fields) => {
            let mut fields = fields.into_iter().map(Text::mrkdwn).peekable();
            while fields.peek().is_some() {
                let some = fields.by_ref().take(SECTION_FIELDS_MAX).collect();
                blocks.push(Block::fields(some));
            }
        }
        None => {
            trimmed.truncate(before);
            let elements = shown.iter().map(|fact| entry(fact, limits, trimmed));
            blocks.push(Block::RichText {
                elements: elements.collect(),
            });
        }
    }
    if let Some(more) = more_facts(alert, left_out.len(), trimmed) {
        blocks.push(Block::context(Text::plain(more)));
    }
}

/// `*Name*` and the value on the next line; nothing if mrkdwn can't show both as they are.
fn field(fact: &Fact<'_>, limits: FactLimits, trimmed: &mut Vec<Trim>) -> Option<String> {
    let name = one_line(fact.name);
    if !mrkdwn::is_unmarked(&name) {
        return None;
    }
    let name = fit(&name, NAME_UNITS_MAX, |name| {
        mrkdwn::escape(name).into_owned()
    })
    .text;
    let value = clean(fact.value.trim());
    if let Some(target) = name_link(fact) {
        let label = one_line(&value);
        let fits = mrkdwn::can_be_label(&label) && mrkdwn::is_unmarked(&label);
        return fits.then(|| format!("*{name}*\n<{target}|{}>", mrkdwn::escape(&label)));
    }
    // The field counts as one text, so one odd character in the name makes the value dearer too.
    let write = |value: &str| written(value).map(|value| format!("*{name}*\n{value}"));
    let max = NAME_UNITS_MAX + limits.value;
    let whole = write(&value)?;
    if units(&whole) <= max {
        return Some(whole);
    }
    let fitted = fit(&value, max, |value| write(value).unwrap_or_default());
    if fitted.text.is_empty() {
        return None;
    }
    fitted.note(&fact.place, &value, trimmed);
    Some(fitted.text)
}

/// The link of a product or check that goes around its name.
fn name_link(fact: &Fact<'_>) -> Option<String> {
    link_around(&fact.value, fact.url?.as_str())
}

/// The target of a link that may go around a name: it is short, and the name shows no other address.
pub(super) fn link_around(name: &str, url: &str) -> Option<String> {
    let target = mrkdwn::link_target(url)?;
    let is_honest = !autolink::shows_another(name, url);
    (is_honest && target.len() <= NAME_LINK_UNITS_MAX).then_some(target)
}

/// A value in mrkdwn, if every character of it can be shown.
fn written(value: &str) -> Option<String> {
    let runs = if value.contains("://") {
        Line::text(value).runs
    } else {
        Vec::new()
    };
    if runs.iter().any(|run| run.link.is_some()) {
        let run = |run: &Run<'_>| match run.link {
            Some(_) => mrkdwn::self_link(&run.text),
            None => mrkdwn::is_unmarked(&run.text).then(|| mrkdwn::escape(&run.text).into_owned()),
        };
        return runs.iter().map(run).collect();
    }
    if mrkdwn::reads_nothing(value) {
        return Some(mrkdwn::escape(value).into_owned());
    }
    mrkdwn::code(value)
}

/// A fact of the list: its name, and its value on the same line, or on the next if it has lines itself.
fn entry(fact: &Fact<'_>, limits: FactLimits, trimmed: &mut Vec<Trim>) -> RichElement {
    let source = one_line(fact.name);
    let name = cut(&source, LIST_NAME_UNITS_MAX);
    name.note(&fact.place.name(), &source, trimmed);
    let name = name.text;
    let value = clean(fact.value.trim());
    let fitted = cut(&value, limits.value);
    fitted.note(&fact.place, &value, trimmed);
    let separator = if fitted.text.contains('\n') {
        "\n"
    } else {
        " "
    };
    let mut elements = vec![Inline::bold(format!("{name}:")), Inline::text(separator)];
    if let Some(link) = fact.url.filter(|_| name_link(fact).is_some()) {
        let run = Run {
            text: fitted.text.into(),
            link: Some(link.clone()),
            ..Run::default()
        };
        rich_text::push(&mut elements, &run);
    } else {
        for run in Line::text(&fitted.text).runs {
            rich_text::push(&mut elements, &run);
        }
    }
    RichElement::RichTextSection { elements }
}
