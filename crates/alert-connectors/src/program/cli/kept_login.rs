//! What `login` keeps for the commands that name no server, no space or no token.

use std::{
    env, fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};

use super::CommandError;

/// Nobody else reads what is kept.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// What `login` keeps.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Login {
    pub(super) server: String,
    /// The space of commands that name none.
    pub(super) space: Option<String>,
    pub(super) token: String,
    /// When the token ends, as far as it is known.
    pub(super) expires_at: Option<String>,
}

impl Login {
    /// What was kept; nothing before a login.
    pub(super) fn read() -> Result<Option<Self>, CommandError> {
        let Some(path) = path() else { return Ok(None) };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(anyhow!("{} can't be read: {error}", path.display()).into());
            }
        };
        let login = toml::from_str(&text);
        let unreadable = || format!("{} can't be understood; run login again", path.display());
        Ok(Some(
            login.map_err(|_shows_the_token| anyhow!(unreadable()))?,
        ))
    }

    pub(super) fn keep(&self) -> anyhow::Result<PathBuf> {
        let path = path().context("HOME is not set, so there is no place to keep the login")?;
        if let Some(folder) = path.parent() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(FOLDER_MODE).create(folder)?;
        }
        // A new file: an old one may have been readable by others.
        let new = path.with_extension("new");
        drop(fs::remove_file(&new));
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&new)?;
        file.write_all(toml::to_string(self)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        Ok(path)
    }
}

/// Where the login is kept: in the user's configuration.
pub(super) fn path() -> Option<PathBuf> {
    let configured = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let configured = configured.filter(|path| path.is_absolute());
    let usual = || Some(PathBuf::from(env::var_os("HOME")?).join(".config"));
    let folder = configured.or_else(usual)?;
    Some(folder.join("alert-connectors/login.toml"))
}
