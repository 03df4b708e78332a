//! Text of others on a terminal: it neither steers the terminal nor shows something else than it says.

/// The text, with `?` in place of characters that control a terminal or the direction of text, or that can't be seen. Lines stay.
pub(super) fn harmless(text: &str) -> String {
    let steers = |letter: char| {
        let is_control = letter.is_control() && letter != '\n';
        is_control
            || matches!(letter,
                '\u{AD}' | '\u{61C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
    };
    text.replace(steers, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal_and_emoji_stay() {
        for (text, shown) in [
            ("a\u{1B}[2Jb", "a?[2Jb"),
            ("c\u{202E}d\u{61C}e\u{200B}f", "c?d?e?f"),
            ("one\ntwo\r", "one\ntwo?"),
            ("👩\u{200D}🔧 ü", "👩\u{200D}🔧 ü"),
        ] {
            assert_eq!(harmless(text), shown);
        }
    }
}
