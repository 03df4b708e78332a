//! The body of an answer as text: never taken for empty because it could not be read.

use std::{borrow::Cow, io::Read};

use flate2::read::MultiGzDecoder;

/// As much as is read of any answer, also once it is decoded.
const DECODED_BYTES_MAX: u64 = 64 * 1_024;

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// Its text, without white space at its ends.
    Text(Cow<'a, str>),
    /// It is no text that we can read: what it is instead.
    Unreadable(String),
}

impl<'a> Body<'a> {
    /// Reads the bytes of a body that came in this `Content-Encoding`.
    pub fn read(bytes: &'a [u8], encoding: Option<&str>) -> Self {
        let encoding = encoding.map(str::trim).unwrap_or_default();
        if bytes.is_empty() || encoding.is_empty() || encoding.eq_ignore_ascii_case("identity") {
            return Self::of_bytes(Cow::Borrowed(bytes), "a body that is not UTF-8 text");
        }
        if encoding.eq_ignore_ascii_case("gzip") {
            let mut unpacked = Vec::new();
            let decoder = MultiGzDecoder::new(bytes);
            let whole = decoder.take(DECODED_BYTES_MAX).read_to_end(&mut unpacked);
            let read = Self::of_bytes(Cow::Owned(unpacked), "a broken gzip body");
            // What came before the break is enough to know a page by.
            return match whole {
                Err(_broken) if !read.is_page() => {
                    Self::Unreadable("a broken gzip body".to_owned())
                }
                _ => read,
            };
        }
        let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        let name: String = encoding.chars().filter(is_name).take(20).collect();
        Self::Unreadable(format!("a body compressed with {name}"))
    }

    /// Text in UTF-8, which may be cut off within its last character, or a page in any encoding that ASCII is a part of.
    fn of_bytes(bytes: Cow<'a, [u8]>, otherwise: &str) -> Self {
        let fault = std::str::from_utf8(&bytes).err();
        let is_text =
            fault.is_none_or(|fault| fault.error_len().is_none() && fault.valid_up_to() > 0);
        let text = match bytes {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        };
        let read = Self::Text(match text {
            Cow::Borrowed(text) => Cow::Borrowed(trimmed(text)),
            Cow::Owned(text) => Cow::Owned(trimmed(&text).to_owned()),
        });
        if is_text || read.is_page() {
            return read;
        }
        Self::Unreadable(otherwise.to_owned())
    }

    /// The text; nothing where it could not be read.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Unreadable(_) => "",
        }
    }

    /// Whether there is a body, and it is empty.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    /// Whether it is a web page: a sign-in page, a proxy's notice, or the page of a channel.
    pub(super) fn is_page(&self) -> bool {
        let text = self.text();
        // Nearly every answer is one word.
        if !text.starts_with('<') {
            return false;
        }
        let begin: String = text.chars().take(PAGE_CHARS).collect();
        let begin = begin.to_ascii_lowercase();
        ["<!doctype html", "<html", "<head", "<body", "<script"]
            .iter()
            .any(|mark| begin.contains(mark))
    }
}

/// Text without white space at its ends, and without the mark that some servers put before UTF-8.
fn trimmed(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim()
}

/// A page shows within this what it is.
const PAGE_CHARS: usize = 1_024;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_body_is_text_or_says_what_it_is() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"no_service\n").unwrap();
        let zipped = encoder.finish().unwrap();
        assert_eq!(Body::read(&zipped, Some("gzip")).text(), "no_service");
        assert_eq!(Body::read(b" ok\n", None).text(), "ok");
        assert!(Body::read(b"", Some("br")).is_empty());
        for (bytes, encoding, expected) in [
            (&b"\x1b\x04"[..], Some("br"), "a body compressed with br"),
            (b"\xff\xfe", None, "a body that is not UTF-8 text"),
            (b"ok", Some("gzip"), "a broken gzip body"),
        ] {
            let body = Body::read(bytes, encoding);
            assert_eq!(body, Body::Unreadable(expected.to_owned()));
            assert!(!body.is_empty());
        }
    }

    #[test]
    fn a_page_is_a_page_in_any_encoding_and_if_it_is_cut() {
        let page = b"<!DOCTYPE html><title>Acc\xe8s refus\xe9</title>";
        assert!(Body::read(page, None).is_page());
        assert!(Body::read("\u{feff}<html>".as_bytes(), None).is_page());
        let cut = &"<html>é".as_bytes()[..7];
        assert!(Body::read(cut, None).is_page());
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        encoder
            .write_all(&[&page[..], &[b'x'; 2_000]].concat())
            .unwrap();
        let zipped = encoder.finish().unwrap();
        assert!(Body::read(&zipped[..1_500], Some("gzip")).is_page());
        assert_eq!(Body::read("\u{feff}ok".as_bytes(), None).text(), "ok");
    }

    #[test]
    fn pages_are_known_by_their_beginning() {
        for page in [
            "<!DOCTYPE html><title>Sign in</title>",
            "<html>",
            "<!-- x --><HTML lang=en>",
        ] {
            assert!(Body::read(page.as_bytes(), None).is_page(), "{page}");
        }
        for other in ["ok", "<at>x</at>", "a <html> b", "{\"html\":1}", ""] {
            assert!(!Body::read(other.as_bytes(), None).is_page(), "{other}");
        }
    }
}
