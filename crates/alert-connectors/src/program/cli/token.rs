//! `token`: session tokens, in the database itself.

use alert_connectors::SystemRandom;
use alert_connectors_api::{new_token, token_hash};
use alert_connectors_model::{AuditAction, Clock, SystemClock, rfc3339_seconds};
use alert_connectors_store::{NewToken, Subject};
use anyhow::{anyhow, bail};
use clap::Subcommand;
use jiff::SignedDuration;

use super::{
    CommandContext, CommandError, CommandResult, say,
    trail::{entry, leaving},
    user::email,
    wait_for,
};
use crate::config::length_of_time;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print a new session token and nothing else
    #[command(
        after_help = "Example:\n  T=$(alert-connectors token issue alice@example.com --ttl 1h)"
    )]
    Issue {
        /// The user's e-mail address
        email: String,
        /// How long it lasts, such as 90s, 30m, 12h or 7d
        #[arg(long, default_value = "12h")]
        ttl: String,
    },
}

/// No token lasts longer than a year.
const TTL_MAX: SignedDuration = SignedDuration::from_hours(24 * 366);

pub(super) fn run(command: Command, context: &CommandContext<'_>) -> CommandResult {
    let Command::Issue {
        email: address,
        ttl,
    } = command;
    let ttl = self::ttl(&ttl)
        .map_err(|error| CommandError::Usage(vec![format!("--ttl {ttl}: {error}")]))?;
    wait_for(async move {
        let store = context.open().await?;
        let address = email(&address)?;
        let user = store
            .user(&address)
            .await?
            .ok_or_else(|| anyhow!("there is no user {address}"))?;
        if user.is_disabled {
            return Err(anyhow!("{address} is disabled").into());
        }
        let now = SystemClock.now();
        let token = new_token("acs_", &SystemRandom::default());
        let expires_at = now.checked_add(ttl)?;
        let new = NewToken {
            hash: token_hash(token.expose()),
            user_id: user.user.id,
            expires_at,
        };
        let subject = Subject::named(address.as_str());
        let entry = entry(AuditAction::SignedIn, subject).changing(
            "expires_at",
            None,
            Some(rfc3339_seconds(expires_at).into()),
        );
        leaving(&*store, entry).add_token(new, now).await?;
        Ok(say(token.expose())?)
    })
}

/// A length of time such as `90s`, `30m`, `12h` or `7d`.
fn ttl(text: &str) -> anyhow::Result<SignedDuration> {
    let length = length_of_time(text).and_then(|length| SignedDuration::try_from(length).ok());
    let length = length.ok_or_else(|| anyhow!("write a number and s, m, h or d, such as 12h"))?;
    if length < SignedDuration::from_secs(1) || length > TTL_MAX {
        bail!("it must be between a second and a year");
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        assert_eq!(ttl("90s").unwrap(), SignedDuration::from_secs(90));
        assert_eq!(ttl("2d").unwrap(), SignedDuration::from_hours(48));
        for bad in ["12", "h", "-1h", "0s", "5y", "99999999999999999999h", ""] {
            assert!(ttl(bad).is_err(), "{bad}");
        }
    }
}
