//! What operators install: checks of the files in `deploy` and of the Dockerfile, and packages of a release.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, bail};

use crate::{
    console, python,
    run::{cargo, debian_program, ensure, program, root, talk},
};

/// A stripped program may have this many bytes.
const PROGRAM_BYTES_MAX: u64 = 20_000_000;

/// Holds the files to the tools of those who read them. Nothing is started, and nothing is fetched but the tools.
pub(crate) fn check() -> anyhow::Result<()> {
    talk(format_args!("checking the files for operators"));
    let programs = python::programs("deploy")?;
    let tool = |name: &str| programs.join(name).display().to_string();
    program(&tool("hadolint"), &["Dockerfile"])?;
    let manifests = "deploy/kubernetes/alert-connectors.yaml";
    program(
        &tool("kubernetes-validate"),
        &["--strict", "--quiet", manifests],
    )?;
    let schema = ["--builtin-schema", "vendor.compose-spec"];
    let compose = "deploy/compose/compose.yaml";
    program(
        &tool("check-jsonschema"),
        &[&schema[..], &["--quiet", compose]].concat(),
    )?;
    let promtool = debian_program("PROMTOOL", "/usr/bin/promtool", "prometheus")?;
    let config = "deploy/compose/prometheus.yml";
    program(&promtool, &["check", "config", "--syntax-only", config])?;
    // In tenths: an exposure of 2.0 at most, of 10.
    let analyze = debian_program("SYSTEMD_ANALYZE", "/usr/bin/systemd-analyze", "systemd")?;
    let unit = "deploy/systemd/alert-connectors.service";
    let arguments = [
        "security",
        "--offline=true",
        "--threshold=20",
        "--no-pager",
        unit,
    ];
    let output = Command::new(analyze)
        .args(arguments)
        .current_dir(root())
        .output()?;
    if !output.status.success() {
        bail!(
            "{unit} is exposed: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    Ok(())
}

/// Builds a release and makes packages of it in `target/packages`: the stripped program with its debug information apart, a
/// Debian package, and a list of what is inside.
pub(crate) fn package() -> anyhow::Result<()> {
    console::build()?;
    cargo(&[
        "build",
        "--release",
        "--locked",
        "--package",
        "alert-connectors",
    ])?;
    let packages = root().join("target/packages");
    fs::create_dir_all(&packages)?;
    strip(&packages)?;
    manual(&packages)?;
    ensure("cargo-deb", &["cargo", "deb", "--version"], "3.8.0")?;
    let output = packages.display().to_string();
    let options = ["--no-build", "--no-strip", "--locked", "--output", &output];
    cargo(&[&["deb", "--package", "alert-connectors"][..], &options].concat())?;
    bill_of_materials(&packages)?;
    talk(format_args!("the packages are in {output}"));
    Ok(())
}

/// Takes the debug information out of the program, into a file that debuggers find beside it.
fn strip(packages: &Path) -> anyhow::Result<()> {
    let built = root().join("target/release/alert-connectors");
    let (stripped, debug) = (
        packages.join("alert-connectors"),
        packages.join("alert-connectors.debug"),
    );
    let path = |path: &Path| path.display().to_string();
    let (built, from, to) = (path(&built), path(&debug), path(&stripped));
    program("objcopy", &["--only-keep-debug", &built, &from])?;
    program("objcopy", &["--strip-all", &built, &to])?;
    program("objcopy", &[&format!("--add-gnu-debuglink={from}"), &to])?;
    let size = fs::metadata(&stripped)?.len();
    if size > PROGRAM_BYTES_MAX {
        bail!("the stripped program has {size} bytes, which is more than {PROGRAM_BYTES_MAX}");
    }
    talk(format_args!("the stripped program has {size} bytes"));
    Ok(())
}

/// The manual's pages and the completions, as the program itself writes them.
fn manual(packages: &Path) -> anyhow::Result<()> {
    let built = packages.join("alert-connectors").display().to_string();
    let pages = packages.join("man");
    program(&built, &["man", &pages.display().to_string()])?;
    for shell in ["bash", "zsh", "fish"] {
        let output = Command::new(&built).args(["completions", shell]).output()?;
        fs::write(packages.join(format!("completions.{shell}")), output.stdout)?;
    }
    Ok(())
}

/// What is inside, with versions and licences, in the format CycloneDX.
fn bill_of_materials(packages: &Path) -> anyhow::Result<()> {
    ensure(
        "cargo-cyclonedx",
        &["cargo", "cyclonedx", "--version"],
        "0.5.9",
    )?;
    let name = "alert-connectors.cdx";
    let format = ["--format", "json", "--override-filename", name, "--quiet"];
    let target = ["--target", "x86_64-unknown-linux-gnu"];
    let manifest = ["--manifest-path", "crates/alert-connectors/Cargo.toml"];
    cargo(&[&["cyclonedx"][..], &format, &target, &manifest].concat())?;
    // It writes one beside each crate's manifest; that of the program lists them all.
    let file = format!("{name}.json");
    let made = root().join("crates/alert-connectors").join(&file);
    fs::copy(&made, packages.join(&file)).with_context(|| made.display().to_string())?;
    let others = ["bench", "cluster", "examples/embedded", "torture", "xtask"];
    let mut folders: Vec<_> = others.iter().map(|folder| root().join(folder)).collect();
    for folder in fs::read_dir(root().join("crates"))? {
        folders.push(folder?.path());
    }
    for folder in folders {
        let beside = folder.join(&file);
        if beside.exists() {
            fs::remove_file(beside)?;
        }
    }
    Ok(())
}
