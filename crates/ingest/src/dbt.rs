//! dbt's `run_results.json`, versions 4 to 6 (<https://docs.getdbt.com/reference/artifacts/run-results-json>): alone, or in an object
//! `{run_results, manifest?, sources?}` with the other artifacts of the run. `dbt_cloud.rs` reads the webhooks of dbt Cloud.
//!
//! Each result is an alert about its node: a failure opens or repeats the node's problem, a pass ends it. The problem is named by
//! project, target and node, so that the runs of two environments don't end each other's.

use std::{borrow::Cow, collections::HashMap};

use alert_connectors_model::{
    AlertStatus, Fault, FaultKind, FieldReader, Json, Loc, ObjectReader, Severity,
};

use crate::{
    dbt_cloud,
    draft::Draft,
    reading::Reading,
    severity_words::severity_of,
    values::{field, items, object, pairs, required_list, text},
};

/// What the results of a run share.
struct Run<'j> {
    target: Cow<'j, str>,
    generated_at: Option<Cow<'j, str>>,
    nodes: HashMap<Cow<'j, str>, Node>,
}

/// What the manifest says of a node.
#[derive(Default)]
struct Node {
    severity: Option<Severity>,
    owner: Option<String>,
}

/// What a result says of its node.
enum NodeResult {
    Passes,
    Fails(Severity),
    /// It was not looked at.
    Nothing,
}

pub(crate) fn read(body: Json<'_>, reading: &mut Reading<'_>) -> Result<(), Vec<Fault>> {
    if dbt_cloud::is_event(&body) {
        return dbt_cloud::read(body, reading);
    }
    let mut body = FieldReader::of_body(body)?;
    let manifest = object(body.take("manifest"));
    let mut sources = object(body.take("sources"));
    let inner = body.take("run_results");
    let is_inner = inner.is_some();
    let mut run_results = match inner {
        Some(inner) => {
            let loc = Loc::body().field("run_results");
            FieldReader::new(inner, loc, "run_results must be")?
        }
        None => body,
    };
    let results = required_list(&mut run_results, "results", "dbt's run_results.json");
    let mut metadata = object(run_results.take("metadata"));
    let mut arguments = object(run_results.take("args"));
    let names_no_node = |results: &Vec<Json<'_>>| {
        let names_one = |result: &Json<'_>| matches!(result, Json::Object(fields) if fields.iter().any(|(name, _)| name == "unique_id"));
        !results.is_empty() && !results.iter().any(names_one)
    };
    // Other tools have a list of results, too.
    if metadata.take("dbt_schema_version").is_none() && results.as_ref().is_some_and(names_no_node)
    {
        let msg = "dbt's run_results.json has metadata.dbt_schema_version, or its results name their nodes by unique_id; this body does neither.";
        run_results.fault("metadata", FaultKind::Missing, msg);
    }
    let results = run_results.finish(results)?;
    let run = Run {
        target: text(arguments.take("target")).unwrap_or(Cow::Borrowed("default")),
        generated_at: text(metadata.take("generated_at")),
        nodes: nodes(manifest),
    };
    let at = |name: &'static str| {
        if is_inner {
            Loc::body().field(name)
        } else {
            Loc::body()
        }
    };
    run.add(reading, results, &at("run_results").field("results"))?;
    // What `dbt source freshness` wrote.
    let freshness = items(sources.take("results"));
    run.add(reading, freshness, &at("sources").field("results"))
}

/// The nodes and sources of a manifest that say something about alerts.
fn nodes(mut manifest: ObjectReader<'_>) -> HashMap<Cow<'_, str>, Node> {
    let all = pairs(manifest.take("nodes")).into_iter();
    let all = all.chain(pairs(manifest.take("sources")));
    all.map(|(id, node)| (id, node_of(node))).collect()
}

fn node_of(node: Json<'_>) -> Node {
    let mut node = object(Some(node));
    let mut config = object(node.take("config"));
    let mut found = Node::default();
    // Older manifests have the meta beside the configuration.
    for mut meta in [object(config.take("meta")), object(node.take("meta"))] {
        let severity = text(meta.take("severity")).and_then(|word| severity_of(&word));
        let owner = text(meta.take("owner")).map(Cow::into_owned);
        found.severity = found.severity.or(severity);
        found.owner = found.owner.or(owner);
    }
    found
}

impl Run<'_> {
    fn add(
        &self,
        reading: &mut Reading<'_>,
        results: Vec<Json<'_>>,
        loc: &Loc,
    ) -> Result<(), Vec<Fault>> {
        for (at, result) in results.into_iter().enumerate() {
            let draft = reading.draft(loc.item(at), &result);
            match self.alert(object(Some(result)), draft) {
                Some(draft) => reading.add(draft)?,
                None => reading.ignore(),
            }
        }
        Ok(())
    }

    /// The alert of a result; nothing if the node was not looked at.
    fn alert<'j>(&self, mut result: ObjectReader<'j>, mut draft: Draft<'j>) -> Option<Draft<'j>> {
        let own_id = text(result.take("unique_id"));
        if own_id.is_none() {
            draft.warn(|loc| loc.field("unique_id"), "A result names its node.");
        }
        let id = own_id.clone().unwrap_or(Cow::Borrowed("unknown"));
        let known = self.nodes.get(&*id);
        let result_of_node = node_result(&mut draft, text(result.take("status")).as_deref());
        let (status, severity) = match result_of_node {
            NodeResult::Passes => (AlertStatus::Resolved, Severity::Medium),
            NodeResult::Fails(severity) => (AlertStatus::Active, severity),
            NodeResult::Nothing => return None,
        };
        draft.status(status);
        draft.severity(known.and_then(|node| node.severity).unwrap_or(severity));
        let mut words = id.split('.');
        let (kind, project) = (words.next().unwrap_or("node"), words.next().unwrap_or(""));
        draft.alert_type(&format!("dbt_{kind}"));
        // Two results without a name are hardly about one node.
        let key = own_id.map(|id| format!("dbt:{project}:{}:{id}", self.target));
        draft.maybe_text("dedup_key", key.map(Cow::Owned));
        let message = text(result.take("message")).or_else(|| text(result.take("error")));
        let name = name_of(&id).to_owned();
        let first_line = message
            .as_deref()
            .and_then(|message| message.lines().next());
        let title = match (status, first_line) {
            (AlertStatus::Active, Some(line)) => format!("{name}: {}", line.trim()),
            _ => name,
        };
        draft.text("title", title);
        if status == AlertStatus::Active {
            let code = text(result.take("compiled_code"));
            draft.text(
                "description",
                description(message.as_deref(), code.as_deref()),
            );
            draft.text("description_format", "markdown");
        }
        let ended = completed_at(result.take("timing"));
        let time = ended.or_else(|| {
            self.generated_at
                .clone()
                .map(|time| time.into_owned().into())
        });
        draft.maybe_text("occurred_at", time);
        draft.set("fields", fields(&mut result, known));
        Some(draft)
    }
}

/// The part of a node's id that people know it by: `test.project.name.hash` is `name`.
fn name_of(id: &str) -> &str {
    let mut words = id.splitn(3, '.');
    let (kind, rest) = (words.next(), words.nth(1));
    match (kind, rest) {
        (Some("test"), Some(rest)) => rest.rsplit_once('.').map_or(rest, |(name, _hash)| name),
        (_, Some(rest)) => rest,
        _ => id,
    }
}

fn node_result(draft: &mut Draft<'_>, status: Option<&str>) -> NodeResult {
    match status {
        Some("pass" | "success") => NodeResult::Passes,
        Some("error" | "fail" | "runtime error" | "partial success") => {
            NodeResult::Fails(Severity::High)
        }
        Some("warn") => NodeResult::Fails(Severity::Medium),
        Some("skipped" | "no-op") => NodeResult::Nothing,
        other => {
            let found = other.unwrap_or("nothing");
            let msg = format!("The status {found} is not known; it counts as a warning.");
            draft.warn(|loc| loc.field("status"), msg);
            NodeResult::Fails(Severity::Medium)
        }
    }
}

/// The message and the SQL, each as it stands.
fn description(message: Option<&str>, code: Option<&str>) -> String {
    let parts = [
        message.map(|text| fenced("", text)),
        code.map(|text| fenced("sql", text)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

/// Text that keeps its lines and signs. One that has a fence of its own is left as it is.
fn fenced(language: &str, text: &str) -> String {
    let text = text.trim_matches('\n');
    if text.contains("```") {
        return text.to_owned();
    }
    format!("```{language}\n{text}\n```")
}

/// When the last step of a result ended.
fn completed_at(timing: Option<Json<'_>>) -> Option<Cow<'_, str>> {
    let last = items(timing).into_iter().next_back();
    text(object(last).take("completed_at"))
}

fn fields<'j>(result: &mut ObjectReader<'j>, known: Option<&Node>) -> Json<'j> {
    let owner = known.and_then(|node| node.owner.clone());
    let values = [
        (
            "Relation",
            text(result.take("relation_name")).map(Json::Text),
        ),
        ("Failures", number(result.take("failures"))),
        ("Seconds", number(result.take("execution_time"))),
        ("Owner", owner.map(|owner| Json::Text(owner.into()))),
    ];
    let given = values.into_iter();
    let given = given.filter_map(|(name, value)| Some(field(name, value?)));
    Json::List(given.collect())
}

fn number(value: Option<Json<'_>>) -> Option<Json<'_>> {
    value.filter(|value| matches!(value, Json::Number(_)))
}
