//! `apply` and `export`: connectors as code.

use std::{collections::BTreeSet, path::PathBuf};

use alert_connectors_model::{NewConnector, Slug, WebhookUrl};
use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    CommandError, CommandResult,
    cells::text,
    manifest::{self, SpaceManifest},
    remote::Remote,
    say,
    server_options::{ServerOptions, by_spaces},
    space::slug,
    talk, wait_for,
};

#[derive(Debug, Args)]
#[command(after_help = "A file names the connectors that spaces should have:

  spaces:
    data:
      connectors:
        - name: '#data-quality-alerts'
          connector_type: slack
          webhook_url: ${DATA_QUALITY_URL}
          severity_filter: [high, critical]

Connectors are known by their names. A webhook_url is \"${NAME}\" or {env: NAME} from the environment, or {file: PATH}.
Exit status: 0 done, 1 failed or refused, 2 wrong usage, a fault of a file or, with --dry-run, something to change, 4 server not
reached.

Examples:
  alert-connectors apply -f connectors.yaml --dry-run
  alert-connectors apply -f data.yaml -f sales.toml --prune")]
pub(super) struct Options {
    /// A file in YAML, or in TOML if it ends with .toml; repeatable
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
    /// Delete the connectors of these spaces that no file names
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  alert-connectors export > connectors.yaml
  alert-connectors export --space data --space sales --format toml > connectors.toml")]
pub(super) struct ExportOptions {
    /// The slug of a space; every space of yours if left out; repeatable
    #[arg(long = "space", value_name = "SLUG", add = by_spaces())]
    spaces: Vec<String>,
    /// How to write it
    #[arg(long, value_enum, default_value = "yaml")]
    format: Format,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Yaml,
    Toml,
}

/// What happens to one connector.
struct Change {
    space: Slug,
    name: String,
    action: Action,
}

enum Action {
    Create(Value),
    /// The fields that differ.
    Update(String, Map<String, Value>),
    Delete(String),
    /// No file names it.
    Keep,
}

pub(super) fn run(options: Options) -> CommandResult {
    let (spaces, mut faults) = manifest::read(&options.files);
    wait_for(async move {
        let remote = match options.server.remote() {
            Ok(remote) => remote,
            Err(_) if !faults.is_empty() => return Err(CommandError::Usage(faults)),
            Err(error) => return Err(error),
        };
        let (mut changes, mut refused) = (Vec::new(), Vec::new());
        for space in &spaces {
            match plan(&remote, space, options.prune).await {
                Ok(planned) => changes.extend(planned),
                Err(CommandError::Usage(found)) => faults.extend(found),
                Err(CommandError::Refused(line)) => {
                    refused.push(format!("the space {}: {line}", space.slug));
                }
                // The faults of the files are known without the server.
                Err(_) if !faults.is_empty() || !refused.is_empty() => break,
                Err(other) => return Err(other),
            }
        }
        if !faults.is_empty() {
            return Err(CommandError::Usage([faults, refused].concat()));
        }
        if !refused.is_empty() {
            return Err(CommandError::Refused(refused.join("\nerror: ")));
        }
        let pending = changes
            .iter()
            .filter(|change| !matches!(change.action, Action::Keep))
            .count();
        for change in &changes {
            report(change, options.server.json)?;
        }
        if pending == 0 {
            talk(format_args!("nothing to change"));
            return Ok(());
        }
        if options.dry_run {
            let line = format!("{pending} to change; nothing was changed");
            return Err(CommandError::WouldChange(line));
        }
        carry_out(&remote, &changes).await
    })
}

/// What differs between a space and what its file says, in the file's order.
async fn plan(
    remote: &Remote,
    wanted: &SpaceManifest,
    prune: bool,
) -> Result<Vec<Change>, CommandError> {
    let path = format!("/spaces/{}/alert-connectors", wanted.slug);
    let stored = remote.get(&path).await?;
    let stored = stored.as_array().map_or(&[][..], Vec::as_slice);
    if stored.iter().any(is_masked) {
        talk(format_args!(
            "warning: {}: you may not see its webhook URLs, so that whether they change can't be said",
            wanted.slug
        ));
    }
    let (mut changes, mut faults) = (Vec::new(), Vec::new());
    let mut change = |name: &str, action| {
        changes.push(Change {
            space: wanted.slug.clone(),
            name: name.to_owned(),
            action,
        });
    };
    for connector in &wanted.connectors {
        let same: Vec<&Value> = stored
            .iter()
            .filter(|one| one["name"] == connector.name.as_str())
            .collect();
        let body = body(connector);
        match same[..] {
            [] => change(&connector.name, Action::Create(Value::Object(body))),
            [one] => {
                let differing = differing(one, body);
                if !differing.is_empty() {
                    change(&connector.name, Action::Update(text(one, "id"), differing));
                }
            }
            _ => faults.push(format!(
                "{}: several connectors are called {}; rename all but one",
                wanted.slug, connector.name
            )),
        }
    }
    let named: BTreeSet<&str> = wanted
        .connectors
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    for one in stored {
        let name = one["name"].as_str().unwrap_or_default();
        if !named.contains(name) {
            let id = text(one, "id");
            change(
                name,
                if prune {
                    Action::Delete(id)
                } else {
                    Action::Keep
                },
            );
        }
    }
    if faults.is_empty() {
        Ok(changes)
    } else {
        Err(CommandError::Usage(faults))
    }
}

/// A connector as the API takes it.
fn body(connector: &NewConnector) -> Map<String, Value> {
    let all = json!({
        "name": connector.name,
        "connector_type": connector.connector_type.as_str(),
        "webhook_url": connector.webhook_url.expose(),
        "is_active": connector.is_active,
        "severity_filter": connector.severity_filter.severities(),
        "alert_type_filter": connector.alert_type_filter.types(),
    });
    match all {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

/// Whether a viewer asks, who sees no more of a URL than its host.
fn is_masked(stored: &Value) -> bool {
    stored["webhook_url"]
        .as_str()
        .is_some_and(WebhookUrl::is_masked)
}

/// The fields in which a stored connector differs, as far as they are shown. The order in a filter means nothing.
fn differing(stored: &Value, wanted: Map<String, Value>) -> Map<String, Value> {
    let sorted = |value: &Value| match value {
        Value::Array(items) => {
            let mut items: Vec<String> = items.iter().map(ToString::to_string).collect();
            items.sort();
            json!(items)
        }
        other => other.clone(),
    };
    wanted
        .into_iter()
        .filter(|(name, _)| name != "webhook_url" || !is_masked(stored))
        .filter(|(name, value)| sorted(&stored[name]) != sorted(value))
        .collect()
}

/// Says what happens to a connector, and no URL.
fn report(change: &Change, as_json: bool) -> CommandResult {
    let (space, name) = (&change.space, &change.name);
    let (word, fields) = match &change.action {
        Action::Create(_) => ("create", None),
        Action::Update(_, fields) => ("change", Some(fields)),
        Action::Delete(_) => ("delete", None),
        Action::Keep => ("keep", None),
    };
    let names: Vec<&str> = fields
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    if as_json {
        let line = json!({"space": space, "connector": name, "action": word, "fields": names});
        return Ok(say(line)?);
    }
    let name = super::harmless::harmless(name);
    let more = match &change.action {
        Action::Update(_, fields) => format!(": {}", words(fields)),
        Action::Keep => ", which no file names (--prune deletes it)".to_owned(),
        Action::Create(_) | Action::Delete(_) => String::new(),
    };
    Ok(say(format_args!("{space}: {word} {name}{more}"))?)
}

/// What becomes of the fields that differ. A URL is a secret.
fn words(fields: &Map<String, Value>) -> String {
    let word = |(name, value): (&String, &Value)| {
        if name == "webhook_url" {
            return "another webhook_url".to_owned();
        }
        let value = match value {
            Value::Array(items) if items.is_empty() && name == "severity_filter" => {
                "all".to_owned()
            }
            Value::Null => "all".to_owned(),
            other => other.to_string(),
        };
        format!("{name} becomes {}", super::harmless::harmless(&value))
    };
    fields.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// Makes the changes. What the server refuses is said, and the others are made.
async fn carry_out(remote: &Remote, changes: &[Change]) -> CommandResult {
    let (mut tried, mut refused) = (0, 0);
    for change in changes {
        let path = format!("/spaces/{}/alert-connectors", change.space);
        let done = match &change.action {
            Action::Create(body) => remote.ask(Method::POST, &path, Some(body)).await,
            Action::Update(id, fields) => {
                let body = Value::Object(fields.clone());
                let path = format!("{path}/{id}");
                remote.ask(Method::PATCH, &path, Some(&body)).await
            }
            Action::Delete(id) => {
                remote
                    .ask(Method::DELETE, &format!("{path}/{id}"), None)
                    .await
            }
            Action::Keep => continue,
        };
        tried += 1;
        match done {
            Ok(_) => {}
            Err(CommandError::Refused(line)) => {
                refused += 1;
                talk(format_args!(
                    "error: {}: {}: {line}",
                    change.space, change.name
                ));
            }
            Err(other) => return Err(other),
        }
    }
    if refused == 0 {
        return Ok(());
    }
    let line = format!("{refused} of {tried} changes are refused");
    Err(CommandError::Refused(line))
}

pub(super) fn export(options: ExportOptions) -> CommandResult {
    wait_for(async move {
        let remote = options.server.remote()?;
        let slugs = options.spaces.iter().map(|named| slug(named));
        let mut slugs: Vec<Slug> = slugs.collect::<Result<_, _>>()?;
        if slugs.is_empty() {
            let me = remote.get("/auth/me").await?;
            let all = me["spaces"].as_array().into_iter().flatten();
            slugs = all
                .filter_map(|space| Slug::parse(space["slug"].as_str()?))
                .collect();
        }
        let (mut spaces, mut variables) = (Map::new(), BTreeSet::new());
        for slug in slugs {
            let stored = remote
                .get(&format!("/spaces/{slug}/alert-connectors"))
                .await?;
            let stored = stored.as_array().into_iter().flatten();
            warn_of_duplicate_names(&slug, stored.clone());
            let connectors: Vec<Value> = stored
                .map(|one| exported(&slug, one, &mut variables))
                .collect();
            spaces.insert(slug.to_string(), json!({ "connectors": connectors }));
        }
        let document = json!({ "spaces": spaces });
        let written = match options.format {
            _ if options.server.json => document.to_string(),
            Format::Yaml => serde_saphyr::to_string(&document)?,
            Format::Toml => toml::to_string(&document)?,
        };
        for variable in &variables {
            talk(format_args!(
                "set {variable} to the webhook URL before you apply"
            ));
        }
        Ok(say(written.trim_end())?)
    })
}

/// Files know connectors by their names, so `apply` refuses a file with several of one name.
fn warn_of_duplicate_names<'s>(slug: &Slug, stored: impl Iterator<Item = &'s Value>) {
    let (mut names, mut warned) = (BTreeSet::new(), BTreeSet::new());
    for one in stored {
        let name = text(one, "name");
        if !names.insert(name.clone()) && warned.insert(name.clone()) {
            talk(format_args!(
                "warning: {slug}: several connectors are called {name}; give them names of their own before you apply"
            ));
        }
    }
}

/// A connector as a file names it, with a variable in place of its URL.
fn exported(slug: &Slug, stored: &Value, variables: &mut BTreeSet<String>) -> Value {
    let variable = variable_of(slug, &text(stored, "name"), variables);
    let mut one = Map::new();
    for name in ["name", "connector_type", "is_active", "severity_filter"] {
        one.insert(name.to_owned(), stored[name].clone());
    }
    // TOML knows no null; what is left out means every type.
    if !stored["alert_type_filter"].is_null() {
        one.insert(
            "alert_type_filter".to_owned(),
            stored["alert_type_filter"].clone(),
        );
    }
    one.insert("webhook_url".to_owned(), format!("${{{variable}}}").into());
    Value::Object(one)
}

/// A name for an environment variable that no other connector has.
fn variable_of(slug: &Slug, name: &str, taken: &mut BTreeSet<String>) -> String {
    let fits = |letter: char| match letter.to_ascii_uppercase() {
        letter @ ('A'..='Z' | '0'..='9') => letter,
        _ => '_',
    };
    let words: String = format!("{slug}_{name}").chars().map(fits).collect();
    let parts: Vec<&str> = words.split('_').filter(|part| !part.is_empty()).collect();
    let base = format!("WEBHOOK_{}", parts.join("_"));
    let mut variable = base.clone();
    let mut number = 2;
    while !taken.insert(variable.clone()) {
        variable = format!("{base}_{number}");
        number += 1;
    }
    variable
}
