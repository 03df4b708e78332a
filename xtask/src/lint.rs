//! `lint`: what a reviewer should not have to say.

use crate::{
    run::{cargo, cargo_with, ensure, program},
    tidy,
};

pub(crate) fn run() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&[
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ])?;
    cargo_with(
        &[
            "doc",
            "--locked",
            "--workspace",
            "--all-features",
            "--no-deps",
            "--quiet",
        ],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )?;
    ensure("cargo-deny", &["cargo", "deny", "--version"], "0.20.2")?;
    // Advisories need a database from elsewhere, so they are a job of their own: `cargo deny check advisories`.
    cargo(&[
        "deny",
        "--all-features",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ])?;
    ensure("typos-cli", &["typos", "--version"], "1.52.0")?;
    program("typos", &[])?;
    tidy::run()
}
