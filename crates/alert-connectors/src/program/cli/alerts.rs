//! `alerts`: the alerts of a space from a terminal, through a running server.

use std::{collections::VecDeque, time::Duration};

use alert_connectors_model::{Clock, SystemClock};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::{
    CommandResult,
    cells::{ATTEMPT_HEADING, attempt_rows, items, text},
    harmless::harmless,
    remote::{RemoteSpace, id, query},
    say,
    server_options::SpaceOptions,
    table::table,
    wait_for,
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
    #[arg(long = "severity", value_name = "SEVERITY")]
    severities: Vec<String>,
    /// active or resolved; repeatable
    #[arg(long = "status", value_name = "STATUS")]
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
/// `tail` remembers this many alerts that it has printed: more than an answer holds.
const PRINTED_MAX: usize = 400;

pub(super) fn run(command: Command) -> CommandResult {
    wait_for(async move {
        match command {
            Command::List(list) => {
                let space = list.space.remote()?;
                let found = list.page(&space, list.since.clone()).await?;
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
                let path = format!("/alerts/{}/resolve", id(&one.id)?);
                let alert = space.ask(Method::PATCH, &path, None).await?;
                show(&one.space, &alert)
            }
        }
    })
}

impl List {
    async fn page(
        &self,
        space: &RemoteSpace,
        since: Option<String>,
    ) -> Result<Value, super::CommandError> {
        let query = query(&[
            ("severity", &self.severities),
            ("status", &self.statuses),
            ("alert_type", &self.types),
            ("dedup_key", &self.keys),
            ("since", &since.into_iter().collect::<Vec<_>>()),
            ("limit", std::slice::from_ref(&self.limit)),
        ]);
        space.get(&format!("/alerts{query}")).await
    }
}

/// Prints what comes from now on, oldest first.
async fn tail(list: &List) -> CommandResult {
    let space = list.space.remote()?;
    let mut since = list
        .since
        .clone()
        .unwrap_or_else(|| SystemClock.now().to_string());
    let mut printed: VecDeque<String> = VecDeque::new();
    loop {
        let page = list.page(&space, Some(since.clone())).await?;
        let found: Vec<&Value> = items(&page).collect();
        for alert in found.into_iter().rev() {
            let id = text(alert, "id");
            if printed.contains(&id) {
                continue;
            }
            since = text(alert, "received_at");
            printed.push_back(id);
            if printed.len() > PRINTED_MAX {
                printed.pop_front();
            }
            if list.space.json() {
                say(alert)?;
            } else {
                say(row(alert).map(|cell| harmless(&cell)).join("  "))?;
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
    for (name, cell) in HEADING.iter().zip(row(alert)) {
        say(format_args!(
            "{:<9}  {}",
            name.to_lowercase(),
            harmless(&cell)
        ))?;
    }
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
    if !rows.is_empty() {
        say("")?;
        say(table(
            &["DELIVERY", "CONNECTOR", "KIND", "STATE", "REASON"],
            rows,
        ))?;
    }
    let attempts: Vec<_> = deliveries.flat_map(attempt_rows).collect();
    if !attempts.is_empty() {
        say("")?;
        say(table(&ATTEMPT_HEADING, attempts))?;
    }
    Ok(())
}
