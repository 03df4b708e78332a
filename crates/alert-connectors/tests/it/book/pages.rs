//! The pages of the book, and the blocks in them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A block of code in a page.
#[derive(Debug)]
pub(super) struct Block {
    /// What stands behind the fence: the language, then what the test does with it.
    pub(super) info: Vec<String>,
    pub(super) text: String,
    /// The line of its fence, from 1.
    pub(super) line: usize,
}

impl Block {
    /// The language, and what else stands behind the fence.
    pub(super) fn kind(&self) -> Vec<&str> {
        self.info.iter().map(String::as_str).collect()
    }
}

/// The folder of the pages.
pub(super) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/src")
}

/// Every page that the summary names, by its path.
pub(super) fn listed() -> Vec<String> {
    links(&fs::read_to_string(source().join("SUMMARY.md")).unwrap())
}

/// The targets of the links in a page.
pub(super) fn links(page: &str) -> Vec<String> {
    let targets = page.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split(')').next());
    targets.map(ToOwned::to_owned).collect()
}

/// Every page that there is, by its path.
pub(super) fn written() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                let name = path.strip_prefix(source()).unwrap();
                found.push(name.display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// The blocks of a page, in their order.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (at, line) in page.lines().enumerate() {
        match line.trim_start().strip_prefix("```") {
            Some(_) if open => open = false,
            Some(info) => {
                open = true;
                blocks.push(Block {
                    // Highlighters take what stands before the first comma for the language.
                    info: info.split([',', ' ']).map(ToOwned::to_owned).collect(),
                    text: String::new(),
                    line: at + 1,
                });
            }
            None if open => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    assert!(!open, "a block is not closed");
    blocks
}
