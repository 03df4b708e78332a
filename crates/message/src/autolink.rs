//! Finding the http and https URLs that stand in plain text.

use alert_connectors_model::Link;

use crate::truncate::ELLIPSIS;

/// A stretch of text, and where it leads if it is a URL.
pub(crate) type Piece<'t> = (&'t str, Option<Link>);

/// Splits a text into its URLs and what stands between them. The pieces joined are the text again.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, url, link, after)) = next_url(rest) {
        if !before.is_empty() {
            pieces.push((before, None));
        }
        pieces.push((url, Some(link)));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push((rest, None));
    }
    pieces
}

/// The first URL, with what stands before and after it.
fn next_url(text: &str) -> Option<(&str, &str, Link, &str)> {
    let mut from = 0;
    loop {
        // The place of a scheme, whose letters may be capitals.
        let at = from + text.get(from..)?.find("://")?;
        from = at + "://".len();
        let letters = text.as_bytes().get(..at)?;
        let scheme = letters
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let (before, rest) = text.split_at(at - scheme);
        let in_word = before
            .chars()
            .next_back()
            .is_some_and(|c| c.is_ascii_alphanumeric());
        if in_word {
            continue;
        }
        if let Some((url, link)) = url_at(rest) {
            let after = rest.get(url.len()..).unwrap_or_default();
            return Some((before, url, link, after));
        }
    }
}

/// The URL with which a text begins, without the punctuation of the sentence around it. One that ends in an ellipsis was
/// cut, and leads nowhere.
pub(crate) fn url_at(text: &str) -> Option<(&str, Link)> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| {
        let begin = text.as_bytes().get(..scheme.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(scheme.as_bytes()))
    })?;
    let end = text
        .char_indices()
        .take(Link::CHARS_MAX + 1)
        .find(|(_, c)| ends_url(*c))
        .map(|(at, _)| at);
    // Text that goes on for longer is no URL that a message could hold.
    let end = end.or_else(|| (text.len() <= 4 * Link::CHARS_MAX).then_some(text.len()))?;
    if host_goes_on(text.get(scheme.len()..end)?, text.get(end..)?) {
        return None;
    }
    let longest = up_to_what_no_host_holds(text.get(..end)?, scheme.len());
    // The label of a link that turned out to be none.
    let longest = longest.split_once("](").map_or(longest, |(url, _)| url);
    let url = without_punctuation(longest);
    let is_cut = text.get(url.len()..)?.starts_with(ELLIPSIS);
    let link = Link::parse(url).ok()?;
    (!is_cut && url.len() > scheme.len()).then_some((url, link))
}

/// Whether a character ends a URL: white space, what no URL holds, and the punctuation of Chinese and Japanese, which
/// follows without a space.
fn ends_url(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || r#"<>"`|\^{}"#.contains(c)
        || matches!(c, '\u{3000}'..='\u{303F}' | '\u{3040}'..='\u{309F}' | '\u{FF00}'..='\u{FF0F}' | '\u{FF1A}'..='\u{FF20}')
}

/// Whether what follows a URL belongs to its host: Hiragana usually is the sentence that goes on, but a Japanese host name may
/// hold it as well, and half a host is another one.
fn host_goes_on(url: &str, rest: &str) -> bool {
    let is_authority = !url.contains(['/', '?', '#']);
    let is_hiragana = |c: char| matches!(c, '\u{3040}'..='\u{309F}');
    let ends = |c: char| ends_url(c) && !is_hiragana(c) || matches!(c, '/' | '?' | '#');
    let next = rest.split(ends).next().unwrap_or_default();
    is_authority && next.starts_with(is_hiragana) && next.contains('.')
}

/// A URL up to the first character of its authority that no authority holds. An address in brackets stays whole.
fn up_to_what_no_host_holds(url: &str, scheme: usize) -> &str {
    let authority = url.get(scheme..).unwrap_or_default();
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.starts_with('[') {
        return url;
    }
    let end = authority.find(|c: char| !(c.is_alphanumeric() || "-._:@%".contains(c)));
    end.and_then(|end| url.get(..scheme + end)).unwrap_or(url)
}

/// Drops what ends a sentence or closes a bracket that the URL did not open.
fn without_punctuation(mut url: &str) -> &str {
    let count = |c| url.matches(c).count();
    let mut round = count(')').saturating_sub(count('('));
    let mut square = count(']').saturating_sub(count('['));
    loop {
        let surplus = match url.chars().next_back() {
            Some('.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '~' | '…') => None,
            Some(')') if round > 0 => Some(&mut round),
            Some(']') if square > 0 => Some(&mut square),
            _ => return url,
        };
        if let Some(surplus) = surplus {
            *surplus -= 1;
        }
        let mut chars = url.chars();
        chars.next_back();
        url = chars.as_str();
    }
}

/// Whether a text shows an address other than the link's, and so must not be its label.
pub(crate) fn shows_another(text: &str, link: &str) -> bool {
    if !text.bytes().any(|byte| matches!(byte, b'.' | b'/')) {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    let is_host = |word: &str| {
        let host = word.split(['/', '?', '#', ':']).next().unwrap_or_default();
        let (labels, last) = host.rsplit_once('.').unwrap_or_default();
        let is_plain = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
        let is_top = last.len() >= 2 && last.chars().all(char::is_alphabetic);
        word.len() > host.len() && !labels.is_empty() && is_top && labels.chars().all(is_plain)
    };
    let shows_one =
        lower.contains("://") || lower.contains("www.") || lower.split_whitespace().any(is_host);
    let is_this_one = || Link::parse(text).is_ok_and(|shown| shown.as_str() == link);
    shows_one && !is_this_one()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_found_without_the_sentence_around_them() {
        for (text, expected) in [
            (
                "see https://a.example/x?y=1&z.",
                "see |[https://a.example/x?y=1&z]|.",
            ),
            (
                "(http://a.example/b_(c)), then",
                "(|[http://a.example/b_(c)]|), then",
            ),
            (
                "https://a.example/#/?_g=(time:(from:now-15m))",
                "[https://a.example/#/?_g=(time:(from:now-15m))]",
            ),
            (
                "s3://b/k jdbc:postgresql://h/d ftp://x",
                "s3://b/k jdbc:postgresql://h/d ftp://x",
            ),
            (
                "https://a.example)__b__ http://[::1]:80/x http://my_host:1/(y)",
                "[https://a.example]|)__b__ |[http://[::1]:80/x]| |[http://my_host:1/(y)]",
            ),
            (
                "xhttps://a.example http:// https://",
                "xhttps://a.example http:// https://",
            ),
            ("**https://a.example/**", "**|[https://a.example/]|**"),
            ("<https://a.example|b>", "<|[https://a.example]||b>"),
            (
                "https://a.example https://b.example",
                "[https://a.example]| |[https://b.example]",
            ),
            (
                "https://user@/ https://a.example/cut…",
                "https://user@/ https://a.example/cut…",
            ),
            ("see HTTPS://A.example/x", "see |[HTTPS://A.example/x]"),
            (
                "詳細はhttps://a.example/xを参照。",
                "詳細は|[https://a.example/x]|を参照。",
            ),
            ("見てhttps://例え.jp/x", "見てhttps://例え.jp/x"),
            ("https://a.exampleを参照。", "[https://a.example]|を参照。"),
            ("", ""),
        ] {
            let shown: Vec<_> = pieces(text)
                .into_iter()
                .map(|(text, link)| link.map_or(text.to_owned(), |_| format!("[{text}]")))
                .collect();
            assert_eq!(shown.join("|"), expected);
        }
    }

    #[test]
    fn many_schemes_and_brackets_take_linear_time() {
        for text in ["http", "http://", "http://[", "http://)", "://"] {
            pieces(&text.repeat(20_000));
        }
        pieces(&format!("{}{}", "http://".repeat(500), ")".repeat(12_000)));
    }

    #[test]
    fn a_label_that_shows_an_address_is_known() {
        let link = "https://evil.example/";
        for label in [
            "HTTPS://good.example/login",
            "good.example/login",
            "www.good.example",
            "see good.example/x now",
        ] {
            assert!(shows_another(label, link), "{label}");
        }
        for label in [
            "the chart",
            "https://evil.example",
            "orders_daily",
            "v1.2",
            "a/b",
            "e.g. this",
        ] {
            assert!(!shows_another(label, link), "{label}");
        }
    }
}
