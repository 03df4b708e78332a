//! Python's packages, in environments of their own that live outside the checkout.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use alert_connectors_cluster::install_package;
use anyhow::{Context, bail};

use crate::run::{root, talk};

/// The folder of an environment's programs. It is made again when its list of packages changes, which lies beside this package
/// under its name.
pub(crate) fn programs(name: &str) -> anyhow::Result<PathBuf> {
    let requirements = root().join(format!("xtask/{name}-requirements.txt"));
    let wanted = fs::read_to_string(&requirements)?;
    let environment = cache()?.join("alert-connectors").join(name);
    // Written last, so that an environment that was broken off is made again.
    let made_of = environment.join("requirements.txt");
    if fs::read_to_string(&made_of).is_ok_and(|made_of| made_of == wanted) {
        return Ok(environment.join("bin"));
    }
    talk(format_args!(
        "installing Python's packages into {}",
        environment.display()
    ));
    if environment.exists() {
        fs::remove_dir_all(&environment)?;
    }
    make(&environment)?;
    let pip = environment.join("bin/pip");
    let requirements = requirements.display().to_string();
    let arguments = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        &requirements,
    ];
    if !succeeds(&pip, &arguments) {
        bail!("pip can't install the packages that {requirements} lists");
    }
    fs::write(made_of, wanted)?;
    Ok(environment.join("bin"))
}

/// An empty environment. On Debian its maker is a package of its own, which root may install.
fn make(environment: &Path) -> anyhow::Result<()> {
    let python = Path::new("python3");
    let place = environment.display().to_string();
    let arguments = ["-m", "venv", place.as_str()];
    if succeeds(python, &arguments) {
        return Ok(());
    }
    install_package("python3-venv");
    if !succeeds(python, &arguments) {
        bail!("python3 with its module venv is needed: apt-get install python3-venv");
    }
    Ok(())
}

fn succeeds(program: &Path, arguments: &[&str]) -> bool {
    let status = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn cache() -> anyhow::Result<PathBuf> {
    let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let usual = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    named.or_else(usual).context("HOME is not set")
}
