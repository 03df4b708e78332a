//! A description in Teams: one block of text runs a line, which every client draws alike; line breaks inside a block are
//! not.

use alert_connectors_model::{Alert, Link};

use super::{
    card::{Element, TextRun},
    text::{NO_BREAK_SPACE, runs, with_visible_spaces},
    weight::weight,
};
use crate::{
    description,
    rich::{Line, LineKind, Look, Run},
    shorten::{Budget, LeftOut},
    truncate::Trim,
};

/// What a block weighs beside its runs, and a run beside its text.
const BLOCK_WEIGHT: usize = 62;
const RUN_WEIGHT: usize = 44;
/// What a link adds to a run beside its target.
const LINK_WEIGHT: usize = 60;

/// The blocks of an alert's description, which weigh at most `weight_max`.
pub(super) fn blocks(
    alert: &Alert,
    weight_max: usize,
    trimmed: &mut Vec<Trim>,
    body: &mut Vec<Element>,
) {
    let Some(source) = description::source(alert) else {
        return;
    };
    let budget = Budget {
        max: weight_max,
        per_line: BLOCK_WEIGHT,
        run: &run_weight,
    };
    let lines = description::lines(&source, alert.description_format);
    let shortened = budget.shorten(lines);
    if let Some(LeftOut { from, to }) = shortened.left_out {
        trimmed.push(Trim {
            field: "description".to_owned(),
            from,
            to,
        });
    }
    lines_of(&shortened.lines, body);
}

/// Lines as blocks below each other.
pub(super) fn lines_of(lines: &[Line<'_>], body: &mut Vec<Element>) {
    for (position, line) in lines.iter().enumerate() {
        let inlines = line_runs(line);
        body.push(match position {
            0 => Element::rich(inlines),
            _ => Element::next_line(inlines),
        });
    }
}

/// The runs of a line; a blank line must hold something to be seen.
pub(super) fn line_runs(line: &Line<'_>) -> Vec<TextRun> {
    let mut column = 0;
    let mut all: Vec<TextRun> = Vec::new();
    for run in &line.runs {
        let text = with_visible_spaces(&run.text, &mut column);
        let code = run.look.code || line.kind == LineKind::Code;
        let look = Look { code, ..run.look };
        all.extend(runs(&text, |text| {
            TextRun::styled(text, look, run.link.as_ref())
        }));
        if let Some(target) = shown_target(run) {
            all.extend(runs(&target, TextRun::plain));
        }
    }
    if line.is_blank() {
        all = vec![TextRun::plain(NO_BREAK_SPACE.to_string())];
    }
    all
}

/// Where a labelled link leads, since not every client lets runs be clicked.
fn shown_target(run: &Run<'_>) -> Option<String> {
    let link = run.link.as_ref()?;
    let is_its_own_label = Link::parse(&run.text).is_ok_and(|label| label == *link);
    (!is_its_own_label).then(|| format!(" ({})", link.as_str()))
}

/// What a run weighs in the card; its tabs may become eight spaces each, and its tokens are torn apart.
fn run_weight(run: &Run<'_>) -> usize {
    let tabs = run.text.matches('\t').count();
    let spaces = run.text.matches("  ").count() * 2 + usize::from(run.text.starts_with(' '));
    let tokens = run.text.matches(['<', '{']).count();
    let link = run
        .link
        .as_ref()
        .map_or(0, |link| 2 * link.as_str().len() + LINK_WEIGHT + RUN_WEIGHT);
    weight(&run.text) + RUN_WEIGHT + 6 * (8 * tabs + spaces) + tokens * RUN_WEIGHT + link
}
