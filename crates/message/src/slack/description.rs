//! A description in Slack, in the first of three forms that shows every character as it came: plain text, mrkdwn, rich
//! text. Only the last can show any text, and only the first two are known to work inside an attachment.

use alert_connectors_model::{Alert, DescriptionFormat};

use super::{
    block::{Block, Text},
    mrkdwn, rich_text,
};
use crate::{
    description,
    rich::{Line, LineKind, Run},
    shorten::{Budget, LeftOut},
    truncate::{Size, Trim, fit, units},
};

/// The block of an alert's description, of at most `max` units.
pub(super) fn block(alert: &Alert, max: usize, trimmed: &mut Vec<Trim>) -> Option<Block> {
    let source = description::source(alert)?;
    if alert.description_format == DescriptionFormat::Plain
        && let Some(block) = usual(&source, max)
    {
        return Some(block);
    }
    let (lines, left_out) = fitting(&source, alert.description_format, max);
    if let Some(LeftOut { from, to }) = left_out {
        trimmed.push(Trim {
            field: "description".to_owned(),
            from,
            to,
        });
    }
    if lines.is_empty() {
        return None;
    }
    let text = plain_text(&lines).map(Text::plain);
    let text = text.or_else(|| mrkdwn_text(&lines).map(Text::mrkdwn));
    let block = text.filter(|text| text_fits(text, max)).map(Block::section);
    Some(block.unwrap_or_else(|| rich_text::block(&lines)))
}

/// The description in the plain form: between fences, where nothing is read, unless it holds a backtick. It loses its middle
/// like that of the full form.
pub(super) fn plain(alert: &Alert) -> Option<String> {
    let source = description::source(alert)?;
    let (lines, _) = fitting(&source, DescriptionFormat::Plain, PLAIN_UNITS_MAX);
    let text = joined(&lines);
    let written = [lines_as_they_are(&lines), code_lines(&text)];
    let fitting = written
        .into_iter()
        .flatten()
        .find(|text| units(text) <= 2 * PLAIN_UNITS_MAX);
    fitting.or_else(|| Some(fit(&text, 2 * PLAIN_UNITS_MAX, calm_lines).text))
}

/// The plain form has this much room for the description; what is escaped may take twice as much.
const PLAIN_UNITS_MAX: usize = 900;

fn lines_as_they_are(lines: &[Line<'_>]) -> Option<String> {
    let text = text_lines(lines)?;
    (!lines.is_empty()).then_some(text)
}

fn code_lines(text: &str) -> Option<String> {
    let fits = !text.contains(['`', '｀']) && !text.trim().is_empty();
    fits.then(|| format!("```\n{}\n```", mrkdwn::escape(text)))
}

fn calm_lines(text: &str) -> String {
    mrkdwn::escape(&mrkdwn::calm(text, mrkdwn::Begin::Line)).into_owned()
}

/// Most descriptions are short plain text in which Slack would read nothing.
fn usual(source: &str, max: usize) -> Option<Block> {
    let text = without_blank_ends(source);
    let is_usual = !text.contains(['<', '\t']) && !text.contains("://") && units(text) <= max;
    is_usual.then(|| Block::section(Text::plain(text.to_owned())))
}

/// A text from its first line that shows something to its last.
fn without_blank_ends(text: &str) -> &str {
    let begin = text.len() - text.trim_start().len();
    let (blank, _) = text.split_at(begin);
    let line = blank.rfind('\n').map_or(0, |newline| newline + 1);
    text.get(line..).unwrap_or_default().trim_end()
}

fn text_fits(text: &Text, max: usize) -> bool {
    let (Text::Mrkdwn { text, .. } | Text::PlainText { text, .. }) = text;
    units(text) <= max
}

/// The lines that fit. The way of counting holds for the whole, so that the parts add up.
fn fitting(
    source: &str,
    format: DescriptionFormat,
    max: usize,
) -> (Vec<Line<'_>>, Option<LeftOut>) {
    let lines = description::lines(source, format);
    let in_bytes = Size::of(source).units() == source.len();
    let run = |run: &Run<'_>| {
        let link = run.link.as_ref().map_or(0, |link| link.as_str().len());
        let text = if in_bytes {
            run.text.len()
        } else {
            units(&run.text)
        };
        link + text
    };
    let budget = Budget {
        max,
        per_line: 1,
        run: &run,
    };
    let shortened = budget.shorten(lines);
    (shortened.lines, shortened.left_out)
}

/// Lines without styles and links, as one text, unless it holds what Slack might read as a token.
fn plain_text(lines: &[Line<'_>]) -> Option<String> {
    let is_plain = |line: &Line<'_>| {
        line.kind == LineKind::Text
            && line
                .runs
                .iter()
                .all(|run| run.look.is_plain() && run.link.is_none())
    };
    if !lines.iter().all(is_plain) {
        return None;
    }
    let text = joined(lines);
    (!["<!", "<@", "<#"].iter().any(|token| text.contains(token))).then_some(text)
}

fn joined(lines: &[Line<'_>]) -> String {
    let mut text = String::new();
    for (position, line) in lines.iter().enumerate() {
        if position > 0 {
            text.push('\n');
        }
        for run in &line.runs {
            text.push_str(&run.text);
        }
    }
    text
}

/// Lines in Slack's own markup, if every character of them can be shown as it came.
fn mrkdwn_text(lines: &[Line<'_>]) -> Option<String> {
    let parts: Option<Vec<String>> = lines
        .chunk_by(|one, next| one.kind == next.kind)
        .map(|lines| match lines.first()?.kind {
            LineKind::Text => text_lines(lines),
            LineKind::Code => fence(lines),
        })
        .collect();
    Some(parts?.join("\n"))
}

fn fence(lines: &[Line<'_>]) -> Option<String> {
    let mut runs = lines.iter().flat_map(|line| &line.runs);
    let is_plain = runs.all(|run| run.link.is_none() && run.look.is_plain());
    if is_plain {
        code_lines(&joined(lines))
    } else {
        None
    }
}

fn text_lines(lines: &[Line<'_>]) -> Option<String> {
    let lines: Option<Vec<String>> = lines.iter().map(text_line).collect();
    Some(lines?.join("\n"))
}

fn text_line(line: &Line<'_>) -> Option<String> {
    let mut text = String::new();
    let runs = &line.runs;
    for (position, run) in runs.iter().enumerate() {
        let before = position.checked_sub(1).and_then(|at| runs.get(at));
        let before = before.and_then(|run| run.text.chars().next_back());
        let after = runs
            .get(position + 1)
            .and_then(|run| run.text.chars().next());
        let is_apart = |c: Option<char>| c.is_none_or(mrkdwn::parts_words);
        let can_be_marked = is_apart(before) && is_apart(after);
        if !run.look.is_plain() && !can_be_marked {
            return None;
        }
        text.push_str(&written(run)?);
    }
    Some(text)
}

/// A run in mrkdwn. Its marks are read only where words end, and nothing else may be a mark.
fn written(run: &Run<'_>) -> Option<String> {
    let look = run.look;
    let bare = run.text.trim();
    let has_room = bare == run.text && !bare.is_empty() && run.link.is_none();
    if !look.is_plain() && !has_room {
        return None;
    }
    let inner = match &run.link {
        None if look.code => mrkdwn::code(&run.text)?,
        None if mrkdwn::is_unmarked(&run.text) => mrkdwn::escape(&run.text).into_owned(),
        Some(link) if link.as_str() == run.text => mrkdwn::self_link(&run.text)?,
        Some(link) if mrkdwn::can_be_label(&run.text) && mrkdwn::is_unmarked(&run.text) => {
            let target = mrkdwn::link_target(link.as_str())?;
            format!("<{target}|{}>", mrkdwn::escape(&run.text))
        }
        _ => return None,
    };
    let marks = [look.bold.then_some('*'), look.italic.then_some('_')];
    Some(
        marks
            .into_iter()
            .flatten()
            .rev()
            .fold(inner, |inner, mark| format!("{mark}{inner}{mark}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::alert;

    fn drawn(description: &str, format: &str) -> serde_json::Value {
        let alert = alert(
            &serde_json::json!({"alert_type": "a", "title": "t", "severity": "low", "description": description,
                "description_format": format})
            .to_string(),
        );
        serde_json::to_value(block(&alert, 2_800, &mut Vec::new())).unwrap()
    }

    #[test]
    fn the_first_vessel_that_shows_every_character_is_taken() {
        for (text, format, kind) in [
            ("select * from t\n\n  __init__", "plain", "plain_text"),
            ("a < b & c", "plain", "plain_text"),
            ("see https://a.example/x?y=1&z", "plain", "mrkdwn"),
            ("<!channel> *a*", "plain", "rich_text"),
            ("see https://a.example/ *now*", "plain", "rich_text"),
            ("a\tb", "plain", "mrkdwn"),
            ("a\t`b`", "plain", "rich_text"),
            ("**bold** and `code`", "markdown", "mrkdwn"),
            ("glued**bold**here", "markdown", "rich_text"),
            ("```\nselect `a`\n```", "markdown", "rich_text"),
            ("plain", "markdown", "plain_text"),
        ] {
            let block = drawn(text, format);
            let found = block["text"]["type"]
                .as_str()
                .unwrap_or(block["type"].as_str().unwrap());
            assert_eq!(found, kind, "{text}");
        }
    }

    #[test]
    fn blank_lines_at_the_ends_go_and_indentation_stays() {
        for (text, shown) in [
            ("    \n\nx", "x"),
            ("\n \n  x\n y\n \n", "  x\n y"),
            ("  x", "  x"),
            ("x\n\ny", "x\n\ny"),
        ] {
            assert_eq!(drawn(text, "plain")["text"]["text"], shown);
        }
    }

    #[test]
    fn a_backtick_in_a_fence_stays_a_backtick() {
        let block = drawn("```sql\nselect `a`\n```", "markdown");
        assert_eq!(block["elements"][0]["type"], "rich_text_preformatted");
        assert_eq!(block["elements"][0]["elements"][0]["text"], "select `a`");
    }
}
