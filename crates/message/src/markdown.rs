//! The small Markdown of descriptions, read into lines: fences, tables and lists; all else is literal.

use std::borrow::Cow;

use crate::{
    inline::runs,
    rich::{Line, LineKind, Run},
    table,
};

/// Lists are drawn at most this deep.
const LIST_LEVELS_MAX: usize = 8;

/// Reads cleaned text.
pub(crate) fn parse(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut levels = Levels::default();
    let source: Vec<&str> = text.split('\n').map(str::trim_end).collect();
    let mut rest = source.as_slice();
    while let [line, after @ ..] = rest {
        rest = after;
        if let Some(first) = opening_fence(line) {
            let end = after.iter().position(|inner| inner.contains("```"));
            let inside = after.get(..end.unwrap_or(after.len())).unwrap_or_default();
            if !first.is_empty() {
                lines.push(Line::code(Cow::Borrowed(first)));
            }
            lines.extend(inside.iter().map(|line| Line::code(Cow::Borrowed(line))));
            rest = after.get(inside.len() + 1..).unwrap_or_default();
            // What stands beside the closing marks is kept as well.
            let (last, behind) = after
                .get(inside.len())
                .and_then(|closing| closing.split_once("```"))
                .unwrap_or_default();
            if !last.trim().is_empty() {
                lines.push(Line::code(Cow::Borrowed(last)));
            }
            if !behind.trim().is_empty() {
                lines.push(ordinary(behind.trim_start(), &mut levels));
            }
        } else if let Some(code) = fence_of_one_line(line) {
            lines.push(Line::code(Cow::Borrowed(code)));
        } else if let Some(table) = table::read(line, after) {
            lines.extend(table.drawn());
            rest = after.get(table.lines_after_head()..).unwrap_or_default();
        } else {
            lines.push(ordinary(line, &mut levels));
        }
    }
    lines
}

/// The text of a line that opens a fence; a language that is named there is no text.
fn opening_fence(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("```")?.trim();
    let is_language = |c: char| c.is_alphanumeric() || "+-#._".contains(c);
    if text.contains('`') {
        return None;
    }
    Some(if text.chars().all(is_language) {
        ""
    } else {
        text
    })
}

/// The code of a fence that opens and closes on the same line, with nothing beside it.
fn fence_of_one_line(line: &str) -> Option<&str> {
    let code = line.trim().strip_prefix("```")?.strip_suffix("```")?;
    (!code.trim().is_empty() && !code.contains("```")).then_some(code)
}

fn ordinary<'t>(line: &'t str, levels: &mut Levels) -> Line<'t> {
    let bare = line.trim_start();
    let Some((marker, text)) = item(bare) else {
        if !bare.is_empty() && bare.len() == line.len() {
            *levels = Levels::default();
        }
        return Line {
            kind: LineKind::of(line),
            runs: runs(line),
        };
    };
    let level = levels.of(line.len() - bare.len());
    let mut all = vec![Run {
        text: Cow::Owned(format!("{}{marker} ", "    ".repeat(level))),
        ..Run::default()
    }];
    all.extend(runs(text));
    Line {
        kind: LineKind::Text,
        runs: all,
    }
}

/// The indentations of the lists that the current line may belong to, the outermost first.
#[derive(Default)]
struct Levels(Vec<usize>);

impl Levels {
    /// The level of an item that is indented by this many characters.
    fn of(&mut self, indent: usize) -> usize {
        self.0.retain(|outer| *outer < indent);
        self.0.push(indent);
        (self.0.len() - 1).min(LIST_LEVELS_MAX)
    }
}

/// `- text` and `12. text`: the marker as it is drawn, and the text.
fn item(line: &str) -> Option<(Cow<'_, str>, &str)> {
    if let Some(rest) = line.strip_prefix("- ") {
        return Some((Cow::Borrowed("•"), rest.trim_start()));
    }
    let (number, rest) = line.split_once(". ")?;
    let is_number = (1..=9).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| (Cow::Owned(format!("{number}.")), rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str) -> Vec<(LineKind, String)> {
        let text_of = |line: &Line<'_>| line.runs.iter().map(|run| run.text.as_ref()).collect();
        parse(text)
            .iter()
            .map(|line| (line.kind, text_of(line)))
            .collect()
    }

    #[test]
    fn lists_keep_their_levels() {
        let lines = drawn(
            "intro\n- one\n  - two\n    12. three\n  - four\n- five\n\n  - six\ntext\n  - seven",
        );
        let texts: Vec<_> = lines.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "intro",
                "• one",
                "    • two",
                "        12. three",
                "    • four",
                "• five",
                "",
                "    • six",
                "text",
                "• seven"
            ]
        );
    }

    #[test]
    fn what_stands_in_a_fence_is_kept_as_it_is() {
        let lines = drawn("a\n```sql\nselect `x`\n\n  from *t*\n```\nb");
        let code = |text: &str| (LineKind::Code, text.to_owned());
        assert_eq!(
            lines[1..4],
            [code("select `x`"), code(""), code("  from *t*")]
        );
        assert_eq!(lines.len(), 5);
        assert_eq!(drawn("```\nopen").len(), 1);
        for (text, expected) in [
            (
                "Query:\n```select 1```\nfailed",
                &["Query:", "select 1", "failed"][..],
            ),
            (
                "```Traceback (most recent)\n  File x\nError: bad```",
                &["Traceback (most recent)", "  File x", "Error: bad"],
            ),
            ("```\na\n``` the cause", &["a", "the cause"]),
            ("```error: disk full", &["error: disk full"]),
            ("``` ``` x", &["``` ``` x"]),
        ] {
            let texts: Vec<_> = drawn(text).into_iter().map(|(_, text)| text).collect();
            assert_eq!(texts, expected);
        }
    }

    #[test]
    fn many_marks_take_linear_time() {
        for mark in [
            "*", "**", "[", "`", "[](", "* ", "** ", "http", "|", "http*",
        ] {
            assert!(parse(&mark.repeat(50_000)).len() <= 1);
        }
    }
}
