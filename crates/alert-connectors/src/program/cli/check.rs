//! `check`: whether everything that is stored can be read, and every webhook URL opened.

use super::{CommandContext, CommandError, CommandResult, say, talk, wait_for};

pub(super) const EXAMPLES: &str = "Examples:
  alert-connectors check
  alert-connectors check --database-url sqlite:///srv/alerts.db

It may run beside a server. It reads the whole database, which takes minutes where that is large. Each fault is a line of
standard output; without faults it prints one line that begins with `good`. Exit status: 0 good, 1 faults.";

pub(super) fn run(context: &CommandContext<'_>) -> CommandResult {
    wait_for(async {
        // A part of the log that is missing is one of the findings.
        let database = context.open_silently().await?;
        let inspection = database.store().inspect().await?;
        for what in &inspection.not_looked_at {
            talk(format_args!("not checked: {what}"));
        }
        for finding in &inspection.findings {
            say(finding)?;
        }
        let faults = inspection.findings.len() + inspection.findings_left_out;
        if faults == 0 {
            let urls = inspection.webhook_urls;
            return Ok(say(format_args!(
                "good: the database is whole, and its {urls} webhook URLs can be opened"
            ))?);
        }
        let left_out = match inspection.findings_left_out {
            0 => String::new(),
            more => format!(" ({more} of them not listed)"),
        };
        let noun = if faults == 1 { "fault" } else { "faults" };
        Err(CommandError::Failed(anyhow::anyhow!(
            "{faults} {noun}{left_out}; restore the last backup, or the secret key file that was in use"
        )))
    })
}
