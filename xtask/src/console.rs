//! The console: its packages, its build, and its tests in a real browser.

use std::{fs, path::PathBuf, process::Command};

use alert_connectors_cluster::TestDatabase;
use anyhow::{Context, bail};

use crate::run::{debian_program, root, talk};

fn folder() -> PathBuf {
    root().join("console")
}

/// Builds the console into `console/dist`.
pub(crate) fn build() -> anyhow::Result<()> {
    install()?;
    talk(format_args!("building the console"));
    for config in ["vite.config.ts", "vite.inbox.config.ts"] {
        let arguments = ["build", "--config", config, "--logLevel", "warn"];
        node_tool("vite", &arguments, &[])?;
    }
    Ok(())
}

/// Builds the console where Node is there. Without it the program serves a page that says how to get one.
pub(crate) fn build_if_possible() -> anyhow::Result<()> {
    let node = Command::new("npm").arg("--version").output();
    if node.is_ok_and(|output| output.status.success()) {
        return build();
    }
    talk(format_args!(
        "Node is not installed, so this program has no console"
    ));
    Ok(())
}

/// Checks that the client is the one of openapi.json, checks the types, and runs every test of the console, on SQLite and on a
/// PostgreSQL server. The program has to be built, with the console inside.
pub(crate) fn test(postgres: &str) -> anyhow::Result<()> {
    talk(format_args!("testing the console"));
    client_is_fresh()?;
    node_tool("tsc", &["--noEmit"], &[])?;
    let program = root().join("target/debug/alert-connectors");
    let (program, chromium) = (program.display().to_string(), chromium()?);
    let database = TestDatabase::on(postgres)?;
    let database = database.url();
    let variables = [
        ("CONSOLE_DATABASE_URL", database.as_str()),
        ("ALERT_CONNECTORS", program.as_str()),
        ("CHROMIUM", chromium.as_str()),
    ];
    node_tool("vitest", &["run"], &variables)
}

/// Installs the packages that the lock file names, unless they are those that are installed.
fn install() -> anyhow::Result<()> {
    let (lock, stamp) = (
        folder().join("package-lock.json"),
        folder().join("node_modules/.installed-lock.json"),
    );
    let wanted = fs::read_to_string(&lock).with_context(|| lock.display().to_string())?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    talk(format_args!("installing the console's packages"));
    let status = Command::new("npm")
        .args(["ci", "--no-fund", "--no-audit", "--silent"])
        .current_dir(folder())
        .status();
    if !status
        .context("npm can't be started; install Node")?
        .success()
    {
        bail!("npm ci failed in {}", folder().display());
    }
    Ok(fs::write(stamp, wanted)?)
}

/// Fails if the client that is checked in is not what openapi.json gives.
fn client_is_fresh() -> anyhow::Result<()> {
    let fresh = root().join("target/console-client");
    let output = fresh.display().to_string();
    node_tool("openapi-ts", &["--silent", "--output", &output], &[])?;
    let stale = Command::new("diff")
        .args(["--recursive", "--brief", &output, "src/api/generated"])
        .current_dir(folder())
        .output()?;
    if !stale.status.success() {
        bail!(
            "the console's client is not that of openapi.json; run `npm run generate` in the folder console\n{}",
            String::from_utf8_lossy(&stale.stdout)
        );
    }
    Ok(())
}

fn chromium() -> anyhow::Result<String> {
    debian_program("CHROMIUM", "/usr/bin/chromium", "chromium")
}

/// Runs a program of the console's packages.
fn node_tool(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<()> {
    let status = Command::new(folder().join("node_modules/.bin").join(name))
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(folder())
        .status();
    let status = status.with_context(|| format!("{name} can't be started"))?;
    if !status.success() {
        bail!("{name} {} failed", arguments.join(" "));
    }
    Ok(())
}
