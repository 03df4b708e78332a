//! `torture`: builds the release server and lets it live through what must not lose an alert.

use crate::run::{cargo, program, root};

/// What is run if nothing is said, with how many rounds.
const USUAL: [(&str, &str); 4] = [
    ("kill", "200"),
    ("disk", "5"),
    ("faults", "5"),
    ("clock", "30"),
];

pub(crate) fn run(rest: &[&str]) -> anyhow::Result<()> {
    let packages = [
        "--package",
        "alert-connectors",
        "--package",
        "alert-connectors-torture",
    ];
    cargo(&[&["build", "--locked", "--release"][..], &packages].concat())?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), Into::into)
        .join("release");
    let path = |name: &str| target.join(name).display().to_string();
    let (torture, server) = (path("alert-connectors-torture"), path("alert-connectors"));
    for (scenario, rounds) in USUAL {
        if rest.first().is_some_and(|wanted| *wanted != scenario) {
            continue;
        }
        let rounds = rest.get(1).copied().unwrap_or(rounds);
        program(&torture, &[&server, scenario, rounds])?;
    }
    Ok(())
}
