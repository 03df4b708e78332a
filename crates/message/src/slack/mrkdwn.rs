//! What Slack reads in mrkdwn text, and how to write foreign text in which it reads nothing.
//!
//! Only `&`, `<` and `>` can be escaped (<https://docs.slack.dev/messaging/formatting-message-text>); `*`, `_`, `~` and
//! backticks have no escape. A mark opens formatting where no letter or digit stands before it and no white space after
//! it, and closes it likewise mirrored on the same line; inside a word it is a letter like any other.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::autolink;

/// A URL must stay below Slack's 3,000 characters.
pub(super) const LINK_CHARS_MAX: usize = 2_700;

/// Text with the three escapes of mrkdwn.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'>')) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// The mark that a character is read as: its full-width form counts as well.
fn mark(c: char) -> Option<char> {
    match c {
        '*' | '＊' => Some('*'),
        '_' | '＿' => Some('_'),
        '~' => Some('~'),
        '`' | '｀' => Some('`'),
        _ => None,
    }
}

/// Whether a mark of ours is read beside this character.
pub(super) fn parts_words(c: char) -> bool {
    !c.is_alphanumeric() && mark(c).is_none()
}

/// What stands for a mark that must not be read.
fn look_alike(mark: char) -> char {
    match mark {
        '*' => '∗',
        '_' => 'ˍ',
        '~' => '∼',
        _ => 'ˋ',
    }
}

/// Whether escaped text would be shown character for character: no mark, quote or emoji is read in it.
pub(super) fn reads_nothing(text: &str) -> bool {
    live_marks(text).is_empty() && has_neither_quote_nor_emoji(text)
}

fn has_neither_quote_nor_emoji(text: &str) -> bool {
    !text.starts_with('>')
        && !text.contains("\n>")
        && emoji_colons(text, |before| !before.is_ascii_digit()).is_empty()
}

/// Whether text beside our own marks would also be shown character for character: it has no mark but inside a word.
pub(super) fn is_unmarked(text: &str) -> bool {
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied().unwrap_or(' ');
        if let Some(mark) = mark(c) {
            let in_word = before.is_ascii_alphanumeric() && after.is_ascii_alphanumeric();
            if mark == '`' || !in_word {
                return false;
            }
        }
        before = c;
    }
    // A mark inside a word opens nothing.
    has_neither_quote_nor_emoji(text)
}

/// Where a text begins in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// At the beginning of a line, where a `>` would quote.
    Line,
    /// Behind other text.
    Inside,
}

/// Text as it is, except that the characters which Slack would read as formatting become look-alikes. URLs stay as they
/// are, so that they lead where they did.
pub(super) fn calm(text: &str, begin: Begin) -> Cow<'_, str> {
    let mut live = live_marks(text);
    live.extend(emoji_colons(text, |before| !before.is_ascii_alphanumeric()));
    live.sort_unstable();
    if !live.is_empty() && text.contains("://") {
        let pieces = autolink::pieces(text);
        let calm = with_look_alikes(text, &outside_urls(&pieces, &live), begin);
        if urls(&pieces).eq(urls(&autolink::pieces(&calm))) {
            return calm;
        }
        // A look-alike behind a URL became a part of it. Marks in it may be read now.
    }
    with_look_alikes(text, &live, begin)
}

fn urls<'t>(pieces: &[autolink::Piece<'t>]) -> impl Iterator<Item = &'t str> {
    let is_url = |piece: &&autolink::Piece<'_>| piece.1.is_some();
    pieces.iter().filter(is_url).map(|(piece, _)| *piece)
}

/// The places that stand in no URL.
fn outside_urls(pieces: &[autolink::Piece<'_>], places: &[usize]) -> Vec<usize> {
    let mut outside = places.to_vec();
    let mut at = 0;
    for (piece, link) in pieces {
        let end = at + piece.len();
        outside.retain(|place| link.is_none() || !(at..end).contains(place));
        at = end;
    }
    outside
}

/// Text with a look-alike for the characters at these places, and for each `>` that would quote.
fn with_look_alikes<'t>(text: &'t str, places: &[usize], begin: Begin) -> Cow<'t, str> {
    let quotes = text.starts_with('>') && begin == Begin::Line || text.contains("\n>");
    if places.is_empty() && !quotes {
        return Cow::Borrowed(text);
    }
    let mut places = places.iter().peekable();
    let mut shown = String::with_capacity(text.len() + 8);
    let mut before = match begin {
        Begin::Line => '\n',
        Begin::Inside => ' ',
    };
    for (at, c) in text.char_indices() {
        let is_read = places.next_if_eq(&&at).is_some();
        match (c, mark(c)) {
            (':', _) if is_read => shown.push('∶'),
            ('>', _) if before == '\n' => shown.push('›'),
            (_, Some(mark)) if is_read => shown.push(look_alike(mark)),
            _ => shown.push(c),
        }
        before = c;
    }
    Cow::Owned(shown)
}

/// Where marks stand that open formatting which a later one closes.
fn live_marks(text: &str) -> Vec<usize> {
    let mut live = Vec::new();
    if !text.contains(|c| mark(c).is_some()) {
        return live;
    }
    // From the end, so that each opening mark knows whether one that could close it follows.
    let (mut closes, mut after, mut backtick_follows) = (Vec::new(), ' ', false);
    let mut chars = text.char_indices().rev().peekable();
    while let Some((at, c)) = chars.next() {
        let before = chars.peek().map_or(' ', |(_, before)| *before);
        match mark(c) {
            None if c == '\n' => closes.clear(),
            None => {}
            Some('`') => {
                if backtick_follows {
                    live.push(at);
                }
                backtick_follows = true;
            }
            Some(mark) => {
                let opens = !before.is_ascii_alphanumeric() && !after.is_whitespace();
                if opens && closes.contains(&mark) {
                    live.push(at);
                }
                let closes_here = !before.is_whitespace() && !after.is_ascii_alphanumeric();
                if closes_here && !closes.contains(&mark) {
                    closes.push(mark);
                }
            }
        }
        after = c;
    }
    live
}

/// The colons that open a `:name:` where `may_precede` allows one.
fn emoji_colons(text: &str, may_precede: impl Fn(char) -> bool) -> Vec<usize> {
    let mut colons = Vec::new();
    if !text.bytes().any(|byte| byte == b':') {
        return colons;
    }
    let mut opening = None;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            ':' => {
                if let Some((opened, name)) = opening.take()
                    && at > name
                {
                    colons.push(opened);
                }
                opening = may_precede(before).then_some((at, at + 1));
            }
            'a'..='z' | 'A'..='Z' | '0'..='9' | '+' | '-' | '_' | '\'' => {}
            _ => opening = None,
        }
        before = c;
    }
    colons
}

/// Text between backticks, which is shown character for character, or nothing if it can't stand there.
pub(super) fn code(text: &str) -> Option<String> {
    let fits = !text.contains(['`', '｀', '\n']) && text.trim() == text && !text.is_empty();
    fits.then(|| format!("`{}`", escape(text)))
}

/// Whether text may be the label of a link as it is. A backtick in it ends the link, and so may a `|`.
pub(super) fn can_be_label(text: &str) -> bool {
    let ends_it = |byte| matches!(byte, b'|' | b'\n' | b'`');
    !text.is_empty() && !text.bytes().any(ends_it) && !text.contains('｀')
}

/// A URL as it may stand in `<url|label>`, or nothing if it is too long.
pub(super) fn link_target(url: &str) -> Option<String> {
    let mut target = String::with_capacity(url.len() + 16);
    for c in url.chars() {
        match c {
            '<' => target.push_str("%3C"),
            '>' => target.push_str("%3E"),
            '|' => target.push_str("%7C"),
            '`' => target.push_str("%60"),
            '"' => target.push_str("%22"),
            ' ' => target.push_str("%20"),
            '&' => target.push_str("&amp;"),
            _ if c.is_control() => {}
            _ => target.push(c),
        }
    }
    (target.len() <= LINK_CHARS_MAX).then_some(target)
}

/// A URL of a text as a link to itself, or nothing if its label would differ from its target.
pub(super) fn self_link(url: &str) -> Option<String> {
    let is_shown_as_it_is = url.bytes().all(|byte| byte.is_ascii_graphic());
    let target = link_target(url).filter(|target| target.replace("&amp;", "&") == url)?;
    is_shown_as_it_is.then(|| format!("<{target}>"))
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
    fn only_what_slack_would_read_becomes_a_look_alike() {
        for (text, expected) in [
            ("*bold* _it_ ~no~ `code`", "∗bold* ˍit_ ∼no~ ˋcode`"),
            ("warehouse.orders_daily 5*3", "warehouse.orders_daily 5*3"),
            ("select * from t", "select * from t"),
            ("*/5 * * * *", "*/5 * * * *"),
            ("__init__", "ˍˍinit__"),
            ("~/x and ~/y", "~/x and ~/y"),
            ("2001:db8::1", "2001:db8::1"),
            ("[FIRING:1] db at 12:04:31", "[FIRING:1] db at 12:04:31"),
            ("urn:li:dataset:(x)", "urn:li:dataset:(x)"),
            (":fire: down", "∶fire: down"),
            ("*a\nb*", "*a\nb*"),
            (">quote\n>more", "›quote\n›more"),
            ("a ` b", "a ` b"),
        ] {
            assert_eq!(calm(text, Begin::Line), expected);
        }
        assert_eq!(calm(">90 % disk", Begin::Inside), ">90 % disk");
        assert_eq!(
            calm("see https://a.example/_x_ now", Begin::Inside),
            "see https://a.example/_x_ now"
        );
        assert_eq!(
            calm("https://a.example/*A***", Begin::Inside),
            "https://a.example/∗A*∗*",
            "a look-alike would lengthen the URL"
        );
    }

    #[test]
    fn what_might_be_read_is_known() {
        for text in [
            "prod",
            "orders_daily",
            "*/5 * * * *",
            "0.98",
            "12:04:31",
            "a<b>&c",
        ] {
            assert!(reads_nothing(text), "{text}");
        }
        for text in [
            "*a*",
            "__init__",
            "`a`",
            ":fire:",
            "urn:li:dataset",
            "> q",
            "a\n> q",
        ] {
            assert!(!reads_nothing(text), "{text}");
        }
        assert!(is_unmarked("orders_daily") && !is_unmarked("*/5") && !is_unmarked("`"));
    }

    #[test]
    fn links_are_written_so_that_nothing_breaks_out_of_them() {
        assert_eq!(
            link_target("https://a/?x=1&y=a|b").unwrap(),
            "https://a/?x=1&amp;y=a%7Cb"
        );
        assert_eq!(
            self_link("https://a/?x=1&y").unwrap(),
            "<https://a/?x=1&amp;y>"
        );
        assert!(self_link("https://a/日本").is_none() && self_link("https://a/\"").is_none());
        assert_eq!(code("a<b").unwrap(), "`a&lt;b`");
        assert!(code("a`b").is_none() && code(" a").is_none());
        assert!(can_be_label("a < b") && !can_be_label("a|b"));
    }
}
