//! `test`: every test, with the runner installed if it is missing.

use crate::run::{cargo, ensure};

pub(crate) fn run(rest: &[&str]) -> anyhow::Result<()> {
    ensure(
        "cargo-nextest",
        &["cargo", "nextest", "--version"],
        "0.9.143",
    )?;
    cargo(&[&["nextest", "run", "--locked", "--workspace"], rest].concat())
}
