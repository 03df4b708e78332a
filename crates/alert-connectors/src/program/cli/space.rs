//! `space`: spaces, in the database itself.

use alert_connectors::SystemRandom;
use alert_connectors_model::{
    AuditAction, Clock, Slug, Space, SpaceId, SystemClock, rfc3339_seconds,
};
use alert_connectors_store::{AuditEntry, SpaceChange, Subject};
use clap::Subcommand;

use super::{
    CommandContext, CommandError, CommandResult, name_of, say,
    table::table,
    trail::{entry_in, leaving, leaving_changes},
    wait_for,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a space
    #[command(after_help = "Example:\n  alert-connectors space add analytics --name \"Analytics\"")]
    Add {
        /// Its name in URLs: 1 to 63 of a-z, 0-9 and -
        slug: String,
        /// Display name
        #[arg(long)]
        name: String,
    },
    /// List all spaces
    List,
    /// Change the display name of a space
    Rename {
        /// The slug of the space
        slug: String,
        /// The new display name
        #[arg(long)]
        name: String,
    },
    /// Remove a space with everything in it
    Remove {
        /// The slug of the space
        slug: String,
        /// Confirm the removal of everything in it
        #[arg(long)]
        yes: bool,
    },
}

/// A slug as an argument.
pub(super) fn slug(text: &str) -> Result<Slug, CommandError> {
    Slug::parse(text).ok_or_else(|| CommandError::Usage(vec![format!("{text}: {}", Slug::RULE)]))
}

pub(super) fn run(command: Command, context: &CommandContext<'_>) -> CommandResult {
    if let Command::Remove { slug, yes: false } = &command {
        return Err(CommandError::Usage(vec![format!(
            "removing {slug} also removes its connectors, alerts and members; confirm with --yes"
        )]));
    }
    wait_for(async move {
        let (name, change) = match command {
            Command::Add { slug: text, name } => {
                // What is wrong with it is said before a database is made.
                let space = new_space(&text, &name)?;
                let store = context.open_or_make().await?;
                let entry = space_entry(&space, AuditAction::SpaceCreated);
                let store = leaving(&*store, entry);
                (text, store.add_space(space, None).await?)
            }
            Command::List => {
                let store = context.open().await?;
                let row = |space: Space| {
                    vec![
                        space.slug.to_string(),
                        space.name,
                        rfc3339_seconds(space.created_at),
                    ]
                };
                let rows = store.spaces().await?.into_iter().map(row).collect();
                return Ok(say(table(&["SLUG", "NAME", "SINCE"], rows))?);
            }
            Command::Rename { slug: text, name } => {
                let (slug, name) = (slug(&text)?, name_of(&name)?);
                let store = context.open().await?;
                let change = match store.space(&slug).await? {
                    Some(space) => {
                        let entry = space_entry(&space, AuditAction::SpaceRenamed).changing(
                            "name",
                            Some((*space.name).into()),
                            Some((*name).into()),
                        );
                        leaving_changes(&*store, entry)
                            .rename_space(&slug, name)
                            .await?
                    }
                    None => SpaceChange::Absent,
                };
                (text, change)
            }
            Command::Remove { slug: text, yes: _ } => {
                let (store, slug) = (context.open().await?, slug(&text)?);
                let change = match store.space(&slug).await? {
                    Some(space) => {
                        let entry = space_entry(&space, AuditAction::SpaceRemoved);
                        leaving(&*store, entry).remove_space(&slug).await?
                    }
                    None => SpaceChange::Absent,
                };
                (text, change)
            }
        };
        match change {
            SpaceChange::Done => Ok(()),
            SpaceChange::SlugTaken => {
                Err(anyhow::anyhow!("there is a space {name} already").into())
            }
            SpaceChange::Absent => Err(anyhow::anyhow!("there is no space {name}").into()),
        }
    })
}

fn space_entry(space: &Space, action: AuditAction) -> AuditEntry {
    entry_in(space, action, Subject::new(space.id, &*space.name))
}

fn new_space(text: &str, name: &str) -> Result<Space, CommandError> {
    let now = SystemClock.now();
    Ok(Space {
        id: SpaceId::new(now, &SystemRandom::default()),
        slug: slug(text)?,
        name: name_of(name)?,
        created_at: now,
    })
}
