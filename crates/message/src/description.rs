//! A description as rich text, whether it came as plain text or as Markdown.

use std::borrow::Cow;

use alert_connectors_model::{Alert, DescriptionFormat};

use crate::{
    markdown,
    rich::{Line, LineKind},
    text::clean,
};

/// The cleaned description of an alert.
pub(crate) fn source(alert: &Alert) -> Option<Cow<'_, str>> {
    let source = clean(alert.description.as_deref()?);
    (!source.trim().is_empty()).then_some(source)
}

/// The lines of a cleaned description, without blank ones at its ends.
pub(crate) fn lines(source: &str, format: DescriptionFormat) -> Vec<Line<'_>> {
    let mut lines = match format {
        DescriptionFormat::Plain => source.split('\n').map(plain_line).collect(),
        DescriptionFormat::Markdown => markdown::parse(source),
    };
    let end = lines.iter().rposition(|line: &Line<'_>| !line.is_blank());
    lines.truncate(end.map_or(0, |at| at + 1));
    let begin = lines.iter().position(|line| !line.is_blank());
    lines.drain(..begin.unwrap_or_default());
    lines
}

fn plain_line(line: &str) -> Line<'_> {
    Line::with_links(LineKind::of(line), line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_go_at_the_ends_and_stay_between() {
        let lines = lines("\n \n  a\n\n\tb \nc\td\n\n", DescriptionFormat::Plain);
        let shape: Vec<_> = lines
            .iter()
            .map(|line| {
                let text: String = line.runs.iter().map(|run| run.text.as_ref()).collect();
                (line.kind, text)
            })
            .collect();
        let text = |text: &str| (LineKind::Text, text.to_owned());
        assert_eq!(
            shape,
            [
                text("  a"),
                text(""),
                text("\tb "),
                (LineKind::Code, "c\td".to_owned())
            ]
        );
    }
}
