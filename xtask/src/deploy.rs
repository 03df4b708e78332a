//! The files for operators: those in `deploy`, and the Dockerfile, held to the tools of those who read them.

use std::process::Command;

use anyhow::bail;

use crate::{
    python,
    run::{debian_program, program, root, talk},
};

/// Checks them. Nothing is started, and nothing is fetched but the tools.
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
