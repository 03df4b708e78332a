//! Tables for people.

use comfy_table::{Table, presets::NOTHING};

use super::harmless::harmless;

/// A plain table with a heading line.
pub(super) fn table<R: AsRef<[String]>>(heading: &[&str], rows: Vec<R>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(heading.to_vec());
    for row in rows {
        table.add_row(
            row.as_ref()
                .iter()
                .map(|cell| harmless(cell).replace('\n', "?")),
        );
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_steers_the_terminal() {
        let rows = vec![vec!["a\u{1B}[2Jb".to_owned(), "c\u{202E}d\ne".to_owned()]];
        let table = table(&["NAME", "OTHER"], rows);
        assert!(
            table.contains("a?[2Jb") && table.contains("c?d?e"),
            "{table}"
        );
        assert_eq!(table.lines().count(), 2);
    }
}
