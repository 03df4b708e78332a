//! A model of how a Teams client reads a card, for tests: HTML's white space, `CommonMark` where Markdown is read, and the
//! tokens that mean something anywhere.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use serde_json::Value;

/// What a reader copies of a text, and the links in it as label and target.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) text: String,
    pub(super) links: Vec<(String, String)>,
}

/// No string of a card holds a mention or a date function.
pub(super) fn assert_inert(card: &Value) {
    match card {
        Value::String(text) => {
            let lower = text.to_ascii_lowercase();
            for token in ["<at", "</at", "{{date", "{{time"] {
                assert!(!lower.contains(token), "{text:?}");
            }
        }
        Value::Array(items) => items.iter().for_each(assert_inert),
        Value::Object(fields) => fields.values().for_each(assert_inert),
        _ => {}
    }
}

/// What is copied of a block of runs. Clients draw HTML, where spaces at the beginning and behind another one vanish, and
/// copy no-break spaces as spaces.
pub(super) fn rich(block: &Value) -> Seen {
    let mut seen = Seen::default();
    let mut drawn = String::new();
    for run in block["inlines"].as_array().unwrap() {
        let text = run["text"].as_str().unwrap();
        assert!(!text.is_empty() && !text.contains(['\n', '\t']), "{text:?}");
        drawn.push_str(text);
        if let Some(url) = run["selectAction"]["url"].as_str() {
            seen.links.push((text.to_owned(), url.to_owned()));
        }
    }
    for c in drawn.chars() {
        let vanishes = c == ' ' && (seen.text.is_empty() || seen.text.ends_with(' '));
        if !vanishes {
            seen.text.push(c);
        }
    }
    seen.text = seen.text.replace('\u{A0}', "\u{20}");
    seen
}

/// What is copied of a text in which Markdown is read; it may be nothing but one paragraph with links.
pub(super) fn markdown(text: &str) -> Seen {
    let mut seen = Seen::default();
    let mut link = None;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph) => {}
            Event::Start(Tag::Link { dest_url, .. }) => link = Some((seen.text.len(), dest_url)),
            Event::End(TagEnd::Link) => {
                let (begin, target) = link.take().unwrap();
                let label = seen.text.get(begin..).unwrap().to_owned();
                seen.links.push((label, target.into_string()));
            }
            Event::Text(text) => seen.text.push_str(&text),
            other => unreachable!("{other:?} in {text:?}"),
        }
    }
    seen
}
