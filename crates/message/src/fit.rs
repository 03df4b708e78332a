//! Cutting text to a platform's limits, never inside a character that people see as one.

use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;

/// What did not fit, in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trim {
    /// Where it stands in the alert, such as `description` or `fields.3.value`.
    pub field: String,
    /// How long it was.
    pub from: usize,
    /// How much of it is shown.
    pub to: usize,
}

/// How a limit counts. Neither platform says it; these are the careful readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meter {
    /// UTF-16 code units, as JavaScript clients count.
    Utf16,
    /// UTF-8 bytes, for text with characters beyond the basic plane.
    Utf8,
}

impl Meter {
    /// The careful way to count this text.
    pub(crate) fn of(text: &str) -> Self {
        // Only characters beyond the basic plane take four bytes, and their first byte tells.
        if text.bytes().any(|byte| byte >= 0xF0) {
            Self::Utf8
        } else {
            Self::Utf16
        }
    }

    /// The dearer of two ways.
    pub(crate) fn or(self, other: Self) -> Self {
        if self == Self::Utf8 { self } else { other }
    }

    /// The size of a text.
    pub(crate) fn size(self, text: &str) -> usize {
        match self {
            Self::Utf8 => text.len(),
            Self::Utf16 if text.is_ascii() => text.len(),
            Self::Utf16 => text.chars().map(char::len_utf16).sum(),
        }
    }
}

/// Text written up to a limit. Once something was cut, nothing more is taken.
#[derive(Debug)]
pub(crate) struct Fitted {
    text: String,
    meter: Meter,
    left: usize,
    /// Characters of the source that stand in the text.
    shown: usize,
    cut: bool,
}

/// Most texts of a message are shorter than this.
const USUAL_SIZE: usize = 160;
/// What stands where text was cut.
const ELLIPSIS: char = '…';
/// The ellipsis in the dearer count: three bytes.
const ELLIPSIS_SIZE: usize = 3;

impl Fitted {
    /// Room for `max`, counted by `meter`; an ellipsis is always kept room for.
    pub(crate) fn new(max: usize, meter: Meter) -> Self {
        Self {
            // Room for usual text, so that it is not moved while it grows.
            text: String::with_capacity(max.min(USUAL_SIZE)),
            meter,
            left: max.saturating_sub(ELLIPSIS_SIZE),
            shown: 0,
            cut: false,
        }
    }

    /// Writes foreign text, each character as `written` puts it, and cuts it at a grapheme where the room ends.
    /// The closing markup `tail` is kept room for and always written if any of the text is.
    pub(crate) fn foreign(
        &mut self,
        head: &str,
        text: &str,
        written: fn(char) -> Option<&'static str>,
        tail: &str,
    ) {
        let frame = self.meter.size(head) + self.meter.size(tail);
        if self.cut || text.is_empty() {
            return;
        }
        if self.left <= frame {
            self.cut_here(self.text.len());
            return;
        }
        self.text.push_str(head);
        let begins_at = self.text.len();
        self.left -= frame;
        if self.take_whole(text, written) {
            self.text.push_str(tail);
            return;
        }
        for grapheme in graphemes(text) {
            let size: usize = grapheme
                .chars()
                .map(|c| written(c).map_or_else(|| self.char_size(c), |text| self.meter.size(text)))
                .sum();
            if size > self.left {
                self.cut_here(begins_at);
                break;
            }
            self.left -= size;
            for letter in grapheme.chars() {
                self.shown += 1;
                match written(letter) {
                    Some(text) => self.text.push_str(text),
                    None => self.text.push(letter),
                }
            }
        }
        self.text.push_str(tail);
    }

    /// Takes ASCII text that fits as it is and holds nothing to escape, which is nearly all text, in one piece.
    fn take_whole(&mut self, text: &str, written: fn(char) -> Option<&'static str>) -> bool {
        let fits = text.len() <= self.left && text.is_ascii();
        // What any platform escapes is punctuation, of which most text has little.
        let may_be_written = |byte: u8| byte.is_ascii_punctuation();
        let is_escaped = |byte: u8| may_be_written(byte) && written(char::from(byte)).is_some();
        if !fits || text.bytes().any(is_escaped) {
            return false;
        }
        self.left -= text.len();
        self.shown += text.len();
        self.text.push_str(text);
        true
    }

    /// Writes markup of our own whole or not at all.
    pub(crate) fn ours(&mut self, text: &str) {
        let size = self.meter.size(text);
        if self.cut {
        } else if size > self.left {
            self.cut_here(self.text.len());
        } else {
            self.left -= size;
            self.text.push_str(text);
        }
    }

    fn char_size(&self, letter: char) -> usize {
        match self.meter {
            Meter::Utf8 => letter.len_utf8(),
            Meter::Utf16 => letter.len_utf16(),
        }
    }

    /// Ends the text with an ellipsis. Of the foreign text that begins at `begins_at`, a mark that stood inside a word
    /// goes too: with the rest of its word gone it would be read as formatting.
    fn cut_here(&mut self, begins_at: usize) {
        self.cut = true;
        let (kept, foreign) = self.text.split_at(begins_at);
        let end = kept.len() + foreign.trim_end_matches(['*', '_', '~']).trim_end().len();
        self.text.truncate(end);
        self.text.push(ELLIPSIS);
    }

    /// Whether the source did not fit.
    pub(crate) const fn was_cut(&self) -> bool {
        self.cut
    }

    /// How many characters of the source stand in the text.
    pub(crate) const fn shown(&self) -> usize {
        self.shown
    }

    /// The text, with its ellipsis where it was cut.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// Plain text cut to `max` characters by the meter, with the note of it.
pub(crate) fn cut(text: &str, max: usize) -> Fitted {
    let mut fitted = Fitted::new(max, Meter::of(text));
    fitted.foreign("", text, |_| None, "");
    fitted
}

/// Graphemes, of which ASCII text has one a byte (no `\r` is left by cleaning).
fn graphemes(text: &str) -> Box<dyn Iterator<Item = &str> + '_> {
    if text.is_ascii() {
        Box::new((0..text.len()).map(|at| text.get(at..=at).unwrap_or_default()))
    } else {
        Box::new(text.graphemes(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_graphemes_with_an_ellipsis() {
        assert_eq!(cut("abcdef", 6).into_text(), "abc…");
        assert_eq!(cut("abc", 6).into_text(), "abc");
        let family = "👩‍👩‍👧";
        assert_eq!(
            cut(&family.repeat(3), family.len() + 5).into_text(),
            format!("{family}…")
        );
        assert_eq!(
            cut("e\u{301}e\u{301}e\u{301}e\u{301}", 7).into_text(),
            "e\u{301}e\u{301}…"
        );
    }

    #[test]
    fn a_mark_that_would_end_the_text_is_dropped() {
        assert_eq!(cut("a*b*cdefgh", 7).into_text(), "a*b…");
    }

    #[test]
    fn an_entity_is_written_whole_or_not_at_all() {
        let escape = |c| (c == '&').then_some("&amp;");
        let mut fitted = Fitted::new(12, Meter::Utf16);
        fitted.foreign("`", "a&&b", escape, "`");
        assert_eq!(fitted.into_text(), "`a&amp;…`");
    }
}
