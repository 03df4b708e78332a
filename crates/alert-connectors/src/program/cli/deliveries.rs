//! `deliveries`: what was sent, what failed and what is pending, from a terminal.

use alert_connectors_model::{DeliveryKind, DeliveryState};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::{
    CommandResult,
    cells::{ATTEMPT_HEADING, attempt_rows, items, show_below, show_facts, text},
    remote::{id, query},
    say,
    server_options::{SpaceOptions, by_connectors, by_words},
    table::table,
    wait_for,
};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  alert-connectors deliveries list --state failed --state pending
  alert-connectors deliveries list --connector '#data-quality-alerts' --since 2026-11-28T09:00:00Z
  alert-connectors deliveries retry 0197c2a0-0000-7000-8000-000000000001")]
pub(super) enum Command {
    /// List deliveries, newest first
    List(List),
    /// Show a delivery with its attempts
    Show(One),
    /// Queue a delivery again that failed, expired or was cancelled
    Retry(One),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// pending, delivered, accepted, failed, expired or cancelled; repeatable
    #[arg(long = "state", value_name = "STATE", add = by_words(DeliveryState::ALL.map(DeliveryState::as_str)))]
    states: Vec<String>,
    /// opening, raised, renotified or resolved; repeatable
    #[arg(long = "kind", value_name = "KIND", add = by_words(DeliveryKind::ALL.map(DeliveryKind::as_str)))]
    kinds: Vec<String>,
    /// To this connector, by its id or name; repeatable
    #[arg(long = "connector", value_name = "CONNECTOR", add = by_connectors())]
    connectors: Vec<String>,
    /// Made at or after this RFC 3339 time
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
    /// The delivery's id
    id: String,
    #[command(flatten)]
    space: SpaceOptions,
}

pub(super) fn run(command: Command) -> CommandResult {
    wait_for(async move {
        match command {
            Command::List(list) => list.run().await,
            Command::Show(one) => {
                let space = one.space.remote()?;
                let delivery = space.get(&format!("/deliveries/{}", id(&one.id)?)).await?;
                show(&one.space, &delivery)
            }
            Command::Retry(one) => {
                let space = one.space.remote()?;
                let path = format!("/deliveries/{}/retry", id(&one.id)?);
                let delivery = space.ask(Method::POST, &path, None).await?;
                show(&one.space, &delivery)
            }
        }
    })
}

impl List {
    async fn run(&self) -> CommandResult {
        let space = self.space.remote()?;
        let mut connectors = Vec::new();
        for named in &self.connectors {
            connectors.push(space.connector(named).await?);
        }
        let query = query(&[
            ("state", &self.states),
            ("kind", &self.kinds),
            ("connector_id", &connectors),
            ("since", &self.since.clone().into_iter().collect::<Vec<_>>()),
            ("limit", std::slice::from_ref(&self.limit)),
        ]);
        let page = space.get(&format!("/deliveries{query}")).await?;
        list(&self.space, &page)
    }
}

/// Prints a page of deliveries.
pub(super) fn list(options: &SpaceOptions, page: &Value) -> CommandResult {
    if options.json() {
        return Ok(say(page)?);
    }
    let rows = items(page).map(row).collect();
    Ok(say(table(&HEADING, rows))?)
}

const HEADING: [&str; 6] = ["ID", "CREATED", "STATE", "KIND", "CONNECTOR", "ALERT"];

fn row(delivery: &Value) -> [String; 6] {
    [
        "id",
        "created_at",
        "state",
        "kind",
        "connector_name",
        "alert_id",
    ]
    .map(|name| text(delivery, name))
}

fn show(options: &SpaceOptions, delivery: &Value) -> CommandResult {
    if options.json() {
        return Ok(say(delivery)?);
    }
    show_facts(&HEADING, &row(delivery))?;
    let more = ["title", "reason", "next_attempt_at", "ended_at"];
    let more = more.map(|name| (name, text(delivery, name)));
    let (names, cells): (Vec<_>, Vec<_>) = more
        .into_iter()
        .filter(|(_, cell)| !cell.is_empty())
        .unzip();
    show_facts(&names, &cells)?;
    show_below(&ATTEMPT_HEADING, attempt_rows(delivery).collect())
}
