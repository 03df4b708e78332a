//! Texts with placeholders, such as `{{label.alertname}} in {{path.annotations.cluster}}`.

use super::lookup::{Lookup, PARTS, Path, Sent};
use crate::draft::Draft;

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(Lookup),
}

impl Template {
    /// Reads a template. What is wrong with it, if something is.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else {
                return Err("A placeholder that begins with {{ ends with }}.".to_owned());
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Placeholder(placeholder(name.trim())?));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The text. A placeholder without a value leaves nothing.
    pub(super) fn fill(&self, sent: Sent<'_, '_>, draft: &Draft<'_>) -> String {
        self.filled(sent, draft, |text, filled| filled.push_str(text))
    }

    /// The text, where values are escaped so that they stay one part of a URL.
    pub(super) fn fill_url(&self, sent: Sent<'_, '_>, draft: &Draft<'_>) -> String {
        self.filled(sent, draft, escape)
    }

    fn filled(&self, sent: Sent<'_, '_>, draft: &Draft<'_>, push: fn(&str, &mut String)) -> String {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Placeholder(lookup) => {
                    if let Some(value) = lookup.text(sent, draft) {
                        push(&value, &mut filled);
                    }
                }
            }
        }
        filled
    }
}

fn placeholder(name: &str) -> Result<Lookup, String> {
    if let Some(part) = PARTS.into_iter().find(|part| *part == name) {
        return Ok(Lookup::Part(part));
    }
    let lookup = match name.split_once('.') {
        Some(("label", label)) if !label.is_empty() => Some(Lookup::Label(label.to_owned())),
        Some(("field", field)) if !field.is_empty() => Some(Lookup::Field(field.to_owned())),
        Some(("path", path)) => Path::parse(path).map(Lookup::Path),
        Some(("body", path)) => Path::parse(path).map(Lookup::Body),
        _ => None,
    };
    lookup.ok_or_else(|| {
        format!(
            "There is no placeholder {name:?}; use label.NAME, field.NAME, path.A.B, body.A.B or one of {}.",
            PARTS.join(", ")
        )
    })
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn escape(text: &str, filled: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                filled.push(char::from(byte));
            }
            _ => {
                filled.push('%');
                for half in [byte >> 4, byte & 15] {
                    let digit = char::from_digit(u32::from(half), 16);
                    filled.extend(digit.map(|digit| digit.to_ascii_uppercase()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_judged_when_the_template_is_read() {
        for wrong in [
            "{{",
            "{{a}}",
            "{{label.}}",
            "{{path.a..b}}",
            "{{body.}}",
            "{{ nmae }}",
            "{{}}",
        ] {
            assert!(Template::parse(wrong).is_err(), "{wrong:?}");
        }
        for right in [
            "",
            "}}",
            "{",
            "{{ title }}",
            "{{body.commonLabels.team}}",
            "{{label.app.kubernetes.io/name}}!",
        ] {
            assert!(Template::parse(right).is_ok(), "{right:?}");
        }
    }

    #[test]
    fn values_stay_one_part_of_a_url() {
        let mut filled = String::new();
        escape("a b/ü&", &mut filled);
        assert_eq!(filled, "a%20b%2F%C3%BC%26");
    }
}
