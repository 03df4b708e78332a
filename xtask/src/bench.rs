//! `bench`: builds the release server and measures what an alert costs.

use crate::run::{cargo, program, root, store};

/// What is measured if nothing is said, and how much of it.
const USUAL: [(&str, &str); 5] = [
    ("cost", "32000"),
    ("waiting", "1000000"),
    ("fair", ""),
    ("history", "1000000"),
    ("connectors", "10000"),
];

pub(crate) fn run(rest: &[&str]) -> anyhow::Result<()> {
    let (store, rest) = store(rest)?;
    let packages = [
        "--package",
        "alert-connectors",
        "--package",
        "alert-connectors-bench",
    ];
    cargo(&[&["build", "--locked", "--release"][..], &packages].concat())?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), Into::into)
        .join("release");
    let path = |name: &str| target.join(name).display().to_string();
    let (bench, server) = (path("alert-connectors-bench"), path("alert-connectors"));
    for (what, much) in USUAL {
        if rest.first().is_some_and(|wanted| *wanted != what) {
            continue;
        }
        let much = rest.get(1).copied().unwrap_or(much);
        let arguments = [server.as_str(), store, what, much];
        let given = if much.is_empty() { 3 } else { 4 };
        program(&bench, &arguments[..given])?;
    }
    Ok(())
}
