//! What the style asks for in prose, checked: first sentences, lengths, shared lints, files without circles, an architecture that names what is there.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, bail};

use crate::{circles::Uses, run::root};

/// Past this a file has a second subject.
const LINES_MAX: usize = 500;

/// The first line of a library, whose README is its documentation.
const README: &str = r#"#![doc = include_str!("../README.md")]"#;

/// Says every fault at once.
pub(crate) fn run() -> anyhow::Result<()> {
    let files = tracked()?;
    let (mut faults, mut uses) = (Vec::new(), Uses::default());
    for path in &files {
        let text = || fs::read_to_string(root().join(path)).with_context(|| path.clone());
        let is = |ending: &str| {
            Path::new(path)
                .extension()
                .is_some_and(|found| found == ending)
        };
        if is("rs") {
            check_source(path, &text()?, &mut faults);
            uses.add(path, &text()?);
        }
        if path.ends_with("/Cargo.toml") && !text()?.contains("[lints]\nworkspace = true") {
            faults.push(format!("{path}: it does not inherit the workspace's lints"));
        }
    }
    faults.extend(uses.circles()?);
    check_documents(&files, &mut faults)?;
    if !faults.is_empty() {
        bail!("not tidy:\n  {}", faults.join("\n  "));
    }
    Ok(())
}

fn tracked() -> anyhow::Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output()
        .context("git")?;
    Ok(String::from_utf8(output.stdout)?
        .lines()
        .map(str::to_owned)
        .collect())
}

fn check_source(path: &str, text: &str, faults: &mut Vec<String>) {
    let first = text.lines().next().unwrap_or_default();
    if !first.starts_with("//! ") && first != README {
        faults.push(format!(
            "{path}: it does not open with a sentence that says what it is for"
        ));
    }
    let count = text.lines().count();
    if count > LINES_MAX {
        faults.push(format!(
            "{path}: it has {count} lines, more than {LINES_MAX}"
        ));
    }
    for word in ["todo!(", "unimplemented!(", "FIXME", "#[ignore"] {
        if text.contains(word) && !path.ends_with("tidy.rs") {
            faults.push(format!("{path}: it holds {word}"));
        }
    }
}

fn check_documents(files: &[String], faults: &mut Vec<String>) -> anyhow::Result<()> {
    let architecture =
        fs::read_to_string(root().join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    for manifest in files.iter().filter(|path| path.ends_with("/Cargo.toml")) {
        let folder = manifest.trim_end_matches("/Cargo.toml");
        if !architecture.contains(&format!("`{folder}`")) {
            faults.push(format!("ARCHITECTURE.md does not name `{folder}`"));
        }
        let readme = format!("{folder}/README.md");
        if folder.starts_with("crates/") && !files.contains(&readme) {
            faults.push(format!("{readme} is missing"));
        }
    }
    check_names(&architecture, files, faults);
    let is_document = |path: &&String| Path::new(*path).extension().is_some_and(|end| end == "md");
    for path in files.iter().filter(is_document) {
        check_paths(path, &fs::read_to_string(root().join(path))?, files, faults);
    }
    for name in [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
    ] {
        if !files.iter().any(|path| path == name) {
            faults.push(format!("{name} is missing"));
        }
    }
    Ok(())
}

/// Every path below `crates/` that a document names exists.
fn check_paths(document: &str, text: &str, files: &[String], faults: &mut Vec<String>) {
    let named = text.split('`').skip(1).step_by(2);
    for name in named.filter(|name| name.starts_with("crates/") && !name.contains('*')) {
        if !files.iter().any(|path| path.starts_with(name)) {
            faults.push(format!("{document} names `{name}`, which does not exist"));
        }
    }
}

/// Every file that the architecture names exists, and it names every file of the engine, by itself or by its folder.
fn check_names(architecture: &str, files: &[String], faults: &mut Vec<String>) {
    let named: Vec<&str> = architecture.split('`').skip(1).step_by(2).collect();
    let is_rust = |name: &str| Path::new(name).extension().is_some_and(|end| end == "rs");
    let is_path = |name: &&&str| name.starts_with("crates/") || is_rust(name);
    for name in named.iter().filter(is_path) {
        let inside = format!("/{name}");
        let exists = |path: &String| path.starts_with(*name) || path.ends_with(&inside);
        if !files.iter().any(exists) {
            faults.push(format!(
                "ARCHITECTURE.md names `{name}`, which does not exist"
            ));
        }
    }
    let engine = files.iter().filter(|path| {
        path.starts_with("crates/delivery/src/")
            && !["lib.rs", "mod.rs", "tests.rs"]
                .iter()
                .any(|end| path.ends_with(end))
    });
    for path in engine {
        let is_it = |name: &&str| {
            let inside = format!("/{name}");
            path == name
                || path.ends_with(&inside)
                || (name.ends_with('/') && path.starts_with(*name))
        };
        if !named.iter().any(is_it) {
            faults.push(format!("ARCHITECTURE.md does not name {path}"));
        }
    }
}
