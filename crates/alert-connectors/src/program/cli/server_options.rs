//! The options of every command that asks a running server.

use clap::Args;
use clap_complete::{ArgValueCandidates, CompletionCandidate};

use super::{
    CommandError, completions,
    kept_login::Login,
    remote::{Remote, RemoteSpace, checked_server},
    space::slug,
};

/// Completes what stands in an option by the slugs of one's spaces.
pub(super) fn by_spaces() -> ArgValueCandidates {
    ArgValueCandidates::new(completions::spaces)
}

/// Completes what stands in an argument by the names of the connectors.
pub(super) fn by_connectors() -> ArgValueCandidates {
    ArgValueCandidates::new(completions::connectors)
}

/// Completes what stands in an option by the words of the API. The server judges what is typed.
pub(super) fn by_words<const N: usize>(words: [&'static str; N]) -> ArgValueCandidates {
    ArgValueCandidates::new(move || words.into_iter().map(CompletionCandidate::new).collect())
}

/// What every command takes that asks a server.
#[derive(Debug, Args)]
pub(super) struct ServerOptions {
    /// The server, such as <https://alerts.example.com>; that of `login` if left out
    #[arg(long, env = "ALERT_CONNECTORS_SERVER", value_name = "URL")]
    server: Option<String>,
    /// Print the API's JSON
    #[arg(long)]
    pub(super) json: bool,
    /// A session token or API key; that of `login` if left out
    #[arg(
        long,
        env = "ALERT_CONNECTORS_TOKEN",
        hide_env_values = true,
        hide = true
    )]
    token: Option<String>,
}

/// The same, of a command that works in one space.
#[derive(Debug, Args)]
pub(super) struct SpaceOptions {
    #[command(flatten)]
    pub(super) server: ServerOptions,
    /// The slug of the space; that of `login` if left out
    #[arg(long, value_name = "SLUG", add = by_spaces())]
    space: Option<String>,
}

impl ServerOptions {
    /// The server that is named, or that of `login`, with the token for it.
    pub(super) fn remote(&self) -> Result<Remote, CommandError> {
        let login = Login::read()?;
        let server = self
            .server
            .clone()
            .or_else(|| login.as_ref().map(|login| login.server.clone()));
        let server = server.ok_or_else(|| {
            let line = "name the server with --server, or once with `alert-connectors login`";
            CommandError::Usage(vec![line.to_owned()])
        })?;
        let server = checked_server(&server)?;
        // The token of one server is not shown to another.
        let kept = login.filter(|login| login.server == server);
        // An empty variable counts as not set.
        let given = self.token.as_ref().filter(|token| !token.is_empty());
        let token = match (given, &kept) {
            (Some(token), _) => token.clone(),
            (None, Some(kept)) => kept.token.clone(),
            (None, None) => {
                let line = "set ALERT_CONNECTORS_TOKEN to a session token or API key, or run `alert-connectors login`";
                return Err(CommandError::Usage(vec![line.to_owned()]));
            }
        };
        Remote::known(server, token, kept)
    }
}

impl SpaceOptions {
    pub(super) fn remote(&self) -> Result<RemoteSpace, CommandError> {
        let remote = self.server.remote()?;
        let space = self.space.as_deref().or_else(|| remote.kept_space());
        let space = space.ok_or_else(|| {
            let line = "name the space with --space, or once with `alert-connectors login --space`";
            CommandError::Usage(vec![line.to_owned()])
        })?;
        let slug = slug(space)?;
        Ok(RemoteSpace { remote, slug })
    }

    pub(super) const fn json(&self) -> bool {
        self.server.json
    }
}
