//! `completions` and `man`: for a shell, which asks this program for the words while somebody types, and for a reader.

use std::{env, fs, path::PathBuf, time::Duration};

use clap::Args;
use clap_complete::{
    CompleteEnv, CompletionCandidate, Shell,
    env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh},
};
use serde_json::Value;

use super::{
    CommandError, CommandResult,
    remote::{Remote, RemoteSpace},
    say, wait_for,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Besides commands and options it completes the names of your spaces and connectors, once you have run
`alert-connectors login`.

Examples:
  source <(alert-connectors completions bash)
  alert-connectors completions fish > ~/.config/fish/completions/alert-connectors.fish"
)]
pub(super) struct Options {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  alert-connectors man ~/.local/share/man/man1")]
pub(super) struct ManOptions {
    /// The folder for the pages, one for each command; it is made if it is missing
    folder: PathBuf,
}

/// The variable by which a shell asks for completions. A general name could stand in the environment of a server.
const VARIABLE: &str = "_ALERT_CONNECTORS_COMPLETE";
/// Somebody types meanwhile, so a slow server is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers a shell that asks for completions, and ends the program then.
pub(super) fn answer_shell() {
    CompleteEnv::with_factory(super::command)
        .var(VARIABLE)
        .complete();
}

pub(super) fn run(options: &Options) -> CommandResult {
    let shell: &dyn EnvCompleter = match options.shell {
        Shell::Bash => &Bash,
        Shell::Elvish => &Elvish,
        Shell::Fish => &Fish,
        Shell::PowerShell => &Powershell,
        Shell::Zsh => &Zsh,
        other => {
            let line = format!("there are no completions for {other}");
            return Err(CommandError::Usage(vec![line]));
        }
    };
    let mut script = Vec::new();
    let name = "alert-connectors";
    shell.write_registration(VARIABLE, name, name, name, &mut script)?;
    let script = String::from_utf8_lossy(&script);
    Ok(say(quoting(&script).trim_end())?)
}

/// Connector names contain spaces and special characters. Bash quotes a completion only if the script declares it a file name; the
/// other shells quote every completion.
fn quoting(script: &str) -> String {
    script.replace("-o bashdefault ", "-o bashdefault -o filenames ")
}

pub(super) fn man(options: &ManOptions) -> CommandResult {
    fs::create_dir_all(&options.folder)?;
    clap_mangen::generate_to(super::command(), &options.folder)?;
    Ok(())
}

/// The slugs of the spaces that the user of the login may enter.
pub(super) fn spaces() -> Vec<CompletionCandidate> {
    asked(async || {
        let remote = Remote::of_login()?;
        let me = remote.get("/auth/me").await?;
        Ok(candidates(&me["spaces"], "slug", "name"))
    })
}

/// The names of the connectors in the space of the login.
pub(super) fn connectors() -> Vec<CompletionCandidate> {
    asked(async || {
        let space = RemoteSpace::of_login(typed_space().as_deref())?;
        let all = space.get("/alert-connectors").await?;
        Ok(candidates(&all, "name", "id"))
    })
}

fn candidates(list: &Value, word: &str, help: &str) -> Vec<CompletionCandidate> {
    let items = list.as_array().into_iter().flatten();
    let candidate = |item: &Value| {
        let help = item[help].as_str().map(|help| help.to_owned().into());
        Some(CompletionCandidate::new(item[word].as_str()?).help(help))
    };
    items.filter_map(candidate).collect()
}

/// The space that stands in the line so far.
fn typed_space() -> Option<String> {
    let mut words = env::args().skip_while(|word| word != "--space");
    words.nth(1)
}

/// What a server answers in time. Without an answer nothing is completed, and nothing is said: somebody types.
fn asked(
    ask: impl AsyncFnOnce() -> Result<Vec<CompletionCandidate>, CommandError>,
) -> Vec<CompletionCandidate> {
    let mut found = Vec::new();
    let asking = async {
        if let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, ask()).await {
            found = answer;
        }
        Ok(())
    };
    drop(wait_for(asking));
    found
}
