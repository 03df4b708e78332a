//! `connectors`: the connectors of a space from a terminal, through a running server.

use alert_connectors_model::{ConnectorType, Severity};
use anyhow::anyhow;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    CommandError, CommandResult,
    cells::{items, text},
    deliveries, say,
    server_options::{SpaceOptions, by_connectors, by_words},
    table::table,
    wait_for,
};

#[derive(Debug, Args)]
pub(super) struct Values {
    /// Display name
    #[arg(long)]
    name: Option<String>,
    /// slack or teams
    #[arg(long = "type", value_name = "TYPE", add = by_words(ConnectorType::ALL.map(ConnectorType::as_str)))]
    connector_type: Option<String>,
    /// The incoming webhook; `-` reads it from standard input, which keeps it out of process lists
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// A severity to forward, or `all`; repeatable
    #[arg(long = "severity", value_name = "SEVERITY", value_delimiter = ',', add = by_words(Severity::ALL.map(Severity::as_str)))]
    severities: Option<Vec<String>>,
    /// An alert type to forward, or `all`; repeatable
    #[arg(long = "alert-type", value_name = "TYPE", value_delimiter = ',')]
    alert_types: Option<Vec<String>>,
    /// Whether the connector gets alerts
    #[arg(long, value_name = "true|false")]
    active: Option<bool>,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "A connector is named by its id or its name.

Examples:
  alert-connectors connectors list --server https://alerts.example.com --space data
  alert-connectors connectors create --name '#data-quality-alerts' --type slack --webhook-url - < url.txt
  alert-connectors connectors update '#data-quality-alerts' --severity critical
  alert-connectors connectors health
  alert-connectors connectors replay '#data-quality-alerts' --since 2026-11-28T09:00:00Z")]
pub(super) enum Command {
    /// List all connectors
    List {
        #[command(flatten)]
        space: SpaceOptions,
    },
    /// Create a connector
    Create {
        #[command(flatten)]
        space: SpaceOptions,
        #[command(flatten)]
        values: Values,
    },
    /// Change the given values of a connector
    Update {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        values: Values,
    },
    /// Delete a connector
    Delete(One),
    /// Send a test message
    Test(One),
    /// Show how the connectors fare
    Health {
        #[command(flatten)]
        space: SpaceOptions,
    },
    /// List a connector's deliveries, newest first
    Deliveries(One),
    /// Queue again what did not arrive at a connector
    Replay {
        #[command(flatten)]
        one: One,
        /// What was queued at or after this RFC 3339 time
        #[arg(long, value_name = "TIME")]
        since: String,
        /// What was queued before this RFC 3339 time; now if left out
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The connector's id or name
    #[arg(add = by_connectors())]
    connector: String,
    #[command(flatten)]
    space: SpaceOptions,
}

pub(super) fn run(command: Command) -> CommandResult {
    wait_for(async move {
        match command {
            Command::List { space } => {
                let found = space.remote()?.get("/alert-connectors").await?;
                show(&space, &found)
            }
            Command::Create { space, values } => {
                let body = values.body()?;
                let remote = space.remote()?;
                let made = remote
                    .ask(Method::POST, "/alert-connectors", Some(&body))
                    .await?;
                show(&space, &made)
            }
            Command::Update { one, values } => {
                let body = values.body()?;
                let changed = one.ask(Method::PATCH, "", Some(&body)).await?;
                show(&one.space, &changed)
            }
            Command::Delete(one) => one.ask(Method::DELETE, "", None).await.map(drop),
            Command::Test(one) => {
                let report = one.ask(Method::POST, "/test", None).await?;
                print_test_result(&one.space, &report)
            }
            Command::Health { space } => health(&space).await,
            Command::Deliveries(one) => {
                let page = one.ask(Method::GET, "/deliveries", None).await?;
                deliveries::list(&one.space, &page)
            }
            Command::Replay { one, since, until } => {
                let body = json!({"since": since, "until": until});
                let replayed = one.ask(Method::POST, "/replay", Some(&body)).await?;
                if one.space.json() {
                    return Ok(say(replayed)?);
                }
                Ok(say(format_args!("{} queued again", replayed["count"]))?)
            }
        }
    })
}

impl One {
    /// Asks about the connector.
    async fn ask(
        &self,
        method: Method,
        rest: &str,
        body: Option<&Value>,
    ) -> Result<Value, CommandError> {
        let space = self.space.remote()?;
        let id = space.connector(&self.connector).await?;
        let path = format!("/alert-connectors/{id}{rest}");
        space.ask(method, &path, body).await
    }
}

async fn health(options: &SpaceOptions) -> CommandResult {
    let space = options.remote()?;
    let found = space.get("/alert-connectors/health").await?;
    if options.json() {
        return Ok(say(found)?);
    }
    let connectors = space.get("/alert-connectors").await?;
    let connectors = connectors.as_array().map_or(&[][..], Vec::as_slice);
    let rows = items(&found).map(|health| {
        let id = text(health, "connector_id");
        let of_it = connectors.iter().find(|one| one["id"] == id.as_str());
        let name = of_it.map(|one| text(one, "name")).unwrap_or_default();
        let [state, since, depth, next, error] = [
            "state",
            "since",
            "queue_depth",
            "next_attempt_at",
            "last_error",
        ]
        .map(|name| text(health, name));
        [id, name, state, since, depth, next, error]
    });
    let heading = [
        "ID",
        "NAME",
        "STATE",
        "SINCE",
        "PENDING",
        "NEXT ATTEMPT",
        "LAST ERROR",
    ];
    Ok(say(table(&heading, rows.collect()))?)
}

impl Values {
    fn body(self) -> Result<Value, CommandError> {
        let all = |values: &[String]| values == ["all"];
        let mut body = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        put("name", self.name.map(Value::from));
        put("connector_type", self.connector_type.map(Value::from));
        put("is_active", self.active.map(Value::from));
        let url = match self.webhook_url.as_deref() {
            Some("-") => Some(std::io::read_to_string(std::io::stdin())?.trim().to_owned()),
            _ => self.webhook_url,
        };
        put("webhook_url", url.map(Value::from));
        let severities = self.severities.map(|values| {
            if all(&values) {
                json!([])
            } else {
                json!(values)
            }
        });
        put("severity_filter", severities);
        let types = self.alert_types.map(|values| {
            if all(&values) {
                Value::Null
            } else {
                json!(values)
            }
        });
        put("alert_type_filter", types);
        Ok(Value::Object(body))
    }
}

/// One connector or all of them.
fn show(options: &SpaceOptions, found: &Value) -> CommandResult {
    if options.json() {
        return Ok(say(found)?);
    }
    let connectors = match found {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    };
    let heading = ["ID", "NAME", "TYPE", "ACTIVE", "SEVERITIES", "ALERT TYPES"];
    let rows: Vec<_> = connectors.iter().map(row).collect();
    Ok(say(table(&heading, rows))?)
}

/// Prints the result of a test. If the test failed, so does the command.
fn print_test_result(options: &SpaceOptions, report: &Value) -> CommandResult {
    if options.json() {
        say(report)?;
    }
    match report["error"].as_str() {
        Some(error) => Err(anyhow!("the test failed: {error}").into()),
        None if options.json() => Ok(()),
        None => Ok(say(
            "the webhook took the message; look for it in the channel",
        )?),
    }
}

fn row(connector: &Value) -> Vec<String> {
    let text = |name: &str| connector[name].as_str().unwrap_or_default().to_owned();
    let list = |name: &str, none: &str| match connector[name].as_array() {
        Some(items) => {
            let words: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            words.join(",")
        }
        None => none.to_owned(),
    };
    let severities = list("severity_filter", "");
    vec![
        text("id"),
        text("name"),
        text("connector_type"),
        connector["is_active"]
            .as_bool()
            .unwrap_or_default()
            .to_string(),
        if severities.is_empty() {
            "all".to_owned()
        } else {
            severities
        },
        list("alert_type_filter", "all"),
    ]
}
