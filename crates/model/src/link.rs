//! A link that an alert carries: absolute, http or https, parsed before it may enter a message.

use serde::Serialize;
use url::Url;

/// An absolute `http` or `https` URL of at most 2,048 characters, in its normal form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Link(String);

impl Link {
    /// The longest link that is kept, in characters.
    pub const CHARS_MAX: usize = 2_048;

    /// Reads a link, or says in a few words why it can't be one.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.chars().count() > Self::CHARS_MAX {
            return Err("is longer than 2048 characters");
        }
        let url = Url::parse(text).map_err(|_ignored| "is not an absolute URL")?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("is neither http nor https");
        }
        let normal = encoded(url);
        if normal.len() > Self::CHARS_MAX {
            return Err("is longer than 2048 characters once encoded");
        }
        Ok(Self(normal))
    }

    /// The link as text: ASCII, without spaces, quotes, brackets that are not round or square, bars, backslashes or carets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The URL with those characters encoded that its standard leaves as they are in queries and fragments, and that messages
/// could take for something else (WHATWG URL, query and fragment percent-encode sets).
fn encoded(url: Url) -> String {
    let text = String::from(url);
    if !text.contains(['\\', '{', '}', '|', '^', '`', '"', '<', '>']) {
        return text;
    }
    let mut encoded = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\\' | '{' | '}' | '|' | '^' | '`' | '"' | '<' | '>' => {
                encoded.push_str(&format!("%{:02X}", u32::from(c)));
            }
            _ => encoded.push(c),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_http_links_are_kept() {
        assert_eq!(
            Link::parse("https://a.example/x y").unwrap().as_str(),
            "https://a.example/x%20y"
        );
        assert_eq!(
            Link::parse(r"https://a.example/?x={{DATE(a)}}|\")
                .unwrap()
                .as_str(),
            "https://a.example/?x=%7B%7BDATE(a)%7D%7D%7C%5C"
        );
        for bad in [
            "",
            "host.example.com",
            "/alerts/1",
            "javascript:alert(1)",
            "mailto:a@b.c",
        ] {
            assert!(Link::parse(bad).is_err(), "{bad}");
        }
        assert!(Link::parse(&format!("https://a.example/{}", "x".repeat(2_048))).is_err());
    }
}
