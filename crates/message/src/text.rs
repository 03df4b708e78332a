//! Foreign text made harmless in the ways that hold for every platform.

use std::{borrow::Cow, iter::Peekable, str::Chars};

use alert_connectors_model::is_visible;

/// Text without control characters (but line breaks and tabs), line and paragraph separators, direction overrides and a
/// terminal's escape sequences. `\r\n` and `\r` become `\n`.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    // Usual text is read once, many bytes at a time: the compiler can vectorise a loop that never stops early.
    let is_usual = |b: u8| (0x20..0x7F).contains(&b) || b == b'\n' || b == b'\t';
    if text.bytes().fold(true, |usual, b| usual & is_usual(b)) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\n' | '\u{2028}' | '\u{2029}' => kept.push('\n'),
            '\t' => kept.push('\t'),
            '\u{1B}' => skip_escape_sequence(&mut chars),
            '\u{9B}' => skip_control_sequence(&mut chars),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {}
            _ if c.is_control() => {}
            _ => kept.push(c),
        }
    }
    Cow::Owned(kept)
}

/// Skips what follows an escape character: a control sequence such as the `[31m` of a colour, a command that a bell or
/// another escape ends, or one character. (ECMA-48, 5.)
fn skip_escape_sequence(chars: &mut Peekable<Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_control_sequence(chars);
        }
        Some(']') => skip_terminal_command(chars),
        Some('\u{20}'..='\u{2F}') => {
            while chars
                .next_if(|c| matches!(c, '\u{20}'..='\u{2F}'))
                .is_some()
            {}
            chars.next_if(char::is_ascii_graphic);
        }
        Some('=' | '>' | '<' | '7' | '8' | '@'..='Z' | '\\' | '^' | '_' | 'c') => {
            chars.next();
        }
        _ => {}
    }
}

/// Skips parameters and the letter that ends them; text that is no control sequence stays.
fn skip_control_sequence(chars: &mut Peekable<Chars<'_>>) {
    while chars
        .next_if(|c| matches!(c, '\u{20}'..='\u{3F}'))
        .is_some()
    {}
    chars.next_if(|c| matches!(c, '\u{40}'..='\u{7E}'));
}

/// Skips a command to the terminal, such as a link's address, to its end on the same line.
fn skip_terminal_command(chars: &mut Peekable<Chars<'_>>) {
    while let Some(c) = chars.next_if(|c| *c != '\n') {
        if c == '\u{7}' {
            return;
        }
        if c == '\u{1B}' {
            chars.next_if_eq(&'\\');
            return;
        }
    }
}

/// Cleaned text on one line, its ends trimmed; tabs become spaces.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    match clean(text) {
        text if text.bytes().any(|byte| matches!(byte, b'\n' | b'\t')) => {
            let lines = text.split(['\n', '\t']).map(str::trim);
            let lines = lines.filter(|line| !line.is_empty());
            Cow::Owned(lines.collect::<Vec<_>>().join(" "))
        }
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// Whether a reader would see nothing in it.
pub(crate) fn is_blank(text: &str) -> bool {
    !clean(text).chars().any(is_visible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_go_and_line_breaks_become_one_kind() {
        assert_eq!(
            clean("a\r\nb\rc\u{2028}d\te\u{7}\u{202E}f\u{7F}\u{85}"),
            "a\nb\nc\nd\tef"
        );
        assert_eq!(one_line(" a \r\n\n b\tc "), "a b c");
        assert!(is_blank("\u{200B} \n\u{2060}"));
        assert!(!is_blank("\u{200B}x"));
    }

    #[test]
    fn the_colours_of_a_terminal_go_as_a_whole() {
        for (text, expected) in [
            ("\u{1B}[31mERROR\u{1B}[0m done", "ERROR done"),
            ("\u{1B}[38;5;196mred\u{1B}[K", "red"),
            ("\u{9B}1mbold", "bold"),
            ("\u{1B}]8;;https://x\u{1B}\\link\u{1B}]8;;\u{7}!", "link!"),
            ("\u{1B}(Bplain", "plain"),
            ("[31m stays", "[31m stays"),
            ("cut \u{1B}[3", "cut "),
        ] {
            assert_eq!(clean(text), expected);
        }
    }
}
