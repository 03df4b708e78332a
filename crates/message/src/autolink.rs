//! Finding the http and https URLs that stand in plain text.

use alert_connectors_model::Link;

use crate::fit::ELLIPSIS;

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
        let at = from + text.get(from..)?.find("http")?;
        let (before, rest) = text.split_at(at);
        let in_word = before
            .chars()
            .next_back()
            .is_some_and(char::is_alphanumeric);
        if let Some((url, link)) = url_at(rest).filter(|_| !in_word) {
            let after = rest.get(url.len()..).unwrap_or_default();
            return Some((before, url, link, after));
        }
        from = at + "http".len();
    }
}

/// The URL with which a text begins, without the punctuation of the sentence around it. One that ends in an ellipsis was
/// cut, and leads nowhere.
pub(crate) fn url_at(text: &str) -> Option<(&str, Link)> {
    let rest = text.strip_prefix("http")?;
    let rest = rest.strip_prefix('s').unwrap_or(rest).strip_prefix("://")?;
    let scheme = text.len() - rest.len();
    let ends = |c: char| c.is_whitespace() || c.is_control() || r#"<>"`|\^{}"#.contains(c);
    let longest = rest
        .char_indices()
        .take(Link::CHARS_MAX + 1)
        .find(|(_, c)| ends(*c))
        .map_or(rest.len(), |(at, _)| at);
    let longest = text.get(..scheme + longest)?;
    // The label of a link that turned out to be none.
    let longest = longest.split_once("](").map_or(longest, |(url, _)| url);
    let url = without_punctuation(longest);
    let is_cut = text.get(url.len()..)?.starts_with(ELLIPSIS);
    let link = Link::parse(url).ok()?;
    (!is_cut && url.len() > scheme).then_some((url, link))
}

/// Drops what ends a sentence or closes a bracket that the URL did not open.
fn without_punctuation(mut url: &str) -> &str {
    loop {
        let open = |opening, closing| url.matches(closing).count() > url.matches(opening).count();
        let drops = match url.chars().next_back() {
            Some('.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '~' | '…') => true,
            Some(')') => open('(', ')'),
            Some(']') => open('[', ']'),
            _ => return url,
        };
        if !drops {
            return url;
        }
        let mut chars = url.chars();
        chars.next_back();
        url = chars.as_str();
    }
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
    fn many_schemes_take_linear_time() {
        assert_eq!(pieces(&"http".repeat(100_000)).len(), 1);
    }
}
