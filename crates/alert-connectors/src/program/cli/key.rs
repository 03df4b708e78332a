//! `key`: the secret key file, and sealing webhook URLs under a new key.

use std::{path::PathBuf, sync::Arc};

use alert_connectors::SystemRandom;
use alert_connectors_model::Random;
use alert_connectors_store::{SealingKey, add_key, write_new_key_file};
use clap::Subcommand;

use super::{CommandContext, CommandError, CommandResult, say, talk, wait_for};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key file that only its owner can read; never overwrites a file
    #[command(after_help = "Example:\n  alert-connectors key new /etc/alert-connectors/secret.key")]
    New {
        /// The file
        file: PathBuf,
    },
    /// Re-seal stored webhook URLs with the first key of the file, also while a server runs
    #[command(
        after_help = "Examples:\n  alert-connectors key rotate --new\n  alert-connectors key rotate --database-url sqlite:///srv/alerts.db\n\n\
        The server reads the file again by itself. The old keys stay in the file: remove them once backups that need them are gone."
    )]
    Rotate {
        /// First add a new key to the file
        #[arg(long)]
        new: bool,
    },
}

/// One transaction re-seals at most this many URLs.
const STEP: usize = 200;

pub(super) fn run(command: Command, context: &CommandContext<'_>) -> CommandResult {
    let random: Arc<dyn Random> = Arc::new(SystemRandom::default());
    match command {
        Command::New { file } => {
            write_new_key_file(&file, &SealingKey::generate(&*random))?;
            Ok(say(file.display())?)
        }
        Command::Rotate { new } => {
            wait_for(async move {
                // Opened before the file changes: where the database can't be opened, a new key must not be the cause.
                let store = context.open().await?;
                if new {
                    add_key(&context.key_file()?, &SealingKey::generate(&*random))?;
                    store.reload_keys()?;
                }
                let mut sealed = 0;
                loop {
                    match store.reseal(STEP).await.map_err(CommandError::from)? {
                        0 => break,
                        some => sealed += some,
                    }
                }
                talk(format_args!("{sealed} sealed again"));
                Ok(())
            })
        }
    }
}
