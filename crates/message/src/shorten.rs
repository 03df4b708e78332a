//! Leaving out the middle of a long description: logs and tracebacks have their cause in the last lines.

use std::borrow::Cow;

use crate::{
    rich::{Line, LineKind, Run},
    truncate::{head, tail},
};

/// How much of a description there is room for, and what its lines cost of that.
pub(crate) struct Budget<'c> {
    /// The cost of all lines together is at most this.
    pub(crate) max: usize,
    /// What each line costs beside its text.
    pub(crate) per_line: usize,
    /// What a run costs.
    pub(crate) run: &'c dyn Fn(&Run<'_>) -> usize,
}

/// A description that fits.
pub(crate) struct Shortened<'t> {
    pub(crate) lines: Vec<Line<'t>>,
    /// The characters that it had and those that are shown, if some are left out.
    pub(crate) left_out: Option<LeftOut>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// No description that is posted has more characters: a batch is limited to 16 MiB.
const BODY_CHARS_MAX: usize = 16 * 1_024 * 1_024;
/// Room for the line that says what was left out.
const NOTICE_COST: usize = 60;

impl Budget<'_> {
    fn line(&self, line: &Line<'_>) -> usize {
        self.per_line + line.runs.iter().map(self.run).sum::<usize>()
    }

    /// The lines as they are if they fit; otherwise as much of the beginning as of the end, cut between lines where that
    /// wastes little, and between them a line that says how many characters are left out.
    pub(crate) fn shorten<'t>(&self, mut lines: Vec<Line<'t>>) -> Shortened<'t> {
        let cost: usize = lines.iter().map(|line| self.line(line)).sum();
        if cost <= self.max {
            return Shortened {
                lines,
                left_out: None,
            };
        }
        let from = chars(&lines);
        let half = self.max.saturating_sub(NOTICE_COST + self.per_line) / 2;
        let (mut beginning, whole) = self.end(lines.iter(), half, End::Head);
        // The line of which only the beginning is shown may show its end as well: both together are shorter than it is.
        let rest = lines.get(whole..).unwrap_or_default();
        let (ending, whole_at_end) = self.end(rest.iter().rev(), half, End::Tail);
        let middle = rest.get(..rest.len() - whole_at_end).unwrap_or_default();
        let earlier = middle.iter().map(left_out_before).max().unwrap_or_default();
        let to = chars(&beginning) + chars(&ending) + usize::from(!ending.is_empty());
        beginning.push(notice(from.saturating_sub(to).saturating_add(earlier)));
        beginning.extend(ending.into_iter().rev());
        lines = beginning;
        Shortened {
            lines,
            left_out: Some(LeftOut { from, to }),
        }
    }

    /// The lines from one end that fit into `room`, the one nearest to that end first, and how many of them are whole:
    /// all, or all but the last.
    fn end<'l, 't: 'l>(
        &self,
        lines: impl Iterator<Item = &'l Line<'t>>,
        room: usize,
        end: End,
    ) -> (Vec<Line<'t>>, usize) {
        let (mut kept, mut left) = (Vec::new(), room);
        for line in lines {
            let cost = self.line(line);
            if cost <= left {
                left -= cost;
                kept.push(line.clone());
                continue;
            }
            let whole = kept.len();
            // Part of a line is worth showing only where much of the room would otherwise be empty.
            if left > room / 4 {
                kept.extend(self.part(line, left, end));
            }
            return (kept, whole);
        }
        let whole = kept.len();
        (kept, whole)
    }

    /// As much of one end of a line as there is room for.
    fn part<'t>(&self, line: &Line<'t>, room: usize, end: End) -> Option<Line<'t>> {
        let mut left = room.checked_sub(self.per_line)?;
        let mut runs: Vec<Run<'t>> = Vec::new();
        let mut take = |run: &Run<'t>| {
            let cost = (self.run)(run);
            if cost <= left {
                left -= cost;
                runs.push(run.clone());
                return true;
            }
            let chars = run.text.chars().count() * left / cost.max(1);
            let text = match (&run.text, end) {
                (Cow::Borrowed(text), End::Head) => Cow::Borrowed(head(text, chars)),
                (Cow::Borrowed(text), End::Tail) => Cow::Borrowed(tail(text, chars)),
                (Cow::Owned(text), End::Head) => Cow::Owned(head(text, chars).to_owned()),
                (Cow::Owned(text), End::Tail) => Cow::Owned(tail(text, chars).to_owned()),
            };
            // Half a URL leads nowhere.
            if !text.is_empty() && run.link.is_none() {
                runs.push(Run {
                    text,
                    look: run.look,
                    link: None,
                });
            }
            false
        };
        match end {
            End::Head => line.runs.iter().all(&mut take),
            End::Tail => line.runs.iter().rev().all(&mut take),
        };
        if end == End::Tail {
            runs.reverse();
        }
        (!runs.is_empty()).then_some(Line {
            kind: line.kind,
            runs,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Head,
    Tail,
}

/// The characters of lines, with the breaks between them.
fn chars(lines: &[Line<'_>]) -> usize {
    lines.iter().map(Line::chars).sum::<usize>() + lines.len().saturating_sub(1)
}

fn notice<'t>(left_out: usize) -> Line<'t> {
    let run = Run {
        text: Cow::Owned(alert_connectors_model::left_out_notice(left_out)),
        ..Run::default()
    };
    Line {
        kind: LineKind::Text,
        runs: vec![run],
    }
}

/// What intake left out where this line stands, beyond what the line itself has.
fn left_out_before(line: &Line<'_>) -> usize {
    let [run] = line.runs.as_slice() else {
        return 0;
    };
    let before = alert_connectors_model::left_out_by(&run.text);
    // No body is larger, so a larger number is none of intake's.
    let before = before.filter(|count| *count <= BODY_CHARS_MAX);
    before.map_or(0, |count| count.saturating_sub(run.text.chars().count()))
}
