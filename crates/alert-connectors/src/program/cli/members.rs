//! `members`: who may enter a space, through a running server.

use alert_connectors_model::Role;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CommandResult,
    cells::{items, text},
    say,
    server_options::{SpaceOptions, by_words},
    table::table,
    user::email,
    wait_for,
};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  alert-connectors members list --space data
  alert-connectors members set bob@example.com --role editor --space data
  alert-connectors members remove bob@example.com --space data")]
pub(super) enum Command {
    /// List the members
    List {
        #[command(flatten)]
        space: SpaceOptions,
    },
    /// Add a member, or change a member's role; someone who is no user yet is invited
    Set {
        /// The user's address
        email: String,
        /// viewer, editor or admin
        #[arg(long, add = by_words(Role::ALL.map(Role::as_str)))]
        role: String,
        #[command(flatten)]
        space: SpaceOptions,
    },
    /// Remove a member
    Remove(Remove),
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The user's address
    email: String,
    #[command(flatten)]
    space: SpaceOptions,
}

pub(super) fn run(command: Command) -> CommandResult {
    wait_for(async move {
        match command {
            Command::List { space } => {
                let page = space.remote()?.get("/members?limit=200").await?;
                if space.json() {
                    return Ok(say(page)?);
                }
                let rows = items(&page).map(row).collect();
                Ok(say(table(&["E-MAIL", "NAME", "ROLE"], rows))?)
            }
            Command::Set { email, role, space } => {
                let body = json!({ "role": role });
                let path = path(&email)?;
                let remote = space.remote()?;
                let member = remote.ask(Method::PUT, &path, Some(&body)).await?;
                if space.json() {
                    return Ok(say(member)?);
                }
                say(table(&["E-MAIL", "NAME", "ROLE"], vec![row(&member)]))?;
                match link(&member, remote.remote.server()) {
                    Some(link) => Ok(say(format_args!(
                        "\n{email} was no user yet. Send them this link, with which they choose a password; it is good once, for seven days:\n{link}"
                    ))?),
                    None => Ok(()),
                }
            }
            Command::Remove(remove) => {
                let path = path(&remove.email)?;
                remove
                    .space
                    .remote()?
                    .ask(Method::DELETE, &path, None)
                    .await?;
                Ok(())
            }
        }
    })
}

/// Where someone who was no user yet chooses a password.
fn link(member: &Value, server: &str) -> Option<String> {
    let invitation = member.get("invitation")?;
    let url = invitation["url"].as_str().map(str::to_owned);
    let token = invitation["token"].as_str()?;
    Some(url.unwrap_or_else(|| format!("{server}/console/invitation#{token}")))
}

fn path(address: &str) -> Result<String, super::CommandError> {
    let address = email(address)?.to_string();
    let part: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
    // A form writes a space as a plus; no address holds a space.
    Ok(format!("/members/{part}"))
}

fn row(member: &Value) -> [String; 3] {
    let user = &member["user"];
    [
        text(user, "email"),
        text(user, "full_name"),
        text(member, "role"),
    ]
}
