//! The first step of the book's tutorial, done in a folder of its own: the program is built, and found by its name.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, bail};

use crate::run::{root, talk};

/// The commands of the step are these blocks of the page.
const PAGE: &str = "docs/book/src/tutorial.md";
const BEGINS: &str = "```sh,build\n";

/// A release is optimised for minutes. Whether the step works does not depend on it.
const QUICKLY: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
];

/// Runs the step in a copy of the checkout, so that a release that was built here stays, and asks the program which it is.
pub(crate) fn test() -> anyhow::Result<()> {
    talk(format_args!("building the program as the tutorial does"));
    let place = root().join("target/tutorial");
    copy_checkout(&place)?;
    let page = fs::read_to_string(root().join(PAGE))?;
    let steps: Vec<&str> = page.split(BEGINS).skip(1).collect();
    let [step] = *steps else {
        bail!("{PAGE} has {} blocks that build, not one", steps.len());
    };
    let (commands, _) = step.split_once("```").context("a block ends")?;
    let found = place.join("target/release/alert-connectors");
    let script = format!(
        "set -eu\n{commands}\ntest \"$(command -v alert-connectors)\" = '{}'\nalert-connectors --version",
        found.display()
    );
    let status = Command::new("sh")
        .args(["-c", &script])
        .current_dir(&place)
        .envs(QUICKLY)
        .env_remove("CARGO_TARGET_DIR")
        .status()?;
    if !status.success() {
        bail!("the first step of {PAGE} failed");
    }
    Ok(())
}

/// Copies what git knows or would add. A file that is there already and the same is left, so that it is not built again.
fn copy_checkout(place: &Path) -> anyhow::Result<()> {
    let list = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let listed = Command::new("git").args(list).current_dir(root()).output();
    let listed = listed.context("git can't be started")?;
    if !listed.status.success() {
        bail!("git ls-files failed; the checkout is a clone");
    }
    let names = String::from_utf8(listed.stdout).context("file names are in UTF-8")?;
    for name in names.split_terminator('\0') {
        let (from, to) = (root().join(name), place.join(name));
        // One that was deleted is still listed until that is committed.
        let Ok(content) = fs::read(&from) else {
            continue;
        };
        if fs::read(&to).is_ok_and(|there| there == content) {
            continue;
        }
        fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
        fs::copy(&from, &to).with_context(|| name.to_owned())?;
    }
    Ok(())
}
