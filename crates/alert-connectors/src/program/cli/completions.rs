//! `completions`: for a shell.

use clap::Args;
use clap_complete::{Shell, generate};

use super::CommandResult;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The shell
    shell: Shell,
}

pub(super) fn run(options: &Options, command: &mut clap::Command) -> CommandResult {
    let mut script = Vec::new();
    generate(options.shell, command, "alert-connectors", &mut script);
    Ok(super::say(String::from_utf8_lossy(&script).trim_end())?)
}
