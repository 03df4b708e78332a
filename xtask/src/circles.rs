//! Files of a crate that use each other in a circle: none can be understood, or tested, without the others.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use regex::Regex;

/// A module by its path within its crate; the crate's root is empty.
type Module = Vec<String>;

/// The files of each crate, and what they use.
#[derive(Default)]
pub(crate) struct Uses(BTreeMap<String, BTreeMap<Module, String>>);

impl Uses {
    /// Adds a source file of a crate. Tests may use whatever they test.
    pub(crate) fn add(&mut self, path: &str, text: &str) {
        let Some((member, file)) = path.split_once("/src/") else {
            return;
        };
        let mut module: Module = file
            .trim_end_matches(".rs")
            .split('/')
            .map(str::to_owned)
            .collect();
        if module
            .last()
            .is_some_and(|last| last == "mod" || last == "lib")
        {
            module.pop();
        }
        if !module.iter().any(|part| part == "tests") {
            let files = self.0.entry(member.to_owned()).or_default();
            files.insert(module, without_tests(text));
        }
    }

    /// Each circle, as a sentence.
    pub(crate) fn circles(&self) -> anyhow::Result<Vec<String>> {
        let imports = Regex::new(r"(?-u:\b)use[ \n]+((?:crate|super|self)(?-u:\b)[^;]*);")
            .context("a pattern")?;
        let inline =
            Regex::new(r"(?-u:\b)(?:crate|super|self)(?:::[A-Za-z0-9_]+)+").context("a pattern")?;
        let mut found = Vec::new();
        for (member, files) in &self.0 {
            let mut graph: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
            for (module, text) in files {
                let trees = imports.captures_iter(text).filter_map(|found| found.get(1));
                let mut paths = Vec::new();
                for tree in trees {
                    expand(&[], tree.as_str(), &mut paths);
                }
                let rest = imports.replace_all(text, "");
                paths.extend(inline.find_iter(&rest).map(|path| words(path.as_str())));
                let used = paths.iter().filter_map(|path| target(module, path, files));
                graph.insert(module, used.collect());
            }
            found.extend(circles_of(&graph).into_iter().map(|circle| {
                let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
                format!(
                    "{member}: these use each other in a circle: {}",
                    names.join(", ")
                )
            }));
        }
        Ok(found)
    }
}

/// The text without comments and test modules, whose braces are balanced.
fn without_tests(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let text = lines.collect::<Vec<_>>().join("\n");
    match text.split_once("#[cfg(test)]\nmod tests") {
        // They stand at the end of a file.
        Some((before, _)) => before.to_owned(),
        None => text,
    }
}

fn words(path: &str) -> Module {
    path.split("::")
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

/// The paths of a tree such as `crate::{a::B, c::{D, E as F}}`.
fn expand(prefix: &[String], tree: &str, paths: &mut Vec<Module>) {
    let tree = tree.trim();
    let Some((head, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree);
        let whole = [prefix, &words(path)].concat();
        if whole.len() > prefix.len() {
            paths.push(whole);
        }
        return;
    };
    let prefix = [prefix, &words(head)].concat();
    let inner = inner.trim_end().trim_end_matches('}');
    let (mut depth, mut begin) = (0, 0);
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, inner.get(begin..at).unwrap_or_default(), paths);
                begin = at + 1;
            }
            _ => {}
        }
    }
    expand(&prefix, inner.get(begin..).unwrap_or_default(), paths);
}

/// The module that a path within its crate leads to. What the root names is nobody's.
fn target<'f>(
    from: &Module,
    path: &[String],
    files: &'f BTreeMap<Module, String>,
) -> Option<&'f Module> {
    let (first, mut rest) = path.split_first()?;
    let mut whole = match first.as_str() {
        "crate" => Module::new(),
        "self" => from.clone(),
        _ => from.get(..from.len().checked_sub(1)?)?.to_vec(),
    };
    while let Some((word, after)) = rest.split_first()
        && word == "super"
    {
        whole.pop();
        rest = after;
    }
    whole.extend_from_slice(rest);
    while !whole.is_empty() {
        if let Some((module, _)) = files.get_key_value(&whole) {
            return (module != from).then_some(module);
        }
        whole.pop();
    }
    None
}

/// Groups of modules of which each leads to every other.
fn circles_of<'m>(graph: &BTreeMap<&'m Module, BTreeSet<&'m Module>>) -> Vec<Vec<&'m Module>> {
    let reached: BTreeMap<_, _> = graph
        .keys()
        .map(|from| (*from, reach(graph, from)))
        .collect();
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for (from, to) in &reached {
        let together = |other: &&&Module| {
            reached
                .get(**other)
                .is_some_and(|back| back.contains(*from))
        };
        let circle: Vec<&Module> = to.iter().filter(together).copied().collect();
        if circle.len() > 1 && seen.insert(circle.clone()) {
            circles.push(circle);
        }
    }
    circles
}

fn reach<'m>(
    graph: &BTreeMap<&'m Module, BTreeSet<&'m Module>>,
    from: &'m Module,
) -> BTreeSet<&'m Module> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(at) = open.pop() {
        for next in graph.get(at).into_iter().flatten() {
            if found.insert(*next) {
                open.push(next);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found_through_trees_and_parents_and_tests_are_left_out() {
        let mut uses = Uses::default();
        uses.add("crates/a/src/lib.rs", "mod one; mod two; mod three;");
        uses.add(
            "crates/a/src/one.rs",
            "use crate::{two::{Thing, Other as O}, three};",
        );
        uses.add(
            "crates/a/src/two/mod.rs",
            "fn f() { super::one::g() } // crate::three",
        );
        uses.add(
            "crates/a/src/three.rs",
            "fn h() {}\n#[cfg(test)]\nmod tests { use crate::one; }",
        );
        assert_eq!(
            uses.circles().unwrap(),
            ["crates/a: these use each other in a circle: one, two"]
        );
    }
}
