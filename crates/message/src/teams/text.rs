//! Foreign text in Adaptive Cards: exact in text runs, where nothing is parsed, and in facts where Markdown would read
//! nothing in it.

use std::borrow::Cow;

use super::card::TextRun;
use crate::rich::{Line, Run};

/// A text as runs that show it character for character. Two tokens mean something even there, so neither stands in one
/// run: `<at>`, which can mention somebody, and `{{DATE(` or `{{TIME(`, which clients replace.
pub(super) fn runs(text: &str, look: impl Fn(String) -> TextRun) -> Vec<TextRun> {
    split_tokens(text)
        .into_iter()
        .map(|part| look(part.to_owned()))
        .collect()
}

/// Text for a notification, which is one string: a token in it is broken up by an invisible space.
pub(super) fn notification(text: &str) -> Cow<'_, str> {
    match split_tokens(text).as_slice() {
        [] | [_] => Cow::Borrowed(text),
        parts => Cow::Owned(parts.join("\u{200B}")),
    }
}

/// The text in parts, cut after the first character of each token.
fn split_tokens(text: &str) -> Vec<&str> {
    if !text.bytes().any(|byte| matches!(byte, b'<' | b'{')) {
        return (!text.is_empty()).then_some(text).into_iter().collect();
    }
    let mut parts = Vec::new();
    let mut begin = 0;
    for (at, bracket) in text.match_indices(['<', '{']) {
        let end = at + bracket.len();
        let rest = text.get(end..).unwrap_or_default();
        if is_token(bracket, rest) {
            parts.extend(text.get(begin..end));
            begin = end;
        }
    }
    parts.extend(text.get(begin..).filter(|rest| !rest.is_empty()));
    parts
}

fn is_token(bracket: &str, rest: &str) -> bool {
    let begins_with = |rest: &str, word: &str| {
        let begin = rest.as_bytes().get(..word.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(word.as_bytes()))
    };
    match bracket {
        "<" => begins_with(rest.strip_prefix('/').unwrap_or(rest), "at"),
        _ => begins_with(rest, "{date") || begins_with(rest, "{time"),
    }
}

/// White space as clients show it: they draw HTML, in which spaces at the beginning of a line and behind another space
/// vanish, and tabs too. Such spaces become no-break spaces, which are copied as spaces; a tab fills up to the next
/// column of eight.
pub(super) fn with_visible_spaces<'t>(text: &'t str, column: &mut usize) -> Cow<'t, str> {
    let at_begin = *column == 0;
    if !(text.contains("  ") || text.contains('\t') || at_begin && text.starts_with(' ')) {
        *column += text.chars().count();
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    let mut vanishes = at_begin;
    for c in text.chars() {
        match c {
            '\t' => {
                let width = TAB_WIDTH - *column % TAB_WIDTH;
                shown.extend(std::iter::repeat_n(NO_BREAK_SPACE, width));
                *column += width - 1;
            }
            ' ' if vanishes => shown.push(NO_BREAK_SPACE),
            _ => shown.push(c),
        }
        vanishes = matches!(c, ' ' | '\t');
        *column += 1;
    }
    Cow::Owned(shown)
}

const TAB_WIDTH: usize = 8;
pub(super) const NO_BREAK_SPACE: char = '\u{A0}';

/// A text for a fact, where Markdown is read, if every client shows it character for character there. URLs are links to
/// themselves.
pub(super) fn in_markdown(text: &str) -> Option<String> {
    let is_white = |byte| matches!(byte, b'\n' | b'\t');
    if begins_a_block(text) || text.bytes().any(is_white) || text.contains("  ") {
        return None;
    }
    if !text.contains("://") {
        return reads_nothing(text).then(|| text.to_owned());
    }
    let run = |run: &Run<'_>| match &run.link {
        Some(link) => {
            let is_safe = run.text == link.as_str() && !run.text.contains(['(', ')', '[', ']']);
            (is_safe && reads_nothing(&run.text)).then(|| format!("[{0}]({0})", run.text))
        }
        None => reads_nothing(&run.text).then(|| run.text.clone().into_owned()),
    };
    Line::text(text).runs.iter().map(run).collect()
}

/// Whether Markdown finds nothing inside a line. That holds for both parsers of the clients: the one that follows
/// `CommonMark` and the smaller one of the mobile apps.
fn reads_nothing(text: &str) -> bool {
    if !text.bytes().any(|byte| br"\*`~_]<&{".contains(&byte)) {
        return true;
    }
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
        let after = rest.chars().next().unwrap_or(' ');
        let is_read = match c {
            '\\' | '*' | '`' | '~' => true,
            '_' => !(before.is_alphanumeric() && after.is_alphanumeric()),
            ']' => matches!(after, '(' | '[' | ':'),
            '<' => after.is_alphabetic() || matches!(after, '/' | '!' | '?'),
            '&' => is_entity(rest),
            '{' => after == '{',
            _ => false,
        };
        if is_read {
            return false;
        }
        before = c;
    }
    true
}

/// Whether `&` would be read together with what follows it.
fn is_entity(rest: &str) -> bool {
    let name = rest
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '#'))
        .next();
    let name = name.unwrap_or_default();
    !name.is_empty()
        && rest
            .get(name.len()..)
            .is_some_and(|rest| rest.starts_with(';'))
}

/// Whether Markdown would make a heading, a quote, a list or a rule of a line.
fn begins_a_block(line: &str) -> bool {
    let is_end = |rest: &str| rest.is_empty() || rest.starts_with(' ');
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let after_digits = line.get(digits..).unwrap_or_default();
    let numbered = digits > 0 && after_digits.strip_prefix(['.', ')']).is_some_and(is_end);
    let listed = line.strip_prefix(['-', '+']).is_some_and(is_end);
    let ruled = line.chars().all(|c| matches!(c, '-' | '=' | ' '));
    numbered || listed || ruled || line.starts_with(['#', '>', ' ']) || line.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_stands_in_one_run() {
        for (text, expected) in [
            ("5*3 _x_ <b> [a](b) {{x}}", "5*3 _x_ <b> [a](b) {{x}}"),
            ("<at>a@b.c</AT>", "<|at>a@b.c<|/AT>"),
            ("{{DATE(x)}} {{{time(x)", "{|{DATE(x)}} {{|{time(x)"),
            ("<", "<"),
            ("", ""),
        ] {
            assert_eq!(split_tokens(text).join("|"), expected);
        }
        assert_eq!(notification("<at>x"), "<\u{200B}at>x");
    }

    #[test]
    fn facts_are_markdown_only_where_markdown_reads_nothing() {
        for exact in [
            "0.98",
            "-5",
            "10.0.0.1:9100",
            "--flag",
            "orders_daily",
            "s3://b/k",
            "jdbc:postgresql://h:5432/d",
            "a < b & c",
            "[x] y",
            "2001:db8::1",
            "1.5 GiB",
            "a=b&copy=1",
        ] {
            assert_eq!(in_markdown(exact).as_deref(), Some(exact));
        }
        for read in [
            "*a*",
            "_x_",
            "`c`",
            "~/x",
            "a\\b",
            "- a",
            "1. a",
            "# a",
            "> a",
            "---",
            "<b>",
            "&amp;",
            "[t](u)",
            "{{DATE(x)}}",
            "a  b",
            "a\nb",
            "a\tb",
            "https://a.example/a_(b)",
            "https://a.example/_x_",
        ] {
            assert_eq!(in_markdown(read), None, "{read}");
        }
        assert_eq!(
            in_markdown("see https://a.example/x?a=1&b.").unwrap(),
            "see [https://a.example/x?a=1&b](https://a.example/x?a=1&b)."
        );
    }

    #[test]
    fn spaces_that_would_vanish_do_not() {
        let shown = |text| with_visible_spaces(text, &mut 0).replace(NO_BREAK_SPACE, "~");
        assert_eq!(shown("  if a  b c"), "~~if a ~b c");
        assert_eq!(shown("a\tb\tc"), "a~~~~~~~b~~~~~~~c");
    }
}
