//! `login`, `logout` and `whoami`: which server, space and token the other commands use when they name none.

use std::fs;

use alert_connectors_model::Slug;
use anyhow::anyhow;
use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    CommandError, CommandResult,
    kept_login::{Login, path},
    remote::{Remote, checked_server},
    say,
    secret_input::{read_secret, refuse_unasked},
    server_options::ServerOptions,
    space::slug,
    table::table,
    talk, wait_for,
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  alert-connectors login --server https://alerts.example.com --email alice@example.com
  alert-connectors login --server https://alerts.example.com --email alice@example.com --password-stdin < password.txt
  alert-connectors login --server https://alerts.example.com --space data --token-stdin < api-key.txt")]
pub(super) struct Options {
    /// The server, such as <https://alerts.example.com>
    #[arg(long, env = "ALERT_CONNECTORS_SERVER", value_name = "URL")]
    server: String,
    /// The space of commands that name none; your only one if left out
    #[arg(long, value_name = "SLUG")]
    space: Option<String>,
    /// Sign in with this address and a password, which the terminal asks for
    #[arg(long, required_unless_present = "token_stdin")]
    email: Option<String>,
    /// Read the password from standard input
    #[arg(long, requires = "email")]
    password_stdin: bool,
    /// Read a session token or API key from standard input
    #[arg(long, conflicts_with = "email")]
    token_stdin: bool,
}

pub(super) fn login(options: Options) -> CommandResult {
    let server = checked_server(&options.server)?;
    let space = options.space.as_deref().map(slug).transpose()?;
    refuse_unasked(options.token_stdin || options.password_stdin)?;
    let secret = read_secret(if options.token_stdin {
        "token"
    } else {
        "password"
    })?;
    wait_for(async move {
        let (token, expires_at) = match &options.email {
            Some(email) => sign_in(&server, email, &secret).await?,
            None => (secret, None),
        };
        let remote = Remote::new(server.clone(), token.clone())?;
        let asked = remote.request(Method::GET, "/auth/me");
        let (status, me) = remote.answer(asked).await?;
        let space = match (space, status) {
            (Some(space), StatusCode::OK) => Some(entered(&me, space.as_str())?),
            (None, StatusCode::OK) => only_space(&me),
            // A key that may only send can't ask who it is.
            (Some(space), StatusCode::FORBIDDEN) => {
                try_to_send(&remote, &space).await?;
                Some(space.to_string())
            }
            (None, StatusCode::FORBIDDEN) => None,
            _ => return Err(remote.refused(status, &me)),
        };
        let login = Login {
            server,
            space,
            token,
            expires_at,
        };
        let path = login.keep()?;
        let space = login
            .space
            .as_deref()
            .unwrap_or("none; name it with --space");
        talk(format_args!(
            "kept in {}: server {}, space {space}",
            path.display(),
            login.server
        ));
        Ok(())
    })
}

async fn sign_in(
    server: &str,
    email: &str,
    password: &str,
) -> Result<(String, Option<String>), CommandError> {
    let remote = Remote::new(server.to_owned(), String::new())?;
    let body = json!({"email": email, "password": password});
    let request = remote.anonymous(Method::POST, "/auth/token").json(&body);
    let (status, answer) = remote.answer(request).await?;
    match answer["access_token"].as_str() {
        Some(token) => {
            let end = answer["expires_at"].as_str();
            Ok((token.to_owned(), end.map(ToOwned::to_owned)))
        }
        None if status.as_u16() == 401 => {
            Err(anyhow!("the e-mail or the password is wrong").into())
        }
        None => Err(remote.refused(status, &answer)),
    }
}

fn spaces(me: &Value) -> impl Iterator<Item = &str> {
    let spaces = me["spaces"].as_array().into_iter().flatten();
    spaces.filter_map(|space| space["slug"].as_str())
}

/// A space that is named, if the caller may enter it.
fn entered(me: &Value, wanted: &str) -> anyhow::Result<String> {
    if spaces(me).any(|slug| slug == wanted) {
        return Ok(wanted.to_owned());
    }
    let names: Vec<&str> = spaces(me).collect();
    Err(anyhow!(
        "you may not enter the space {wanted}; yours are: {}",
        names.join(", ")
    ))
}

/// Checks that a key may send to a space: a preview needs the same right, and sends nothing.
async fn try_to_send(remote: &Remote, space: &Slug) -> Result<(), CommandError> {
    let alert = json!({"alert_type": "login", "severity": "low", "title": "login"});
    let path = format!("/spaces/{space}/alerts/preview");
    match remote.ask(Method::POST, &path, Some(&alert)).await {
        Err(CommandError::Refused(why)) => {
            let line = format!("the key may not send to the space {space}: {why}");
            Err(CommandError::Refused(line))
        }
        other => other.map(drop),
    }
}

fn only_space(me: &Value) -> Option<String> {
    let mut all = spaces(me);
    match (all.next(), all.next()) {
        (Some(only), None) => Some(only.to_owned()),
        _ => None,
    }
}

/// Ends the session, and forgets it.
pub(super) fn logout() -> CommandResult {
    let Some(login) = Login::read()? else {
        talk(format_args!("nobody is logged in"));
        return Ok(());
    };
    wait_for(async move {
        let remote = Remote::new(login.server.clone(), login.token)?;
        let ended = remote.ask(Method::POST, "/auth/logout", None).await;
        if let Some(path) = path() {
            fs::remove_file(path)?;
        }
        match ended {
            // A session that is over, and a key, which is revoked elsewhere, can't be ended.
            Ok(_) | Err(CommandError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    })
}

#[derive(Debug, Args)]
pub(super) struct WhoamiOptions {
    #[command(flatten)]
    server: ServerOptions,
}

pub(super) fn whoami(options: WhoamiOptions) -> CommandResult {
    wait_for(async move {
        let remote = options.server.remote()?;
        let me = remote.get("/auth/me").await?;
        if options.server.json {
            return Ok(say(me)?);
        }
        let user = &me["user"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        say(format_args!(
            "{} <{}>",
            super::harmless::harmless(&text(&user["full_name"])),
            text(&user["email"])
        ))?;
        let rows = me["spaces"].as_array().into_iter().flatten();
        let rows = rows.map(|space| {
            ["slug", "name", "role"]
                .map(|name| text(&space[name]))
                .to_vec()
        });
        Ok(say(table(&["SPACE", "NAME", "ROLE"], rows.collect()))?)
    })
}
