//! `member`: the members of a space, in the database itself.

use alert_connectors_model::{
    AuditAction, Clock, Email, Role, Space, SystemClock, rfc3339_seconds,
};
use alert_connectors_store::{AuditEntry, Member, MemberChange, Store, Subject};
use anyhow::anyhow;
use clap::Subcommand;

use super::{
    CommandContext, CommandError, CommandResult, say,
    space::slug,
    table::table,
    trail::{entry_in, leaving, leaving_changes},
    user::email,
    wait_for,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a member, or change a member's role
    #[command(
        after_help = "Example:\n  alert-connectors member set analytics alice@example.com --role editor"
    )]
    Set {
        /// The slug of the space
        slug: String,
        /// The user's e-mail address
        email: String,
        /// viewer, editor or admin
        #[arg(long)]
        role: String,
    },
    /// Remove a member
    Remove {
        /// The slug of the space
        slug: String,
        /// The member's e-mail address
        email: String,
    },
    /// List the members of a space
    List {
        /// The slug of the space
        slug: String,
    },
}

pub(super) fn run(command: Command, context: &CommandContext<'_>) -> CommandResult {
    wait_for(async move {
        let store = context.open().await?;
        let text = match &command {
            Command::Set { slug, .. } | Command::Remove { slug, .. } | Command::List { slug } => {
                slug.clone()
            }
        };
        let space = store
            .space(&slug(&text)?)
            .await?
            .ok_or_else(|| anyhow!("there is no space {text}"))?;
        let (address, change) = match command {
            Command::Set {
                email: address,
                role,
                ..
            } => {
                let role = Role::parse(&role).ok_or_else(|| {
                    CommandError::Usage(vec!["--role must be viewer, editor or admin".to_owned()])
                })?;
                let address = email(&address)?;
                let entry = member_entry(&*store, &space, &address, Some(role)).await?;
                let change = leaving_changes(&*store, entry)
                    .set_member(space.id, &address, role, SystemClock.now())
                    .await?;
                (address, change)
            }
            Command::Remove { email: address, .. } => {
                let address = email(&address)?;
                let entry = member_entry(&*store, &space, &address, None).await?;
                let change = leaving(&*store, entry)
                    .remove_member(space.id, &address)
                    .await?;
                (address, change)
            }
            Command::List { .. } => {
                let row = |member: Member| {
                    let since = rfc3339_seconds(member.added_at);
                    vec![
                        member.user.email.to_string(),
                        member.user.full_name,
                        member.role.as_str().into(),
                        since,
                    ]
                };
                let rows = store
                    .members(space.id)
                    .await?
                    .into_iter()
                    .map(row)
                    .collect();
                return Ok(say(table(&["E-MAIL", "NAME", "ROLE", "SINCE"], rows))?);
            }
        };
        match change {
            MemberChange::Added(_) | MemberChange::Changed(_) | MemberChange::Removed => Ok(()),
            MemberChange::Absent => Err(anyhow!("there is no user or member {address}").into()),
            MemberChange::LastAdmin => Err(anyhow!("{text} would have no admin left").into()),
            MemberChange::NoSpace => Err(anyhow!("there is no space {text}").into()),
        }
    })
}

/// The entry about a member who gets a role, or loses every one.
async fn member_entry(
    store: &dyn Store,
    space: &Space,
    address: &Email,
    role: Option<Role>,
) -> Result<AuditEntry, CommandError> {
    let members = store.members(space.id).await?;
    let member = members.iter().find(|member| member.user.email == *address);
    let action = match role {
        Some(_) => AuditAction::MemberSet,
        None => AuditAction::MemberRemoved,
    };
    let word = |role: Role| role.as_str().into();
    Ok(
        entry_in(space, action, Subject::named(address.as_str())).changing(
            "role",
            member.map(|member| word(member.role)),
            role.map(word),
        ),
    )
}
