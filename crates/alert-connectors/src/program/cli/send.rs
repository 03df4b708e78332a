//! `send`: posts alerts to a running server: one that the options describe, or those that standard input holds.

use std::{io, time::Duration};

use alert_connectors::SystemRandom;
use alert_connectors_api::mended;
use alert_connectors_model::{Random, Severity};
use bytes::Bytes;
use clap::Args;
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Deserializer, Value, json};
use tokio::time::{Instant, sleep};

use super::{
    CommandError, CommandResult,
    cells::text,
    progress::Progress,
    remote::{CANNOT_NOW, REQUEST_MAX, RemoteSpace, hints},
    say,
    server_options::{SpaceOptions, by_words},
    talk, wait_for,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 accepted (with --wait: delivered), 1 refused, 2 wrong usage, 3 accepted and not delivered,
4 server not reached.

Examples:
  alert-connectors send --server https://alerts.example.com --space data --type dq_alert --severity critical \\
    --field table=orders --dedup-key freshness:orders \"Orders are 7 h late\"
  alert-connectors send --type dq_alert --severity critical --dedup-key freshness:orders --resolved \"Orders are on time again\"
  jq -c '.[]' alerts.json | alert-connectors send --space data -"
)]
pub(super) struct Options {
    #[command(flatten)]
    space: SpaceOptions,
    /// The alert's type
    #[arg(long = "type", value_name = "TYPE")]
    alert_type: Option<String>,
    /// low, medium, high or critical
    #[arg(long, add = by_words(Severity::ALL.map(Severity::as_str)))]
    severity: Option<String>,
    /// What happened, in detail
    #[arg(long)]
    description: Option<String>,
    /// A fact about the alert; repeatable
    #[arg(long = "field", value_name = "NAME=VALUE")]
    fields: Vec<String>,
    /// Where the alert is described
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A further link; repeatable
    #[arg(long = "action", value_name = "LABEL=URL")]
    actions: Vec<String>,
    /// The key of the ongoing problem
    #[arg(long)]
    dedup_key: Option<String>,
    /// Resolve the problem
    #[arg(long)]
    resolved: bool,
    /// Names the request, so that the server stores it once however often it is sent
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Wait until every delivery has arrived
    #[arg(long)]
    wait: bool,
    /// How long to go on: with a server that answers 503 or 429, and with --wait
    #[arg(long, default_value = "60s")]
    timeout: SignedDuration,
    /// What happened, in one line; `-` reads alerts from standard input, as JSON, a JSON list, or JSON lines
    title: String,
}

/// How often `--wait` asks whether the alerts arrived.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A server that can't answer now is asked again after this time, then after twice as long, up to the longest.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(10);
/// A request is given this much time, however little is left of `--timeout`.
const REQUEST_MIN: Duration = Duration::from_millis(100);
/// So many alerts of standard input go in one request.
const BATCH_ALERTS: usize = 500;

pub(super) fn run(options: Options) -> CommandResult {
    let alerts = if options.title == "-" {
        options.refuse_others()?;
        parsed(&io::read_to_string(io::stdin())?)?
    } else {
        vec![options.alert()?]
    };
    wait_for(async move {
        let timeout = Duration::try_from(options.timeout).unwrap_or_default();
        let sending = Sending {
            space: options.space.remote()?,
            ends_at: Instant::now() + timeout,
            key: options.idempotency_key.clone().unwrap_or_else(made_key),
            json: options.space.json(),
        };
        let accepted = if options.title == "-" {
            sending.send_all(&alerts).await?
        } else {
            vec![sending.send_one(&alerts[0]).await?]
        };
        if options.wait {
            sending.arrived(accepted).await
        } else {
            Ok(())
        }
    })
}

/// A name for the request that no other has.
fn made_key() -> String {
    let mut bytes = [0; 16];
    SystemRandom::default().fill(&mut bytes);
    format!("cli-{:032x}", u128::from_be_bytes(bytes))
}

/// The alerts of standard input, with what producers write although JSON has no such thing.
fn parsed(text: &str) -> Result<Vec<Value>, CommandError> {
    let text = mended(&Bytes::from(text.trim_start_matches('\u{feff}').to_owned()));
    let mut alerts = Vec::new();
    for value in Deserializer::from_slice(&text).into_iter::<Value>() {
        match value {
            Ok(Value::Array(list)) => alerts.extend(list),
            Ok(one) => alerts.push(one),
            Err(error) => {
                let line = format!("standard input is no JSON: {error}");
                return Err(CommandError::Usage(vec![line]));
            }
        }
    }
    if alerts.is_empty() {
        let line = "standard input holds no alert".to_owned();
        return Err(CommandError::Usage(vec![line]));
    }
    Ok(alerts)
}

impl Options {
    /// Refuses options that describe an alert where standard input describes them all.
    fn refuse_others(&self) -> CommandResult {
        let given = [
            ("type", self.alert_type.is_some()),
            ("severity", self.severity.is_some()),
            ("description", self.description.is_some()),
            ("field", !self.fields.is_empty()),
            ("url", self.url.is_some()),
            ("action", !self.actions.is_empty()),
            ("dedup-key", self.dedup_key.is_some()),
            ("resolved", self.resolved),
        ];
        let given: Vec<String> = given
            .into_iter()
            .filter(|(_, is_given)| *is_given)
            .map(|(name, _)| {
                format!(
                    "--{name} says nothing of alerts from standard input; write it into their JSON"
                )
            })
            .collect();
        if given.is_empty() {
            Ok(())
        } else {
            Err(CommandError::Usage(given))
        }
    }

    /// The alert that the options describe.
    fn alert(&self) -> Result<Value, CommandError> {
        let mut faults = Vec::new();
        let mut pairs = |option: &str, texts: &[String], names: [&str; 2]| {
            let mut all = Vec::new();
            for text in texts {
                match text.split_once('=') {
                    Some((name, value)) => all.push(json!({names[0]: name, names[1]: value})),
                    None => faults.push(format!(
                        "--{option} {text}: write it as {}=…",
                        names[0].to_uppercase()
                    )),
                }
            }
            all
        };
        let fields = pairs("field", &self.fields, ["name", "value"]);
        let actions = pairs("action", &self.actions, ["label", "url"]);
        for (option, value) in [("type", &self.alert_type), ("severity", &self.severity)] {
            if value.is_none() {
                faults.push(format!("--{option} is missing"));
            }
        }
        if !faults.is_empty() {
            return Err(CommandError::Usage(faults));
        }
        Ok(json!({
            "alert_type": self.alert_type, "severity": self.severity, "title": self.title,
            "description": self.description, "fields": fields, "url": self.url, "actions": actions,
            "dedup_key": self.dedup_key, "status": if self.resolved { "resolved" } else { "active" },
        }))
    }
}

/// What one command sends.
struct Sending {
    space: RemoteSpace,
    /// When to give up.
    ends_at: Instant,
    key: String,
    json: bool,
}

impl Sending {
    async fn send_one(&self, alert: &Value) -> Result<Value, CommandError> {
        let (status, accepted) = self.post("/alerts", alert, &self.key).await?;
        if status != StatusCode::ACCEPTED {
            return Err(self.space.remote.refused(status, &accepted));
        }
        self.report(&accepted)?;
        Ok(accepted)
    }

    /// Posts in batches. What is refused is said, and the others are sent.
    async fn send_all(&self, alerts: &[Value]) -> Result<Vec<Value>, CommandError> {
        let (mut accepted, mut refused) = (Vec::new(), 0);
        let mut progress = Progress::new(alerts.len() as u64);
        for (number, batch) in alerts.chunks(BATCH_ALERTS).enumerate() {
            let key = format!("{}-{number}", self.key);
            let (status, answer) = self.post("/alerts/batch", &json!(batch), &key).await?;
            if !status.is_success() {
                return Err(self.space.remote.refused(status, &answer));
            }
            let results = answer["results"].as_array().into_iter().flatten();
            for (at, result) in results.enumerate() {
                if result["alert"].is_object() {
                    progress.aside(|| self.report(&result["alert"]))?;
                    accepted.push(result["alert"].clone());
                } else {
                    refused += 1;
                    let which = number * BATCH_ALERTS + at + 1;
                    let detail = text(&result["problem"], "detail");
                    let hints = hints(&result["problem"]);
                    progress.aside(|| {
                        talk(format_args!(
                            "error: alert {which} is refused: {detail}{hints}"
                        ));
                    });
                }
            }
            progress.show((accepted.len() + refused) as u64, "sent");
        }
        if refused > 0 {
            let line = format!("{refused} of {} alerts are refused", alerts.len());
            return Err(CommandError::Refused(line));
        }
        Ok(accepted)
    }

    /// Posts once, or again under the same key while the server can't answer.
    async fn post(
        &self,
        rest: &str,
        body: &Value,
        key: &str,
    ) -> Result<(StatusCode, Value), CommandError> {
        let (mut wait, mut may_be_stored) = (AGAIN_AFTER, false);
        loop {
            let left = self.ends_at.saturating_duration_since(Instant::now());
            let request = self
                .space
                .remote
                .request(Method::POST, &self.space.path(rest));
            let request = request.header("idempotency-key", key).json(body);
            let request = request.timeout(left.clamp(REQUEST_MIN, REQUEST_MAX));
            let (status, answer, asked) = self.space.remote.answer_and_wait(request).await?;
            let has_met_quota = status == StatusCode::TOO_MANY_REQUESTS;
            if !CANNOT_NOW.contains(&status) && !has_met_quota {
                return Ok((status, answer));
            }
            may_be_stored |= !has_met_quota;
            let pause = asked.unwrap_or_default().max(wait);
            if Instant::now() + pause > self.ends_at {
                let detail = text(&answer, "detail");
                if !may_be_stored {
                    return Err(CommandError::Refused(detail));
                }
                return Err(CommandError::Unreachable(format!(
                    "the server can't take it now ({status}) {detail}; it may be stored, so repeat it with --idempotency-key {}",
                    self.key
                )));
            }
            sleep(pause).await;
            wait = (2 * wait).min(AGAIN_AFTER_MAX);
        }
    }

    /// Prints the id, and says who hears of it.
    fn report(&self, alert: &Value) -> CommandResult {
        for warning in alert["warnings"].as_array().into_iter().flatten() {
            talk(format_args!("warning: {}", text(warning, "msg")));
        }
        match nobody_hears(alert) {
            Some(why) => talk(format_args!("warning: {why}")),
            None => talk(format_args!("queued for {}", names(alert, |_| true))),
        }
        if self.json {
            say(alert)?;
        } else {
            say(text(alert, "id"))?;
        }
        Ok(())
    }

    /// Waits until every delivery of the alerts has arrived.
    async fn arrived(&self, alerts: Vec<Value>) -> CommandResult {
        let total = alerts.len();
        let mut progress = Progress::new(total as u64);
        let mut waiting: Vec<String> = Vec::new();
        for alert in &alerts {
            match nobody_hears(alert) {
                Some(NO_MATCH) => return Err(CommandError::Undelivered(NO_MATCH.to_owned())),
                // Of a problem that goes on, and of the end of none, nobody needs to hear.
                Some(_) => {}
                None => waiting.push(text(alert, "id")),
            }
        }
        while let Some(id) = waiting.last() {
            let alert = self.space.get(&format!("/alerts/{id}")).await;
            let alert = alert.map_err(|error| match error {
                CommandError::Refused(line) => CommandError::Undelivered(format!(
                    "accepted, but its deliveries can't be read: {line}; a key that may only send can't wait"
                )),
                other => other,
            })?;
            let bad = names(&alert, |state| {
                ["failed", "expired", "cancelled"].contains(&state)
            });
            if !bad.is_empty() {
                return Err(CommandError::Undelivered(format!("not delivered to {bad}")));
            }
            let pending = names(&alert, |state| state == "pending");
            if pending.is_empty() {
                waiting.pop();
                progress.show((total - waiting.len()) as u64, "arrived");
            } else if Instant::now() > self.ends_at {
                return Err(CommandError::Undelivered(format!(
                    "still pending for {pending}; it goes on without this command"
                )));
            } else {
                sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }
}

/// The names of the connectors whose deliveries are in some states.
fn names(alert: &Value, is_meant: impl Fn(&str) -> bool) -> String {
    let deliveries = alert["deliveries"].as_array().into_iter().flatten();
    let meant = deliveries.filter(|one| is_meant(one["state"].as_str().unwrap_or_default()));
    let names: Vec<String> = meant.map(|one| text(one, "connector_name")).collect();
    names.join(", ")
}

const NO_MATCH: &str = "no connector of the space matches this alert, so nothing is sent";

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
            NO_MATCH
        },
    )
}
