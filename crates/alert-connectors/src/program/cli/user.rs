//! `user`: users, in the database itself.

use std::sync::Arc;

use alert_connectors::SystemRandom;
use alert_connectors_api::{Password, Passwords};
use alert_connectors_model::{
    AuditAction, Clock, Email, Secret, SystemClock, User, UserId, rfc3339_seconds,
};
use alert_connectors_store::{AddedUser, Disabled, NewUser, Store, Subject};
use anyhow::Context;
use clap::Subcommand;

use super::{
    CommandContext, CommandError, CommandResult, name_of, say,
    secret_input::{read_new_secret, refuse_unasked},
    table::table,
    trail::{entry, leaving, leaving_changes},
    wait_for,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a user; without --password-stdin the user has no password, only issued tokens
    #[command(
        after_help = "Example:\n  echo \"$PASSWORD\" | alert-connectors user add alice@example.com --name \"Alice Johnson\" --password-stdin"
    )]
    Add {
        /// The e-mail address that the user signs in with
        email: String,
        /// Display name
        #[arg(long)]
        name: String,
        /// Let the user create spaces and enter all of them
        #[arg(long)]
        operator: bool,
        /// Read a password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List all users
    List,
    /// Lock a user out: tokens and keys end at once; what the user made stays
    Disable {
        /// The user's e-mail address
        email: String,
    },
    /// Let a user in again
    Enable {
        /// The user's e-mail address
        email: String,
    },
    /// Set a new password; the user's sessions end
    Password {
        /// The user's e-mail address
        email: String,
        /// Read the password from standard input; without it, a terminal asks for it
        #[arg(long)]
        password_stdin: bool,
    },
}

/// An address as an argument.
pub(super) fn email(text: &str) -> Result<Email, CommandError> {
    Email::parse(text).map_err(|what| CommandError::Usage(vec![format!("{text}: {what}")]))
}

pub(super) fn run(command: Command, context: &CommandContext<'_>) -> CommandResult {
    wait_for(async move {
        if let Command::Add {
            email,
            name,
            operator,
            password_stdin,
        } = command
        {
            let user = new_user(&email, &name, operator, password_stdin)?;
            return add(user, context).await;
        }
        let store = context.open().await?;
        match command {
            // It was added above.
            Command::Add { .. } => Ok(()),
            Command::List => {
                let users = store.users().await?;
                let row = |user: alert_connectors_store::UserRecord| {
                    let operator = if user.is_operator { "operator" } else { "" };
                    let disabled = if user.is_disabled { "disabled" } else { "" };
                    let created = rfc3339_seconds(user.created_at);
                    vec![
                        user.user.email.to_string(),
                        user.user.full_name,
                        operator.into(),
                        disabled.into(),
                        created,
                    ]
                };
                let rows = users.into_iter().map(row).collect();
                Ok(say(table(&["E-MAIL", "NAME", "", "", "SINCE"], rows))?)
            }
            Command::Disable { email: address } => disable(&*store, &address, Disabled::Yes).await,
            Command::Enable { email: address } => disable(&*store, &address, Disabled::No).await,
            Command::Password {
                email: address,
                password_stdin,
            } => {
                let address = email(&address)?;
                refuse_unasked(password_stdin)?;
                let hash = read_password()?;
                let subject = Subject::named(address.as_str());
                let store = leaving(&*store, entry(AuditAction::PasswordChanged, subject));
                found(store.set_password(&address, hash).await?, &address)
            }
        }
    })
}

/// What is wrong with it is said before a database is made.
fn new_user(
    address: &str,
    name: &str,
    is_operator: bool,
    password_stdin: bool,
) -> Result<NewUser, CommandError> {
    let address = email(address)?;
    let full_name = name_of(name)?;
    let password_hash = password_stdin.then(read_password).transpose()?;
    let now = SystemClock.now();
    let user = User {
        id: UserId::new(now, &SystemRandom::default()),
        email: address,
        full_name,
    };
    Ok(NewUser {
        user,
        password_hash,
        is_operator,
        created_at: now,
    })
}

async fn add(user: NewUser, context: &CommandContext<'_>) -> CommandResult {
    let address = user.user.email.clone();
    let store = context.open_or_make().await?;
    let entry = entry(AuditAction::UserCreated, Subject::named(address.as_str())).changing(
        "is_operator",
        None,
        user.is_operator.then(|| true.into()),
    );
    match leaving(&*store, entry).add_user(user).await? {
        AddedUser::Added => Ok(say(format_args!("{address} is a user now"))?),
        AddedUser::EmailTaken => Err(anyhow::anyhow!("{address} is a user already").into()),
    }
}

async fn disable(store: &dyn Store, address: &str, disabled: Disabled) -> CommandResult {
    let address = email(address)?;
    let action = match disabled {
        Disabled::Yes => AuditAction::UserDisabled,
        Disabled::No => AuditAction::UserEnabled,
    };
    let is_disabled = disabled == Disabled::Yes;
    let before = store.user(&address).await?.map(|record| record.is_disabled);
    let entry = entry(action, Subject::named(address.as_str())).changing(
        "is_disabled",
        before.map(Into::into),
        Some(is_disabled.into()),
    );
    let store = leaving_changes(store, entry);
    found(store.set_disabled(&address, disabled).await?, &address)
}

fn found(found: bool, email: &Email) -> CommandResult {
    if found {
        Ok(())
    } else {
        Err(anyhow::anyhow!("there is no user {email}").into())
    }
}

fn read_password() -> anyhow::Result<String> {
    let password = Password::chosen(Secret::new(read_new_secret("password")?));
    let password = password.map_err(|what| anyhow::anyhow!(what))?;
    Passwords::new(Arc::new(SystemRandom::default()))
        .hash(&password)
        .context("the password can't be hashed")
}
