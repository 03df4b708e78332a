//! Packages of the program, and the proof that the Debian package can be installed, removed and purged.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{
    console,
    run::{cargo, debian_program, ensure, program, root, talk},
};

/// A stripped program of a release may have this many bytes.
const PROGRAM_BYTES_MAX: u64 = 20_000_000;

/// Where the manifest of the Debian package finds what belongs into it.
const PACKAGES: &str = "target/packages";
/// Where packages of a release are while one is checked in their place.
const MADE_BEFORE: &str = "target/packages.made";
/// Stands beside a package that is only checked.
const CHECKED: &str = "checked";
/// The lock file, so that packages are made or checked by one process at a time.
const LOCK: &str = "target/packages.lock";

/// Builds a release and makes packages of it in `target/packages`: the stripped program with its debug information apart, a
/// Debian package, and a list of what is inside.
pub(crate) fn make() -> anyhow::Result<()> {
    console::build()?;
    cargo(&[
        "build",
        "--release",
        "--locked",
        "--package",
        "alert-connectors",
    ])?;
    let _alone = alone()?;
    let packages = root().join(PACKAGES);
    if packages.exists() {
        fs::remove_dir_all(&packages)?;
    }
    fs::create_dir_all(&packages)?;
    let size = debian(&root().join("target/release/alert-connectors"), &packages)?;
    if size > PROGRAM_BYTES_MAX {
        bail!("the stripped program has {size} bytes, which is more than {PROGRAM_BYTES_MAX}");
    }
    talk(format_args!("the stripped program has {size} bytes"));
    bill_of_materials(&packages)?;
    talk(format_args!("the packages are in {}", packages.display()));
    Ok(())
}

/// Makes a Debian package of the program that the tests run, holds it to lintian, and installs, removes and purges it in a copy of
/// this system that is gone afterwards.
pub(crate) fn check(built: &Path) -> anyhow::Result<()> {
    talk(format_args!("checking the Debian package"));
    let aside = Aside::begin()?;
    debian(built, &aside.packages)?;
    let package = found_in(&aside.packages)?.display().to_string();
    let lintian = debian_program("LINTIAN", "/usr/bin/lintian", "lintian")?;
    let strict = ["--fail-on=error,warning", "--suppress-tags-from-file"];
    let known = "deploy/debian/lintian-known";
    program(&lintian, &[&strict[..], &[known, &package]].concat())?;
    debian_program("ADDUSER", "/usr/sbin/adduser", "adduser")?;
    install(&package)
}

/// Waits until nobody else makes or checks packages, and keeps others waiting until it is dropped.
fn alone() -> anyhow::Result<fs::File> {
    let lock = fs::File::create(root().join(LOCK))?;
    lock.lock()?;
    Ok(lock)
}

/// Keeps the packages of a release while another one is checked in their place.
struct Aside {
    packages: PathBuf,
    before: PathBuf,
    _alone: fs::File,
}

impl Aside {
    fn begin() -> anyhow::Result<Self> {
        let aside = Self {
            packages: root().join(PACKAGES),
            before: root().join(MADE_BEFORE),
            _alone: alone()?,
        };
        // A check that was broken off has left its own.
        aside.end()?;
        let (own, trash) = (aside.beside("own"), aside.beside("trash"));
        for left in [&own, &trash] {
            if left.exists() {
                fs::remove_dir_all(left)?;
            }
        }
        // At each moment, whatever is in the place of packages is a release or says that it is none.
        fs::create_dir_all(&own)?;
        fs::write(own.join(CHECKED), "")?;
        if aside.packages.exists() {
            if aside.before.exists() {
                fs::remove_dir_all(&aside.before)?;
            }
            fs::rename(&aside.packages, &aside.before)?;
        }
        fs::rename(&own, &aside.packages)?;
        Ok(aside)
    }

    /// Puts the packages of a release back in the place of one that was checked.
    fn end(&self) -> std::io::Result<()> {
        let trash = self.beside("trash");
        if self.packages.join(CHECKED).exists() {
            if trash.exists() {
                fs::remove_dir_all(&trash)?;
            }
            fs::rename(&self.packages, &trash)?;
        }
        if self.before.exists() && !self.packages.exists() {
            fs::rename(&self.before, &self.packages)?;
        }
        if trash.exists() {
            fs::remove_dir_all(&trash)?;
        }
        Ok(())
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.packages.with_extension(name)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // What is not put back is by the next check.
        drop(self.end());
    }
}

/// Makes a Debian package of a program in an empty folder. Returns the size of the stripped program in bytes.
fn debian(built: &Path, packages: &Path) -> anyhow::Result<u64> {
    let size = strip(built, packages)?;
    manual(packages)?;
    changelog(packages)?;
    ensure("cargo-deb", &["cargo", "deb", "--version"], "3.8.0")?;
    let output = packages.display().to_string();
    let options = [
        "--no-build",
        "--no-strip",
        "--locked",
        "--quiet",
        "--output",
        &output,
    ];
    cargo(&[&["deb", "--package", "alert-connectors"][..], &options].concat())?;
    Ok(size)
}

fn found_in(packages: &Path) -> anyhow::Result<PathBuf> {
    for entry in fs::read_dir(packages)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            return Ok(path);
        }
    }
    bail!("there is no package in {}", packages.display())
}

/// Installs, uses, removes and purges a package. What is written on the way goes to a layer over this system, in a namespace of its own.
fn install(package: &str) -> anyhow::Result<()> {
    if let Some(reason) = no_layer()? {
        talk(format_args!("the package is not installed: {reason}"));
        return Ok(());
    }
    let script = "xtask/src/installed.sh";
    program("unshare", &["--mount", "sh", script, package])
}

/// Why there can be no layer over this system, if so.
fn no_layer() -> anyhow::Result<Option<&'static str>> {
    let succeeds = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(name);
        let output = command.args(arguments).output();
        output.with_context(|| format!("{name} can't be started"))
    };
    if succeeds("id", &["-u"])?.stdout != b"0\n" {
        return Ok(Some("that takes root"));
    }
    if !succeeds("unshare", &["--mount", "true"])?.status.success() {
        return Ok(Some("this container may not mount anything"));
    }
    for place in ["/usr", "/var"] {
        if succeeds("mountpoint", &["--quiet", place])?
            .status
            .success()
        {
            return Ok(Some("the system is spread over several file systems"));
        }
    }
    Ok(None)
}

/// Takes the debug information out of a program, into a file that debuggers find beside it. Returns the size of what is left, in bytes.
fn strip(built: &Path, packages: &Path) -> anyhow::Result<u64> {
    let (stripped, debug) = (
        packages.join("alert-connectors"),
        packages.join("alert-connectors.debug"),
    );
    let path = |path: &Path| path.display().to_string();
    let (built, from, to) = (path(built), path(&debug), path(&stripped));
    program("objcopy", &["--only-keep-debug", &built, &from])?;
    program("objcopy", &["--strip-all", &built, &to])?;
    program("objcopy", &[&format!("--add-gnu-debuglink={from}"), &to])?;
    Ok(fs::metadata(&stripped)?.len())
}

/// The changelog as Debian wants it: packed, the same each time.
fn changelog(packages: &Path) -> anyhow::Result<()> {
    let place = packages.join("changelog");
    fs::copy(root().join("CHANGELOG.md"), &place)?;
    program(
        "gzip",
        &["--best", "--no-name", &place.display().to_string()],
    )
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
