//! The threat model names tests that exist.

use std::{collections::BTreeSet, fs, path::Path};

/// The texts of all sources below a folder.
fn sources(folder: &Path, texts: &mut String) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        let is_made = name == "target" || name == "node_modules" || name == "dist";
        if path.is_dir() && !is_made {
            sources(&path, texts);
        } else if path
            .extension()
            .is_some_and(|end| end == "rs" || end == "ts")
        {
            texts.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The tests that a row of a table names in its last column.
fn named(row: &str) -> Vec<String> {
    let column = row.trim().trim_end_matches('|').rsplit('|').next();
    let names = column.unwrap_or_default().split(", ").map(str::trim);
    let mut found = Vec::new();
    let mut quoted = String::new();
    for name in names {
        // A name in quotes may hold a comma.
        if !quoted.is_empty() || name.starts_with('"') {
            quoted = if quoted.is_empty() {
                name.to_owned()
            } else {
                format!("{quoted}, {name}")
            };
            if quoted.ends_with('"') {
                found.push(format!("test({quoted}"));
                quoted.clear();
            }
        } else {
            found.push(format!("fn {}(", name.trim_matches('`')));
        }
    }
    found
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let model = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let table = model.split("| threat |").nth(1).unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let wanted: BTreeSet<String> = rows.flat_map(named).collect();
    assert!(wanted.len() > 30, "{wanted:?}");
    let mut texts = String::new();
    for folder in ["crates", "console/tests"] {
        sources(&root.join(folder), &mut texts);
    }
    let missing: Vec<_> = wanted
        .iter()
        .filter(|name| !texts.contains(*name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
