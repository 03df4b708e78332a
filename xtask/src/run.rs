//! Running other programs, and installing those that are missing.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use alert_connectors_cluster::install_package;
use anyhow::{Context, bail};

/// The root of the checkout. `cargo run` says where this package lies; what was known when it was built may be another
/// checkout, from which the target folder was copied.
pub(crate) fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    package
        .as_deref()
        .and_then(Path::parent)
        .map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// A line for people.
pub(crate) fn talk(line: std::fmt::Arguments<'_>) {
    drop(writeln!(io::stderr().lock(), "{line}"));
}

/// Runs cargo at the root of the checkout.
pub(crate) fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    program("cargo", arguments)
}

/// The same with variables set.
pub(crate) fn cargo_with(arguments: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<()> {
    program_with("cargo", arguments, variables)
}

/// Runs a program at the root of the checkout, and fails where it fails.
pub(crate) fn program(name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    program_with(name, arguments, &[])
}

fn program_with(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<()> {
    let status = Command::new(name)
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(root())
        .status();
    let status = status.with_context(|| format!("{name} can't be started"))?;
    if !status.success() {
        bail!("{name} {} failed", arguments.join(" "));
    }
    Ok(())
}

/// Reads `--store sqlite|postgres` from the beginning of arguments; SQLite if nothing is said.
pub(crate) fn store<'a, 'b>(arguments: &'a [&'b str]) -> anyhow::Result<(&'b str, &'a [&'b str])> {
    match arguments {
        ["--store", store @ ("sqlite" | "postgres"), rest @ ..] => Ok((*store, rest)),
        ["--store", ..] => bail!("--store is followed by sqlite or postgres"),
        rest => Ok(("sqlite", rest)),
    }
}

/// A program of one of Debian's packages: the one that a variable names, or the usual one, which root may install.
pub(crate) fn debian_program(variable: &str, usual: &str, package: &str) -> anyhow::Result<String> {
    if let Some(named) = env::var_os(variable) {
        return Ok(named.to_string_lossy().into_owned());
    }
    if !fs::exists(usual)? {
        talk(format_args!("installing {package}"));
        install_package(package);
    }
    if !fs::exists(usual)? {
        bail!("{package} is needed: apt-get install {package}, or name another one in {variable}");
    }
    Ok(usual.to_owned())
}

/// Installs a cargo tool from the registry, unless this version or a later one of it is there.
pub(crate) fn ensure(package: &str, program: &[&str], version: &str) -> anyhow::Result<()> {
    let (name, arguments) = program.split_first().context("a program")?;
    let there = Command::new(name)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success());
    if there {
        return Ok(());
    }
    talk(format_args!("installing {package} {version}"));
    cargo(&[
        "install",
        "--locked",
        "--quiet",
        "--version",
        version,
        package,
    ])
}
