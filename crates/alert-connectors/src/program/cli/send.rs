//! `send`: posts one alert to a running server.

use std::time::Duration;

use alert_connectors_model::Slug;
use anyhow::{Context, anyhow, bail};
use clap::Args;
use reqwest::{StatusCode, redirect::Policy};
use serde_json::{Value, json};

use super::{CommandError, CommandResult, say, space::slug, wait_for};

#[derive(Debug, Args)]
#[command(after_help = "The token comes from ALERT_CONNECTORS_TOKEN.

Examples:
  alert-connectors send --server https://alerts.example.com --space data --type dq_alert --severity critical \\
    --field table=orders --dedup-key freshness:orders \"Orders are 7 h late\"
  alert-connectors send --server https://alerts.example.com --space data --type dq_alert --severity critical \\
    --dedup-key freshness:orders --resolved \"Orders are on time again\"")]
pub(super) struct Options {
    /// The server, such as <https://alerts.example.com>
    #[arg(long, env = "ALERT_CONNECTORS_SERVER", value_name = "URL")]
    server: String,
    /// The slug of the space
    #[arg(long)]
    space: String,
    /// The alert's type
    #[arg(long = "type", value_name = "TYPE")]
    alert_type: String,
    /// low, medium, high or critical
    #[arg(long)]
    severity: String,
    /// What happened, in detail
    #[arg(long)]
    description: Option<String>,
    /// A fact about the alert; repeatable
    #[arg(long = "field", value_name = "NAME=VALUE")]
    fields: Vec<String>,
    /// The key of the ongoing problem
    #[arg(long)]
    dedup_key: Option<String>,
    /// Resolve the problem
    #[arg(long)]
    resolved: bool,
    /// Wait until every delivery has arrived
    #[arg(long)]
    wait: bool,
    /// A session token or API key
    #[arg(
        long,
        env = "ALERT_CONNECTORS_TOKEN",
        hide_env_values = true,
        hide = true
    )]
    token: Option<String>,
    /// What happened, in one line
    title: String,
}

/// How often `--wait` asks whether the alert arrived.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const REQUEST_MAX: Duration = Duration::from_secs(30);

pub(super) fn run(options: Options) -> CommandResult {
    let Some(token) = options.token.clone() else {
        return Err(CommandError::Usage(vec![
            "set ALERT_CONNECTORS_TOKEN to a session token or API key".to_owned(),
        ]));
    };
    let space = slug(&options.space)?;
    let alert = alert(&options)?;
    wait_for(async move { Ok(send(&options, &space, &token, &alert).await?) })
}

fn alert(options: &Options) -> Result<Value, CommandError> {
    let field = |text: &String| {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            CommandError::Usage(vec![format!("--field {text}: write it as NAME=VALUE")])
        })?;
        Ok(json!({"name": name, "value": value}))
    };
    let fields = options
        .fields
        .iter()
        .map(field)
        .collect::<Result<Vec<_>, CommandError>>()?;
    Ok(json!({
        "alert_type": options.alert_type, "severity": options.severity, "title": options.title,
        "description": options.description, "fields": fields, "dedup_key": options.dedup_key,
        "status": if options.resolved { "resolved" } else { "active" },
    }))
}

/// A client that follows no redirects and reads no proxy variables.
pub(super) fn client() -> anyhow::Result<reqwest::Client> {
    // Fails only if one was installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(REQUEST_MAX)
        .build();
    client.context("TLS can't be set up")
}

async fn send(options: &Options, space: &Slug, token: &str, alert: &Value) -> anyhow::Result<()> {
    let client = client()?;
    let base = format!(
        "{}/spaces/{space}/alerts",
        options.server.trim_end_matches('/')
    );
    let answer = client
        .post(&base)
        .bearer_auth(token)
        .json(alert)
        .send()
        .await;
    let answer =
        answer.map_err(|error| anyhow!("{} can't be reached: {}", options.server, root(&error)))?;
    let status = answer.status();
    let body: Value = answer
        .json()
        .await
        .context("the server's answer is no JSON")?;
    if status != StatusCode::ACCEPTED {
        bail!(refusal(&body, status));
    }
    for warning in body["warnings"].as_array().into_iter().flatten() {
        super::talk(format_args!(
            "warning: {}",
            warning["msg"].as_str().unwrap_or_default()
        ));
    }
    if let Some(why) = nobody_hears(&body) {
        super::talk(format_args!("warning: {why}"));
    }
    let id = body["id"].as_str().unwrap_or_default().to_owned();
    say(&id)?;
    if options.wait {
        arrived(&client, &format!("{base}/{id}"), token).await
    } else {
        Ok(())
    }
}

/// Why an accepted alert has no deliveries, if it has none.
fn nobody_hears(alert: &Value) -> Option<&'static str> {
    if alert["deliveries"]
        .as_array()
        .is_none_or(|all| !all.is_empty())
    {
        return None;
    }
    let is_repeat = alert["occurrences"].as_u64().is_some_and(|count| count > 1);
    Some(
        if alert["status"] == "resolved" && !alert["dedup_key"].is_null() {
            "no message of an active problem with this key reached anyone, so nothing is sent"
        } else if is_repeat {
            "the problem is active already, so nothing new is sent"
        } else {
            "no connector of the space matches this alert, so nothing is sent"
        },
    )
}

pub(super) fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

pub(super) fn refusal(body: &Value, status: StatusCode) -> String {
    let detail = body["detail"].as_str().unwrap_or_default();
    let faults = body["errors"].as_array().into_iter().flatten();
    let faults = faults.filter_map(|fault| fault["msg"].as_str());
    let others = faults.filter(|msg| *msg != detail);
    let hints: Vec<String> = others.map(|msg| format!("\nhint: {msg}")).collect();
    format!("not accepted ({status}): {detail}{}", hints.concat())
}

async fn arrived(client: &reqwest::Client, url: &str, token: &str) -> anyhow::Result<()> {
    loop {
        let answer = client.get(url).bearer_auth(token).send().await?;
        let answered = answer.status();
        if !answered.is_success() {
            bail!(
                "the alert was accepted, but its deliveries can't be read ({answered}); a send-only key may not"
            );
        }
        let alert: Value = answer.json().await?;
        let states: Vec<&str> = alert["deliveries"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["state"].as_str())
            .collect();
        if let Some(bad) = states
            .iter()
            .find(|state| matches!(**state, "failed" | "expired" | "cancelled"))
        {
            bail!("a delivery is {bad}");
        }
        if !states.contains(&"pending") {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
