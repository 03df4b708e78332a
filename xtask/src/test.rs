//! `test`: every test, with what they need installed if it is missing.

use std::{
    fs,
    process::{Command, Stdio},
};

use alert_connectors_cluster::{Cluster, SERVER, Setup};
use anyhow::{Context, bail};

use crate::{
    client, console, deploy, fuzz, package, python,
    run::{cargo, cargo_with, debian_program, ensure, root, talk},
    tutorial,
};

pub(crate) fn run(rest: &[&str]) -> anyhow::Result<()> {
    ensure(
        "cargo-nextest",
        &["cargo", "nextest", "--version"],
        "0.9.143",
    )?;
    if rest.is_empty() {
        // First, so that the program that is built has the console inside.
        console::build()?;
    }
    let (server, cluster) = match std::env::var_os(SERVER) {
        Some(named) => (named.to_string_lossy().into_owned(), None),
        None => {
            let cluster = Cluster::start(&Setup {
                settings: vec!["max_connections=400".to_owned()],
                ..Setup::default()
            })?;
            (cluster.url("postgres"), Some(cluster))
        }
    };
    let tests = [&["nextest", "run", "--locked", "--workspace"], rest].concat();
    // It reads templates beside it, so the program alone would not do.
    let package = "prometheus-alertmanager";
    let alertmanager = debian_program("ALERTMANAGER", "/usr/bin/prometheus-alertmanager", package)?;
    // The commands of the book use them.
    for name in ["curl", "jq"] {
        debian_program(&name.to_uppercase(), &format!("/usr/bin/{name}"), name)?;
    }
    let promtool = debian_program("PROMTOOL", "/usr/bin/promtool", "prometheus")?;
    let dbt = python::programs("dbt")?.join("dbt").display().to_string();
    let senders = python::programs("hooks")?.join("python");
    let senders = senders.display().to_string();
    cargo_with(
        &tests,
        &[
            (SERVER, &server),
            ("ALERTMANAGER", &alertmanager),
            ("PROMTOOL", &promtool),
            ("DBT", &dbt),
            ("HOOK_SENDERS", &senders),
        ],
    )?;
    if rest.is_empty() {
        cargo(&["test", "--doc", "--locked", "--workspace", "--quiet"])?;
        cards()?;
        console::test(&server)?;
        client::test()?;
        deploy::check()?;
        package::check(&root().join("target/debug/alert-connectors"))?;
        tutorial::test()?;
        fuzz::among_tests()?;
    }
    drop(cluster);
    Ok(())
}

/// Holds a sample of Teams cards to the parser of the Adaptive Cards library, which is JavaScript.
fn cards() -> anyhow::Result<()> {
    talk(format_args!(
        "checking a sample of cards with the Adaptive Cards library"
    ));
    let (source, place) = (
        root().join("crates/message/cards"),
        root().join("target/cards"),
    );
    fs::create_dir_all(&place)?;
    for name in ["package.json", "package-lock.json", "check.mjs"] {
        fs::copy(source.join(name), place.join(name)).with_context(|| name.to_owned())?;
    }
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&place);
        command
    };
    let installed = run("npm", &["ci", "--no-fund", "--no-audit", "--silent"])
        .status()
        .context("npm can't be started; install Node")?;
    if !installed.success() {
        bail!("npm ci failed");
    }
    let arguments = [
        "run",
        "--quiet",
        "--locked",
        "--package",
        "alert-connectors-message",
        "--example",
        "cards",
    ];
    let mut sample = Command::new("cargo")
        .args(arguments)
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()?;
    let cards = sample.stdout.take().context("the sample has an output")?;
    let checked = run("node", &["check.mjs"])
        .stdin(cards)
        .status()
        .context("node can't be started")?;
    if !sample.wait()?.success() || !checked.success() {
        bail!("a card is at fault");
    }
    Ok(())
}
