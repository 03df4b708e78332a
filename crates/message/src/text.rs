//! Foreign text made harmless in the ways that hold for every platform.

use std::borrow::Cow;

use alert_connectors_model::is_visible;

/// Text without control characters (but line breaks), line and paragraph separators, and direction overrides.
/// `\r\n` and `\r` become `\n`, a tab becomes a space.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    // Usual text is looked at once, many bytes at a time: a loop that never stops early is one that the machine can widen.
    let is_usual = |b: u8| (0x20..0x7F).contains(&b) || b == b'\n';
    if text.bytes().fold(true, |usual, b| usual & is_usual(b)) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' if letters.peek() == Some(&'\n') => {}
            '\r' | '\n' | '\u{2028}' | '\u{2029}' => kept.push('\n'),
            '\t' => kept.push(' '),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {}
            _ if letter.is_control() => {}
            _ => kept.push(letter),
        }
    }
    Cow::Owned(kept)
}

/// Cleaned text on one line, its ends trimmed.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    match clean(text) {
        text if text.contains('\n') => {
            let lines = text.split('\n').map(str::trim);
            let lines = lines.filter(|line| !line.is_empty());
            Cow::Owned(lines.collect::<Vec<_>>().join(" "))
        }
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// Whether a reader would see nothing of it.
pub(crate) fn is_blank(text: &str) -> bool {
    !clean(text).chars().any(is_visible)
}

/// Puts U+200B wherever `breaks(before, after)` says that two neighbours must not meet.
pub(crate) fn kept_apart(text: &str, breaks: impl Fn(char, &str) -> bool) -> Cow<'_, str> {
    let mut apart = String::new();
    let mut copied = 0;
    for (at, letter) in text.char_indices() {
        let end = at + letter.len_utf8();
        let (done, rest) = text.split_at(end);
        if breaks(letter, rest) {
            apart.push_str(done.get(copied..).unwrap_or_default());
            apart.push('\u{200B}');
            copied = end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    apart.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_go_and_line_breaks_become_one_kind() {
        assert_eq!(
            clean("a\r\nb\rc\u{2028}d\te\u{7}\u{202E}f\u{7F}\u{85}"),
            "a\nb\nc\nd ef"
        );
        assert_eq!(one_line(" a \r\n\n b "), "a b");
        assert!(is_blank("\u{200B} \n\u{2060}"));
        assert!(!is_blank("\u{200B}x"));
    }

    #[test]
    fn neighbours_are_kept_apart() {
        let broken = kept_apart("<at><b", |c, rest| c == '<' && rest.starts_with("at"));
        assert_eq!(broken, "<\u{200B}at><b");
    }
}
