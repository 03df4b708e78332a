//! `migrate`: copies everything of a SQLite file into an empty PostgreSQL database.

use alert_connectors::{Database, DatabaseUrl, Use};
use alert_connectors_store::copying::{CopyError, CopyReport, copy_everything};
use clap::Args;

use super::{
    CommandContext, CommandError, CommandResult, open, progress::Progress, say, talk, wait_for,
};
use crate::config::{DatabaseConfig, DatabaseOptions, Faults, Layers};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    /// What is copied: sqlite:// and a path. No server may run on it
    #[arg(long, value_name = "URL")]
    from: String,
    /// Where to: the postgres:// address of an empty database
    #[arg(
        long,
        value_name = "URL",
        env = "ALERT_CONNECTORS_MIGRATE_TO",
        hide_env_values = true
    )]
    to: String,
}

const EXAMPLES: &str = "Example:
  ALERT_CONNECTORS_MIGRATE_TO=postgres://alerts:PASSWORD@db.example.com/alerts \\
    alert-connectors migrate --from sqlite:///srv/alerts.db

It copies users, spaces, connectors, history and what is pending, with the same ids, and the webhook URLs as they are sealed: the
servers on PostgreSQL need the same --secret-key-file. Stop the server first. If the copy is interrupted, repeat the command: it
goes on where it was, and no server starts on half a copy. At the end all rows are counted on both sides, and some of them compared.
The SQLite file stays as it is. Don't start a server on it again, for it would send what is pending once more.";

pub(super) fn run(options: &Options, context: &CommandContext<'_>) -> CommandResult {
    let (from, to) = databases(options, context)?;
    wait_for(async {
        let source = open(&from, Use::CopySource).await?;
        if let Some(loss) = source.log_loss() {
            talk(format_args!("warning: {loss}"));
        }
        let target = open(&to, Use::CopyTarget).await?;
        let (Database::Sqlite(source), Database::Postgres(target)) = (source, target) else {
            return Err(CommandError::Usage(vec![KINDS.to_owned()]));
        };
        let target = target.copying().await?;
        let mut bar: Option<Progress> = None;
        let report = copy_everything(&source, &target, |progress| {
            let bar = bar.get_or_insert_with(|| Progress::new(progress.of));
            bar.show(
                progress.rows,
                &format!("rows; {}", progress.table.replace('_', " ")),
            );
        });
        let report = report.await;
        drop(bar);
        let report = match report {
            Err(CopyError::Finished) => return Ok(say("the copy is finished already")?),
            other => other?,
        };
        Ok(say(summary(&report))?)
    })
}

const KINDS: &str = "migrate copies from sqlite:// to postgres://, and no other way yet";

/// Both databases, which share a key file: that beside the SQLite file, if no other is named.
fn databases(
    options: &Options,
    context: &CommandContext<'_>,
) -> Result<(DatabaseConfig, DatabaseConfig), CommandError> {
    let mut faults = Faults::default();
    let named = DatabaseOptions {
        database_url: Some(options.from.clone()),
        ..context.database.clone()
    };
    let layers = Layers::read(&named, None, context.matches, &mut faults);
    let from = DatabaseConfig::parse(&layers, &mut faults);
    let to = DatabaseUrl::parse(&options.to);
    let mut faults = faults.0;
    match to {
        Ok(url) if faults.is_empty() => {
            let is_possible = matches!(
                (&from.url, &url),
                (DatabaseUrl::Sqlite(_), DatabaseUrl::Postgres(_))
            );
            if is_possible {
                let key_file = from.key_file.clone();
                return Ok((from, DatabaseConfig { url, key_file }));
            }
            faults.push(KINDS.to_owned());
        }
        Ok(_) => {}
        Err(what) => faults.push(format!("--to {what}")),
    }
    Err(CommandError::Usage(faults))
}

/// What was copied, as far as people know it.
fn summary(report: &CopyReport) -> String {
    let shown = [
        "users",
        "spaces",
        "connectors",
        "alerts",
        "deliveries",
        "attempts",
    ];
    let tables = report.tables.iter();
    let counts: Vec<String> = tables
        .filter(|(name, _)| shown.contains(name))
        .map(|(name, rows)| format!("{rows} {name}"))
        .collect();
    format!(
        "copied {}; all rows were counted on both sides, and {} compared",
        counts.join(", "),
        report.compared
    )
}
