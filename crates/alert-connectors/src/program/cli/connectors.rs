//! `connectors`: the connectors of a space from a terminal, through a running server.

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value, json};

use super::{
    CommandError, CommandResult, say,
    send::{client, refusal, root},
    table::table,
    wait_for,
};

#[derive(Debug, Args)]
pub(super) struct Server {
    /// The server, such as <https://alerts.example.com>
    #[arg(long, env = "ALERT_CONNECTORS_SERVER", value_name = "URL")]
    server: String,
    /// The slug of the space
    #[arg(long)]
    space: String,
    /// Print the API's JSON
    #[arg(long)]
    json: bool,
    /// A session token or API key
    #[arg(
        long,
        env = "ALERT_CONNECTORS_TOKEN",
        hide_env_values = true,
        hide = true
    )]
    token: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Values {
    /// Display name
    #[arg(long)]
    name: Option<String>,
    /// slack or teams
    #[arg(long = "type", value_name = "TYPE")]
    connector_type: Option<String>,
    /// The incoming webhook; `-` reads it from standard input, which keeps it out of process lists
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// A severity to forward, or `all`; repeatable
    #[arg(long = "severity", value_name = "SEVERITY", value_delimiter = ',')]
    severities: Option<Vec<String>>,
    /// An alert type to forward, or `all`; repeatable
    #[arg(long = "alert-type", value_name = "TYPE", value_delimiter = ',')]
    alert_types: Option<Vec<String>>,
    /// Whether the connector gets alerts
    #[arg(long, value_name = "true|false")]
    active: Option<bool>,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "The token comes from ALERT_CONNECTORS_TOKEN.

Examples:
  alert-connectors connectors list --server https://alerts.example.com --space data
  alert-connectors connectors create --server https://alerts.example.com --space data \\
    --name '#data-quality-alerts' --type slack --webhook-url - < url.txt
  alert-connectors connectors update ID --server https://alerts.example.com --space data --severity critical
  alert-connectors connectors test ID --server https://alerts.example.com --space data")]
pub(super) enum Command {
    /// List all connectors
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Create a connector
    Create {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        values: Values,
    },
    /// Change the given values of a connector
    Update {
        /// The connector's id
        id: String,
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        values: Values,
    },
    /// Delete a connector
    Delete {
        /// The connector's id
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// Send a test message
    Test {
        /// The connector's id
        id: String,
        #[command(flatten)]
        server: Server,
    },
}

pub(super) fn run(command: Command) -> CommandResult {
    wait_for(async move {
        match command {
            Command::List { server } => {
                let found = server.ask(Method::GET, "", None).await?;
                server.show(&found)
            }
            Command::Create { server, values } => {
                let body = values.body()?;
                let made = server.ask(Method::POST, "", Some(&body)).await?;
                server.show(&made)
            }
            Command::Update { id, server, values } => {
                let body = values.body()?;
                let changed = server.ask(Method::PATCH, &part(&id)?, Some(&body)).await?;
                server.show(&changed)
            }
            Command::Delete { id, server } => {
                server.ask(Method::DELETE, &part(&id)?, None).await?;
                Ok(())
            }
            Command::Test { id, server } => {
                let path = format!("{}/test", part(&id)?);
                let report = server.ask(Method::POST, &path, None).await?;
                server.tell(&report)
            }
        }
    })
}

/// An id as part of a path.
fn part(id: &str) -> Result<String, CommandError> {
    let sound = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if sound && !id.is_empty() {
        Ok(format!("/{id}"))
    } else {
        Err(CommandError::Usage(vec![format!(
            "{id:?} is no connector's id"
        )]))
    }
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

impl Server {
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, CommandError> {
        let Some(token) = &self.token else {
            return Err(CommandError::Usage(vec![
                "set ALERT_CONNECTORS_TOKEN to a session token or API key".to_owned(),
            ]));
        };
        let space = super::space::slug(&self.space)?;
        let url = format!(
            "{}/spaces/{space}/alert-connectors{path}",
            self.server.trim_end_matches('/')
        );
        let request = client()?.request(method, url).bearer_auth(token);
        let request = body.map_or(request.try_clone(), |body| {
            request.try_clone().map(|request| request.json(body))
        });
        Ok(self
            .answer(request.context("a request can be copied")?)
            .await?)
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let answer = request
            .send()
            .await
            .map_err(|error| anyhow!("{} can't be reached: {}", self.server, root(&error)))?;
        let status = answer.status();
        let text = answer
            .text()
            .await
            .context("the server's answer broke off")?;
        let body: Value = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).context("the server's answer is no JSON")?,
        };
        if status.is_success() {
            Ok(body)
        } else {
            Err(anyhow!(refusal(&body, status)))
        }
    }

    /// One connector or all of them.
    fn show(&self, found: &Value) -> CommandResult {
        if self.json {
            return Ok(say(found)?);
        }
        let connectors = match found {
            Value::Array(all) => all.clone(),
            one => vec![one.clone()],
        };
        let heading = ["ID", "NAME", "TYPE", "ACTIVE", "SEVERITIES", "ALERT TYPES"];
        let rows = connectors.iter().map(row).collect();
        Ok(say(table(&heading, rows))?)
    }

    /// Prints the result of a test. If the test failed, so does the command.
    fn tell(&self, report: &Value) -> CommandResult {
        if self.json {
            say(report)?;
        }
        match report["error"].as_str() {
            Some(error) => Err(anyhow!("the test failed: {error}").into()),
            None if self.json => Ok(()),
            None => Ok(say(
                "the webhook took the message; look for it in the channel",
            )?),
        }
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
