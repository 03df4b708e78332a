//! Lines of runs as a `rich_text` block, in which nothing is parsed.

use super::block::{Block, Inline, RichElement, Style};
use crate::rich::{Line, LineKind, Run};

/// Lines below each other, those whose columns matter as preformatted text.
pub(super) fn block(lines: &[Line<'_>]) -> Block {
    let elements = lines
        .chunk_by(|one, next| one.kind == next.kind)
        .map(element)
        .collect();
    Block::RichText { elements }
}

fn element(lines: &[Line<'_>]) -> RichElement {
    let mut elements = Vec::new();
    for (position, line) in lines.iter().enumerate() {
        if position > 0 {
            push_text(&mut elements, "\n");
        }
        for run in &line.runs {
            push(&mut elements, run);
        }
    }
    if elements.is_empty() {
        // An element without text is refused.
        elements.push(Inline::text(" "));
    }
    match lines.first().map(|line| line.kind) {
        Some(LineKind::Code) => RichElement::RichTextPreformatted { elements },
        _ => RichElement::RichTextSection { elements },
    }
}

/// Adds a run; plain text joins the plain text before it.
pub(super) fn push(elements: &mut Vec<Inline>, run: &Run<'_>) {
    let style = Style::of(run.look);
    match &run.link {
        Some(link) => elements.push(Inline::Link {
            url: link.as_str().to_owned(),
            text: run.text.clone().into_owned(),
            style,
        }),
        None if style.is_none() => push_text(elements, &run.text),
        None => elements.push(Inline::Text {
            text: run.text.clone().into_owned(),
            style,
        }),
    }
}

fn push_text(elements: &mut Vec<Inline>, more: &str) {
    match elements.last_mut() {
        Some(Inline::Text { text, style: None }) => text.push_str(more),
        _ if more.is_empty() => {}
        _ => elements.push(Inline::text(more)),
    }
}
