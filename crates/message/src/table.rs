//! Tables of Markdown, drawn as aligned text, since neither platform draws them.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

use crate::{inline::runs, rich::Line};

/// A table, its cells without their marks.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// Which columns hold their text at the right.
    right: Vec<bool>,
}

/// Wider columns are not padded: nothing on a phone is that wide.
const COLUMN_WIDTH_MAX: usize = 40;

/// The table that begins with this line, if the next one is the rule below a head.
pub(crate) fn read(head: &str, after: &[&str]) -> Option<Table> {
    if !head.contains('|') {
        return None;
    }
    let rule = cells(after.first()?);
    let is_rule = |cell: &&str| {
        let dashes = cell.trim_start_matches(':').trim_end_matches(':');
        !dashes.is_empty() && dashes.bytes().all(|byte| byte == b'-')
    };
    let head = cells(head);
    if !rule.iter().all(is_rule) || rule.len() != head.len() {
        return None;
    }
    let right = rule
        .iter()
        .map(|cell| cell.ends_with(':') && !cell.starts_with(':'));
    let body = after.get(1..).unwrap_or_default().iter();
    let body = body
        .take_while(|line| line.contains('|'))
        .map(|line| cells(line));
    let shown = |row: Vec<&str>| row.into_iter().map(shown_cell).collect();
    Some(Table {
        right: right.collect(),
        rows: std::iter::once(head).chain(body).map(shown).collect(),
    })
}

/// The cells of a row, with the pipes at its ends or without them.
fn cells(line: &str) -> Vec<&str> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let line = line.strip_suffix('|').unwrap_or(line);
    line.split('|').map(str::trim).collect()
}

/// A cell as it is read; a link shows its target, since nothing can be clicked in aligned text.
fn shown_cell(cell: &str) -> String {
    let mut text = String::new();
    for run in runs(cell) {
        text.push_str(&run.text);
        if let Some(link) = run.link.filter(|link| link.as_str() != run.text) {
            text.push_str(&format!(" ({})", link.as_str()));
        }
    }
    text
}

impl Table {
    /// How many lines of the source it takes beside its head.
    pub(crate) fn lines_after_head(&self) -> usize {
        self.rows.len()
    }

    /// The rows with their columns below each other, and a rule below the head.
    pub(crate) fn drawn<'t>(&self) -> Vec<Line<'t>> {
        let widths = self.widths();
        let mut lines: Vec<_> = self.rows.iter().map(|row| self.row(row, &widths)).collect();
        let rule: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
        lines.insert(1.min(lines.len()), rule.join("  "));
        lines
            .into_iter()
            .map(|line| Line::code(Cow::Owned(line)))
            .collect()
    }

    fn widths(&self) -> Vec<usize> {
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            let widest = cells.map(|cell| cell.width()).max();
            widest.unwrap_or_default().clamp(1, COLUMN_WIDTH_MAX)
        };
        (0..self.right.len()).map(width).collect()
    }

    fn row(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let width = widths.get(at).copied().unwrap_or_default();
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            let is_right = self.right.get(at).copied().unwrap_or_default();
            let (before, after) = if is_right {
                (padding.as_str(), "")
            } else {
                ("", padding.as_str())
            };
            line.push_str(&format!("{before}{cell}{after}  "));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let source = [
            "|:--|--:|",
            "| orders | 12 |",
            "| **顧客** | 1,204 |",
            "after",
        ];
        let table = read("| Table | Rows |", &source).unwrap();
        let lines: Vec<String> = table
            .drawn()
            .iter()
            .map(|line| line.runs.iter().map(|run| run.text.as_ref()).collect())
            .collect();
        assert_eq!(
            lines,
            [
                "Table    Rows",
                "------  -----",
                "orders     12",
                "顧客    1,204"
            ]
        );
        assert_eq!(table.lines_after_head(), 3);
    }

    #[test]
    fn a_pipe_alone_makes_no_table() {
        assert!(read("a | b", &["c | d"]).is_none());
        assert!(read("a | b", &["---"]).is_none());
        assert!(read("a | b", &[]).is_none());
    }
}
