//! Cutting text to a platform's limits, never inside a character that people see as one.

use std::{
    iter::Sum,
    ops::{Add, AddAssign},
};

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

/// The size of a text. No platform documents how it counts characters; this is the careful reading: UTF-16 code units as
/// JavaScript clients count them, or UTF-8 bytes once any character lies beyond the basic plane.
///
/// Sizes add up: the size of two texts joined is the sum of their sizes, whichever way each of them counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    utf16: usize,
    utf8: usize,
    beyond_basic_plane: bool,
}

impl Size {
    pub(crate) fn of(text: &str) -> Self {
        let utf8 = text.len();
        if text.is_ascii() {
            return Self {
                utf16: utf8,
                utf8,
                beyond_basic_plane: false,
            };
        }
        Self {
            utf16: text.chars().map(char::len_utf16).sum(),
            utf8,
            // Only characters beyond the basic plane take four bytes, and their first byte tells.
            beyond_basic_plane: text.bytes().any(|byte| byte >= 0xF0),
        }
    }

    /// What counts against a limit.
    pub(crate) const fn units(self) -> usize {
        if self.beyond_basic_plane {
            self.utf8
        } else {
            self.utf16
        }
    }
}

impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            utf16: self.utf16 + other.utf16,
            utf8: self.utf8 + other.utf8,
            beyond_basic_plane: self.beyond_basic_plane || other.beyond_basic_plane,
        }
    }
}

impl AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), Add::add)
    }
}

/// The size of a text in the units of [`Size`].
pub(crate) fn units(text: &str) -> usize {
    Size::of(text).units()
}

/// What stands where text was cut.
pub(crate) const ELLIPSIS: char = '…';

/// A text as it is written, and how much of its source that shows.
#[derive(Debug)]
pub(crate) struct Fitted {
    pub(crate) text: String,
    /// Characters of the source that are shown, where some are not.
    pub(crate) cut_to: Option<usize>,
}

impl Fitted {
    /// Adds an entry to the list of what did not fit, if the source was cut.
    pub(crate) fn note(&self, field: &impl ToString, source: &str, trimmed: &mut Vec<Trim>) {
        if let Some(to) = self.cut_to {
            trimmed.push(Trim {
                field: field.to_string(),
                from: source.chars().count(),
                to,
            });
        }
    }
}

/// Writes the longest beginning of a text whose written form is at most `max` units; `write` turns source text into that
/// form. What is cut ends in an ellipsis. Nothing is promised where not even the ellipsis fits.
pub(crate) fn fit(source: &str, max: usize, write: impl Fn(&str) -> String) -> Fitted {
    let text = write(source);
    let mut size = units(&text);
    if size <= max {
        return Fitted { text, cut_to: None };
    }
    let mut shown = source.chars().count();
    loop {
        // The written form is about as much too long as the source is.
        shown = (shown * max / size.max(1)).min(shown.saturating_sub(1));
        let kept = head(source, shown);
        shown = kept.chars().count();
        let text = write(&format!("{kept}{ELLIPSIS}"));
        size = units(&text);
        if size <= max || shown == 0 {
            return Fitted {
                text,
                cut_to: Some(shown),
            };
        }
    }
}

/// A text as it stands, cut to `max` units.
pub(crate) fn cut(source: &str, max: usize) -> Fitted {
    fit(source, max, str::to_owned)
}

/// The first characters of a text, at most `chars_max`, none of what people see as one character left half. It does not
/// end in white space.
pub(crate) fn head(text: &str, chars_max: usize) -> &str {
    let mut end = 0;
    let mut chars = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        chars += grapheme.chars().count();
        if chars > chars_max {
            break;
        }
        end = at + grapheme.len();
    }
    text.get(..end).unwrap_or_default().trim_end()
}

/// The last characters of a text, at most `chars_max`, none of what people see as one character left half. It does not
/// begin with white space.
pub(crate) fn tail(text: &str, chars_max: usize) -> &str {
    let mut begin = text.len();
    let mut chars = 0;
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        chars += grapheme.chars().count();
        if chars > chars_max {
            break;
        }
        begin = at;
    }
    text.get(begin..).unwrap_or_default().trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_graphemes_with_an_ellipsis() {
        assert_eq!(cut("abcdef", 5).text, "abcd…");
        assert_eq!(cut("abc", 3).text, "abc");
        let family = "👩‍👩‍👧";
        assert_eq!(
            cut(&family.repeat(3), family.len() + 5).text,
            format!("{family}…")
        );
        assert_eq!(head("e\u{301}e\u{301}e\u{301}", 5), "e\u{301}e\u{301}");
        assert_eq!(tail("e\u{301}e\u{301}e\u{301}", 5), "e\u{301}e\u{301}");
    }

    #[test]
    fn what_is_written_longer_than_it_is_typed_is_cut_by_its_written_form() {
        let escape = |text: &str| text.replace('&', "&amp;");
        let fitted = fit("a&&&&&b", 13, escape);
        assert_eq!(
            (fitted.text.as_str(), fitted.cut_to),
            ("a&amp;&amp;…", Some(3))
        );
    }

    #[test]
    fn sizes_add_up_whichever_way_each_part_counts() {
        for (one, other) in [("abc", "漢字"), ("漢字", "🔥"), ("🔥", "🔥"), ("", "x")] {
            assert_eq!(
                Size::of(one) + Size::of(other),
                Size::of(&format!("{one}{other}"))
            );
        }
        assert_eq!(units("漢🔥"), 7);
    }
}
