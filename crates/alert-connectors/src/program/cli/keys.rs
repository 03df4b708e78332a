//! `keys`: one's own API keys, through a running server.

use alert_connectors_model::KeyScope;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CommandResult,
    cells::{items, text},
    remote::id,
    say,
    server_options::{ServerOptions, by_spaces, by_words},
    table::table,
    talk, wait_for,
};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  alert-connectors keys create dbt --space data
  alert-connectors keys list
  alert-connectors keys revoke 0197c2a0-0000-7000-8000-000000000001")]
pub(super) enum Command {
    /// List your keys
    List {
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Make a key, and print it this once
    Create(Create),
    /// Revoke a key: whatever uses it is refused from now on
    Revoke {
        /// The key's id
        id: String,
        #[command(flatten)]
        server: ServerOptions,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// What it is for
    name: String,
    /// Only for this space; for every space of yours if left out
    #[arg(long, value_name = "SLUG", add = by_spaces())]
    space: Option<String>,
    /// send: only post and preview alerts; all: everything that you may do
    #[arg(long, default_value = "send", add = by_words(KeyScope::ALL.map(KeyScope::as_str)))]
    scope: String,
    /// When it ends, an RFC 3339 time; never if left out
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    #[command(flatten)]
    server: ServerOptions,
}

pub(super) fn run(command: Command) -> CommandResult {
    wait_for(async move {
        match command {
            Command::List { server } => {
                let page = server.remote()?.get("/api-keys?limit=200").await?;
                if server.json {
                    return Ok(say(page)?);
                }
                let heading = ["ID", "NAME", "SCOPE", "SPACE", "LAST USED", "ENDS"];
                Ok(say(table(&heading, items(&page).map(row).collect()))?)
            }
            Command::Create(create) => create.run().await,
            Command::Revoke { id: named, server } => {
                let path = format!("/api-keys/{}", id(&named)?);
                server.remote()?.ask(Method::DELETE, &path, None).await?;
                Ok(())
            }
        }
    })
}

impl Create {
    async fn run(&self) -> CommandResult {
        let body = json!({
            "name": self.name, "space": self.space, "scope": self.scope, "expires_at": self.expires_at,
        });
        let remote = self.server.remote()?;
        let made = remote.ask(Method::POST, "/api-keys", Some(&body)).await?;
        if self.server.json {
            return Ok(say(made)?);
        }
        // The key alone is data, so that a script can take it.
        talk(format_args!("the key is shown only now"));
        Ok(say(text(&made, "key"))?)
    }
}

fn row(key: &Value) -> [String; 6] {
    ["id", "name", "scope", "space", "last_used_at", "expires_at"].map(|name| text(key, name))
}
