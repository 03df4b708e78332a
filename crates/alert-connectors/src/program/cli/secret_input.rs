//! Secrets that are typed or piped: typed, they are asked for and not shown.

use std::io::{IsTerminal, Read, stdin};

use anyhow::{Context, bail};

use super::CommandError;

/// More bytes than this are no secret of ours.
const BYTES_MAX: usize = 4_096;

/// Reads a secret: from a person at the terminal, else all of standard input without the line break at its end.
pub(super) fn read_secret(what: &str) -> anyhow::Result<String> {
    let secret = if stdin().is_terminal() {
        rpassword::prompt_password(format!("{what}: "))
            .with_context(|| format!("the {what} can't be read from the terminal"))?
    } else {
        piped(what)?
    };
    if secret.is_empty() {
        bail!("the {what} is empty");
    }
    Ok(secret)
}

fn piped(what: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    stdin()
        .take(BYTES_MAX as u64 + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("the {what} can't be read from standard input"))?;
    if text.len() > BYTES_MAX {
        bail!("the {what} has more than {BYTES_MAX} bytes");
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Refuses a standard input that nobody said holds a password, and where nobody can be asked.
pub(super) fn refuse_unasked(password_stdin: bool) -> Result<(), CommandError> {
    if password_stdin || stdin().is_terminal() {
        return Ok(());
    }
    let what = "--password-stdin reads the password from standard input; without it, a terminal asks for it";
    Err(CommandError::Usage(vec![what.to_owned()]))
}

/// Reads a new secret: from a person twice, since nobody sees what is typed.
pub(super) fn read_new_secret(what: &str) -> anyhow::Result<String> {
    let secret = read_secret(what)?;
    if stdin().is_terminal() && read_secret("once more")? != secret {
        bail!("the two are not the same; nothing was changed");
    }
    Ok(secret)
}
