//! Facts in Teams: in the table of names and values where Markdown shows every character of them, otherwise as lines of
//! text runs.

use alert_connectors_model::Alert;

use super::{
    card::{Element, Fact as Row, TextRun},
    description::{line_runs, lines_of},
    text::{in_markdown, runs, with_visible_spaces},
};
use crate::{
    rich::Line,
    text::{clean, one_line},
    truncate::{Trim, cut},
    words::{facts, more_facts},
};

/// A name is as long as the API lets it be, or as this if its characters are dear.
const NAME_UNITS_MAX: usize = 200;

/// How much of the facts is shown.
#[derive(Clone, Copy)]
pub(super) struct FactLimits {
    /// The longest value, in units.
    pub(super) value: usize,
    pub(super) facts: usize,
}

pub(super) fn elements(
    alert: &Alert,
    limits: FactLimits,
    trimmed: &mut Vec<Trim>,
    body: &mut Vec<Element>,
) {
    let mut rows = Vec::new();
    let mut left_out = 0;
    for (position, fact) in facts(alert).enumerate() {
        if position >= limits.facts {
            left_out += 1;
            continue;
        }
        let name_source = one_line(fact.name);
        let name = cut(&name_source, NAME_UNITS_MAX);
        name.note(&fact.place.name(), &name_source, trimmed);
        let name = name.text;
        let source = clean(fact.value.trim());
        let value = cut(&source, limits.value);
        value.note(&fact.place, &source, trimmed);
        match row(&name, &value.text) {
            Some(row) => rows.push(row),
            None => {
                body.extend(table(&mut rows));
                lines(&name, &value.text, body);
            }
        }
    }
    body.extend(table(&mut rows));
    if let Some(more) = more_facts(alert, left_out, trimmed) {
        body.push(Element::subtle(vec![TextRun::small(more)]));
    }
}

/// A row of the table, if both its texts can stand there.
fn row(name: &str, value: &str) -> Option<Row> {
    Some(Row {
        title: in_markdown(name)?,
        value: in_markdown(value)?,
    })
}

fn table(rows: &mut Vec<Row>) -> Option<Element> {
    let facts = std::mem::take(rows);
    (!facts.is_empty()).then_some(Element::FactSet { facts })
}

/// The name and the value on one line, or the value below the name if it has lines itself.
fn lines(name: &str, value: &str, body: &mut Vec<Element>) {
    let name = format!("{name}: ");
    let mut first = runs(&with_visible_spaces(&name, &mut 0), TextRun::bold);
    let values: Vec<_> = value.split('\n').map(Line::text).collect();
    match values.as_slice() {
        [value] => {
            first.extend(line_runs(value));
            body.push(Element::rich(first));
        }
        values => {
            body.push(Element::rich(first));
            lines_of(values, body);
        }
    }
}
