//! `bench`: builds the release server and measures what an alert costs.

use crate::run::{cargo, program, root};

/// Alerts in each phase of a round, if nothing is said.
const ALERTS: &str = "32000";

pub(crate) fn run(rest: &[&str]) -> anyhow::Result<()> {
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
    program(
        &path("alert-connectors-bench"),
        &[
            &path("alert-connectors"),
            rest.first().copied().unwrap_or(ALERTS),
        ],
    )
}
