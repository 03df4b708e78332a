//! Dagster: the body of an alert policy's webhook in Dagster+, whose template people write
//! (<https://docs.dagster.io/guides/observe/alerts/creating-alerts>), and that of a run failure sensor which posts `job`, `run_id` and
//! `error`. The names of Dagster's own template variables are read, and the shorter ones that sensors use.

use alert_connectors_model::{AlertStatus, Fault, FaultKind, FieldReader, Json, Loc, Severity};

use crate::{
    draft::Draft,
    reading::Reading,
    values::{field, first_field, text},
};

pub(crate) fn read(
    alert_type: &'static str,
    body: Json<'_>,
    reading: &mut Reading<'_>,
) -> Result<(), Vec<Fault>> {
    let mut draft = reading.draft(Loc::body(), &body);
    draft.alert_type(alert_type);
    let mut body = FieldReader::of_body(body)?;
    let job = first_field(&mut body, &["job_name", "job"]);
    let asset = text(body.take("asset_key"));
    let summary = text(body.take("alert_summary"));
    let subject = job.clone().or_else(|| asset.clone());
    if summary.is_none() && subject.is_none() {
        let msg = "A body of Dagster's has at least one of alert_summary, job_name, job and asset_key; this one has none. Name the template's variables like that.";
        body.fault("alert_summary", FaultKind::Missing, msg);
    }
    let policy = text(body.take("alert_policy_name"));
    let state = first_field(
        &mut body,
        &["run_status", "health_status", "freshness_status"],
    );
    let content = first_field(&mut body, &["failure_message", "error", "alert_content"]);
    let url = first_field(&mut body, &["run_link", "deployment_url"]);
    let run = text(body.take("run_id"));
    let deployment = text(body.take("deployment_name"));
    body.finish(Some(()))?;
    let status = status(state.as_deref(), &mut draft);
    draft.status(status);
    draft.severity(Severity::High);
    let word = match status {
        AlertStatus::Active => "failed",
        AlertStatus::Resolved => "succeeded",
    };
    let title = summary
        .unwrap_or_else(|| format!("{} {word}", subject.as_deref().unwrap_or_default()).into());
    name_problem(&mut draft, policy.as_deref(), subject.as_deref(), &title);
    draft.text("title", title);
    draft.maybe_text("description", content);
    draft.maybe_text("url", url);
    let fields = [
        ("Job", job),
        ("Asset", asset),
        ("Run", run),
        ("State", state),
        ("Policy", policy),
        ("Deployment", deployment),
    ];
    let fields = fields
        .into_iter()
        .filter_map(|(name, value)| Some(field(name, Json::Text(value?))));
    draft.set("fields", Json::List(fields.collect()));
    reading.add(draft)
}

fn name_problem(draft: &mut Draft<'_>, policy: Option<&str>, subject: Option<&str>, title: &str) {
    let key = format!(
        "dagster:{}:{}",
        policy.unwrap_or_default(),
        subject.unwrap_or(title)
    );
    draft.text("dedup_key", key);
}

/// The state of a run, of an asset's health or of its freshness. A policy alerts of what goes wrong, such as a run that is started and takes
/// too long, so that a body without a state is a problem; one with a state that nobody knows is too, and says so.
fn status(state: Option<&str>, draft: &mut Draft<'_>) -> AlertStatus {
    match state.map(str::to_ascii_uppercase).as_deref() {
        Some("SUCCESS" | "HEALTHY" | "PASS" | "PASSED" | "PASSING" | "FRESH") => {
            AlertStatus::Resolved
        }
        None
        | Some(
            "FAILURE" | "FAILED" | "FAIL" | "FAILING" | "CANCELED" | "CANCELING" | "STARTED"
            | "DEGRADED" | "UNHEALTHY" | "WARNING" | "WARN" | "STALE" | "OVERDUE",
        ) => AlertStatus::Active,
        Some(other) => {
            let msg = format!("The state {other} is not known; it counts as failed.");
            draft.warn(Loc::clone, msg);
            AlertStatus::Active
        }
    }
}
