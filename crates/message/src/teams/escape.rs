//! Foreign text made inert in Adaptive Cards: raw in text runs, by U+200B and a few backslashes where Markdown is read.

use std::borrow::Cow;

use crate::text::{clean, kept_apart};

/// Text for a run, where only `<at>` and `{{DATE()}}` could mean anything.
pub(super) fn run_inert(text: &str) -> Cow<'_, str> {
    if !text.contains(['<', '{']) {
        return Cow::Borrowed(text);
    }
    kept_apart(text, |letter, rest| match letter {
        '<' => {
            let name = rest.strip_prefix('/').unwrap_or(rest).as_bytes();
            matches!(name, [a, t, ..] if a.eq_ignore_ascii_case(&b'a') && t.eq_ignore_ascii_case(&b't'))
        }
        '{' => rest.starts_with('{'),
        _ => false,
    })
}

/// Text for a fact, where Markdown is read.
pub(super) fn fact_inert(text: &str) -> String {
    let text = clean(text);
    let mut lines: Vec<&str> = text.split('\n').map(str::trim).collect();
    lines.dedup_by(|second, first| second.is_empty() && first.is_empty());
    let lines: Vec<String> = lines.into_iter().map(inert_line).collect();
    lines.join("\n")
}

fn inert_line(line: &str) -> String {
    let mut calm = String::with_capacity(line.len() + 8);
    if begins_a_block(line) {
        calm.push('\u{200B}');
    }
    let mut before = ' ';
    let mut rest = line;
    while let Some(letter) = rest.chars().next() {
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
        let after = rest.chars().next().unwrap_or(' ');
        let in_word = before.is_alphanumeric() && after.is_alphanumeric();
        match letter {
            '\\' | '*' | '`' | '~' => calm.push('\\'),
            '_' if !in_word => calm.push('\\'),
            _ => {}
        }
        calm.push(letter);
        let meets = match letter {
            ']' => matches!(after, '(' | '[' | ':'),
            '<' => after.is_alphabetic() || matches!(after, '/' | '!' | '?'),
            '&' => after.is_alphabetic() || after == '#',
            '{' => after == '{',
            // A bare address would become a live link.
            ':' => after == '/',
            'w' | 'W' => before_dot_of_www(&calm, rest),
            _ => false,
        };
        if meets {
            calm.push('\u{200B}');
        }
        before = letter;
    }
    calm
}

/// `www.` is turned into a link by some clients.
fn before_dot_of_www(written: &str, rest: &str) -> bool {
    let tail = written.as_bytes();
    tail.len() >= 3 && tail[tail.len() - 3..].eq_ignore_ascii_case(b"www") && rest.starts_with('.')
}

fn begins_a_block(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let after_digits = line.as_bytes().get(digits);
    line.starts_with(['-', '+', '#', '>', '='])
        || (digits > 0 && matches!(after_digits, Some(b'.' | b')')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_keep_all_but_mentions_and_date_functions() {
        assert_eq!(run_inert("5*3 _x_ <b> [a](b)"), "5*3 _x_ <b> [a](b)");
        assert_eq!(
            run_inert("<at>a@b.c</AT>"),
            "<\u{200B}at>a@b.c<\u{200B}/AT>"
        );
        assert_eq!(run_inert("{{DATE(x)}}"), "{\u{200B}{DATE(x)}}");
    }

    #[test]
    fn facts_keep_snake_case_and_lose_every_mark() {
        for (text, expected) in [
            ("orders_daily", "orders_daily"),
            ("_x_ *b* `c`", "\\_x\\_ \\*b\\* \\`c\\`"),
            ("[t](http://x)", "[t]\u{200B}(http:\u{200B}//x)"),
            ("1. a\n- b\n\n\n\nc", "\u{200B}1. a\n\u{200B}- b\n\nc"),
            ("<b> &amp; {{", "<\u{200B}b> &\u{200B}amp; {\u{200B}{"),
        ] {
            assert_eq!(fact_inert(text), expected);
        }
    }
}
