//! The Python client: its style and types are checked, and its wheel is built, installed, and tested against the real program.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, ensure};

use crate::{
    python,
    run::{program, root, talk},
};

fn folder() -> PathBuf {
    root().join("clients/python")
}

/// Checks and tests the client. The program has to be built.
pub(crate) fn test() -> anyhow::Result<()> {
    talk(format_args!("testing the Python client"));
    let programs = python::programs("client")?;
    let tool = |name: &str| programs.join(name).display().to_string();
    let place = folder().display().to_string();
    program(&tool("ruff"), &["check", "--quiet", "--no-cache", &place])?;
    program(
        &tool("ruff"),
        &["format", "--quiet", "--check", "--no-cache", &place],
    )?;
    let wheels = root().join("target/wheels");
    if wheels.exists() {
        fs::remove_dir_all(&wheels)?;
    }
    let out = wheels.display().to_string();
    // What builds it is in the environment, so nothing is fetched.
    let build = [
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        &out,
        &place,
    ];
    let python = tool("python");
    let making = Command::new(&python).args(build).output()?;
    let said = String::from_utf8_lossy(&making.stderr);
    ensure!(making.status.success(), "the wheel is not built: {said}");
    let wheel = fs::read_dir(&wheels)?
        .next()
        .context("there is no wheel")??;
    let wheel = wheel.path().display().to_string();
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--force-reinstall",
    ];
    program(&python, &[&install[..], &[&wheel]].concat())?;
    within(&tool("mypy"), &["--strict", "--cache-dir", "/dev/null"])?;
    within(&tool("pytest"), &["-p", "no:cacheprovider"])?;
    for (name, tests) in [
        ("great-expectations", "tests_with_great_expectations"),
        ("airflow", "tests_with_airflow"),
    ] {
        let pytest = python::programs(name)?.join("pytest").display().to_string();
        within(&pytest, &["-p", "no:cacheprovider", tests])?;
    }
    Ok(())
}

/// Runs a tool in the client's folder, with the program that the tests start.
fn within(tool: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(tool)
        .args(arguments)
        .current_dir(folder())
        .env(
            "ALERT_CONNECTORS",
            root().join("target/debug/alert-connectors"),
        )
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // Where the wheel is not installed.
        .env("PYTHONPATH", folder().join("src"))
        .env("GX_ANALYTICS_ENABLED", "False")
        .status()
        .with_context(|| tool.to_owned())?;
    ensure!(status.success(), "{tool} failed in {}", folder().display());
    Ok(())
}
