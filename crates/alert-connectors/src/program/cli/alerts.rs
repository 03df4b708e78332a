//! `alerts`: the alerts of a space from a terminal, through a running server.

use std::time::Duration;

use alert_connectors_model::{AlertStatus, Clock, Severity, SystemClock};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::{
    CommandError, CommandResult,
    cells::{ATTEMPT_HEADING, attempt_rows, items, show_below, show_facts, text},
    harmless::harmless,
    remote::{RemoteSpace, id, query},
    say,
    server_options::{SpaceOptions, by_words},
    table::table,
    talk, wait_for,
};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  alert-connectors alerts list --severity critical --severity high --status active
  alert-connectors alerts tail
  alert-connectors alerts resolve 0197c2a0-0000-7000-8000-000000000001")]
pub(super) enum Command {
    /// List alerts, newest first
    List(List),
    /// Show an alert with its deliveries and what each connector says
    Show(One),
    /// Print alerts as they come, until Ctrl-C
    Tail(List),
    /// Resolve an active alert
    Resolve(One),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Of this severity; repeatable
    #[arg(long = "severity", value_name = "SEVERITY", add = by_words(Severity::ALL.map(Severity::as_str)))]
    severities: Vec<String>,
    /// active or resolved; repeatable
    #[arg(long = "status", value_name = "STATUS", add = by_words(AlertStatus::ALL.map(AlertStatus::as_str)))]
    statuses: Vec<String>,
    /// Of this type; repeatable
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// About this problem; repeatable
    #[arg(long = "dedup-key", value_name = "KEY")]
    keys: Vec<String>,
    /// Received at or after this RFC 3339 time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// At most this many, 1 to 200
    #[arg(long, default_value = "50")]
    limit: String,
    #[command(flatten)]
    space: SpaceOptions,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The alert's id
    id: String,
    #[command(flatten)]
    space: SpaceOptions,
}

/// How often `tail` asks for what is new.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) fn run(command: Command) -> CommandResult {
    wait_for(async move {
        match command {
            Command::List(list) => {
                let space = list.space.remote()?;
                let found = list.page(&space, list.since.as_deref(), None).await?;
                if list.space.json() {
                    return Ok(say(found)?);
                }
                let rows = items(&found).map(row).collect();
                Ok(say(table(&HEADING, rows))?)
            }
            Command::Show(one) => {
                let space = one.space.remote()?;
                let alert = space.get(&format!("/alerts/{}", id(&one.id)?)).await?;
                show(&one.space, &alert)
            }
            Command::Tail(list) => tail(&list).await,
            Command::Resolve(one) => {
                let space = one.space.remote()?;
                let path = format!("/alerts/{}", id(&one.id)?);
                let resolve = format!("{path}/resolve");
                let resolved = space.ask(Method::PATCH, &resolve, None).await?;
                // That has its deliveries in short, and is enough where no more is to be had.
                let whole = space.get(&path).await.unwrap_or(resolved);
                show(&one.space, &whole)
            }
        }
    })
}

impl List {
    async fn page(
        &self,
        space: &RemoteSpace,
        since: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<Value, CommandError> {
        let maybe = |value: Option<&str>| value.map(ToOwned::to_owned).into_iter().collect();
        let (since, cursor): (Vec<_>, Vec<_>) = (maybe(since), maybe(cursor));
        let query = query(&[
            ("severity", &self.severities),
            ("status", &self.statuses),
            ("alert_type", &self.types),
            ("dedup_key", &self.keys),
            ("since", &since),
            ("limit", std::slice::from_ref(&self.limit)),
            ("cursor", &cursor),
        ]);
        space.get(&format!("/alerts{query}")).await
    }

    /// Everything since a time, oldest first, however many pages it has.
    async fn all_since(
        &self,
        space: &RemoteSpace,
        since: &str,
    ) -> Result<Vec<Value>, CommandError> {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.page(space, Some(since), cursor.as_deref()).await?;
            found.extend(items(&page).cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        found.reverse();
        Ok(found)
    }
}

/// Prints what comes from now on, oldest first.
async fn tail(list: &List) -> CommandResult {
    let space = list.space.remote()?;
    let mut since = list
        .since
        .clone()
        .unwrap_or_else(|| SystemClock.now().to_string());
    // What was printed of the newest moment: it is asked for again, since more may have come in it.
    let mut printed: Vec<String> = Vec::new();
    let (mut has_answered, mut is_away) = (false, false);
    loop {
        // Once it was there it comes back: a server is replaced now and then.
        let found = match list.all_since(&space, &since).await {
            Err(CommandError::Unreachable(line)) if has_answered => {
                if !is_away {
                    talk(format_args!("{line}; trying again until it answers"));
                }
                is_away = true;
                Vec::new()
            }
            found => {
                (has_answered, is_away) = (true, false);
                found?
            }
        };
        for alert in found {
            let (id, received_at) = (text(&alert, "id"), text(&alert, "received_at"));
            if printed.contains(&id) {
                continue;
            }
            if received_at != since {
                since = received_at;
                printed.clear();
            }
            printed.push(id);
            if list.space.json() {
                say(&alert)?;
            } else {
                say(row(&alert).map(|cell| harmless(&cell)).join("  "))?;
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

const HEADING: [&str; 6] = ["ID", "RECEIVED", "SEVERITY", "STATUS", "TYPE", "TITLE"];

fn row(alert: &Value) -> [String; 6] {
    [
        "id",
        "received_at",
        "severity",
        "status",
        "alert_type",
        "title",
    ]
    .map(|name| text(alert, name))
}

fn show(options: &SpaceOptions, alert: &Value) -> CommandResult {
    if options.json() {
        return Ok(say(alert)?);
    }
    show_facts(&HEADING, &row(alert))?;
    if let Some(description) = alert["description"].as_str() {
        for line in description.lines() {
            say(harmless(line))?;
        }
    }
    let deliveries = alert["deliveries"].as_array().into_iter().flatten();
    let rows: Vec<_> = deliveries
        .clone()
        .map(|one| ["id", "connector_name", "kind", "state", "reason"].map(|name| text(one, name)))
        .collect();
    show_below(&["DELIVERY", "CONNECTOR", "KIND", "STATE", "REASON"], rows)?;
    let attempts = deliveries.flat_map(attempt_rows).collect();
    show_below(&ATTEMPT_HEADING, attempts)
}
