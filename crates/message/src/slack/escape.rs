//! Foreign text made inert in Slack's mrkdwn, where nothing but `&`, `<` and `>` can be escaped.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::text::kept_apart;

/// A URL must stay below Slack's 3,000 characters.
pub(super) const LINK_CHARS_MAX: usize = 2_700;

/// The three escapes of mrkdwn (<https://docs.slack.dev/messaging/formatting-message-text#escaping>).
pub(super) fn entity(letter: char) -> Option<&'static str> {
    match letter {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}

/// Text in which nothing is a mark: marks become look-alikes, except inside a word, where Slack reads none
/// (`orders_daily` stays as it is); a `>` that begins a line, which would quote, gets a soft hyphen before it;
/// `:name:` is kept from becoming an emoji.
pub(super) fn inert(text: &str) -> Cow<'_, str> {
    let marks = ['*', '_', '~', '`', '＊', '＿', '｀', '>', ':'];
    if !text.contains(marks) {
        return Cow::Borrowed(text);
    }
    let mut calm = String::with_capacity(text.len());
    let mut before = '\n';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let after = letters.peek().copied().unwrap_or('\n');
        let in_word = before.is_ascii_alphanumeric() && after.is_ascii_alphanumeric();
        match letter {
            '`' | '｀' => calm.push('ˋ'),
            '*' | '＊' if !in_word => calm.push('∗'),
            '_' | '＿' if !in_word => calm.push('ˍ'),
            '~' if !in_word => calm.push('∼'),
            '>' if before == '\n' => calm.push_str("\u{AD}>"),
            ':' if is_emoji_letter(after) && !before.is_ascii_digit() => calm.push_str(":\u{200B}"),
            _ => calm.push(letter),
        }
        before = letter;
    }
    Cow::Owned(calm)
}

fn is_emoji_letter(letter: char) -> bool {
    letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '+' | '-' | '_')
}

/// Text for a `plain_text` object, sent unescaped: what looks like a mention or a link token is broken up.
pub(super) fn plain_inert(text: &str) -> Cow<'_, str> {
    kept_apart(text, |letter, rest| {
        letter == '<' && rest.starts_with(['!', '@', '#'])
    })
}

/// Text that may stand as the label of a link: inert, without `|`, and on one line.
pub(super) fn link_label(text: &str) -> Cow<'_, str> {
    match inert(text) {
        label if label.contains(['|', '\n']) => label.replace('|', "¦").replace('\n', " ").into(),
        label => label,
    }
}

/// A parsed URL as it may stand in `<url|label>`, or nothing if it is too long.
pub(super) fn link_target(url: &str) -> Option<String> {
    let mut target = String::with_capacity(url.len() + 16);
    for letter in url.chars() {
        match letter {
            '<' => target.push_str("%3C"),
            '>' => target.push_str("%3E"),
            '|' => target.push_str("%7C"),
            '`' => target.push_str("%60"),
            '"' => target.push_str("%22"),
            ' ' => target.push_str("%20"),
            '&' => target.push_str("&amp;"),
            _ if letter.is_control() => {}
            _ => target.push(letter),
        }
    }
    (target.len() <= LINK_CHARS_MAX).then_some(target)
}

/// A time in the reader's own time zone, in UTC where that can't be shown.
pub(super) fn date(time: Timestamp, utc: &str) -> String {
    format!(
        "<!date^{}^{{date_short_pretty}} at {{time}}|{utc}>",
        time.as_second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_look_alikes_but_words_stay() {
        for (text, expected) in [
            ("*bold* _it_ ~no~ `code`", "∗bold∗ ˍitˍ ∼no∼ ˋcodeˋ"),
            ("warehouse.orders_daily 5*3", "warehouse.orders_daily 5*3"),
            (">quote\n>more", "\u{AD}>quote\n\u{AD}>more"),
            (":fire: at 12:30:45", ":\u{200B}fire: at 12:30:45"),
        ] {
            assert_eq!(inert(text), expected);
        }
        assert_eq!(link_label("a|b\nc"), "a¦b c");
        assert_eq!(
            link_target("https://a/?x=1&y=a|b").unwrap(),
            "https://a/?x=1&amp;y=a%7Cb"
        );
    }
}
