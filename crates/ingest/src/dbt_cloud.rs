//! The webhooks of dbt Cloud's jobs (<https://docs.getdbt.com/docs/deploy/webhooks>): one event of one run of a job.

use alert_connectors_model::{AlertStatus, Fault, FaultKind, Json, Loc, ObjectReader, Severity};

use crate::{
    reading::Reading,
    values::{field, object, scalar_text, text},
};

/// Whether a body is one of these, and not `run_results.json`.
pub(crate) fn is_event(body: &Json<'_>) -> bool {
    let Json::Object(members) = body else {
        return false;
    };
    let is_name = |(name, value): &(_, Json<'_>)| {
        name == "eventType" && matches!(value, Json::Text(text) if text.starts_with("job.run."))
    };
    members.iter().any(is_name)
}

pub(crate) fn read(body: Json<'_>, reading: &mut Reading<'_>) -> Result<(), Vec<Fault>> {
    let mut draft = reading.draft(Loc::body(), &body);
    let mut body = object(Some(body));
    if let Some(id) = text(body.take("eventId")) {
        reading.event_id(&[&id]);
    }
    let Some(run @ Json::Object(_)) = body.take("data") else {
        let msg = "An event of dbt Cloud has an object named data, which says how the run ended.";
        let loc = Loc::body().field("data");
        return Err(vec![Fault::new(loc, FaultKind::WrongType, msg)]);
    };
    let mut run = object(Some(run));
    let word = text(run.take("runStatus"));
    let (status, severity) = match word.as_deref() {
        Some("Success") => (AlertStatus::Resolved, Severity::Medium),
        Some("Errored") => (AlertStatus::Active, Severity::High),
        // It goes on, or somebody stopped it.
        Some(_) | None => {
            reading.ignore();
            return Ok(());
        }
    };
    draft.status(status);
    draft.severity(severity);
    draft.alert_type("dbt_job");
    let job = text(run.take("jobName"));
    let message = text(run.take("runStatusMessage")).filter(|message| message != "None");
    let name = job.as_deref().unwrap_or("A job");
    let said = message.as_deref().or(word.as_deref()).unwrap_or_default();
    draft.text("title", format!("{name}: {said}"));
    let account = body.take("accountId").as_ref().and_then(scalar_text);
    let job_id = run.take("jobId").as_ref().and_then(scalar_text);
    let key = format!(
        "dbt:{}:job:{}",
        account.unwrap_or_default(),
        job_id.as_deref().unwrap_or(name)
    );
    draft.text("dedup_key", key);
    let ended = text(run.take("runFinishedAt")).or_else(|| text(run.take("runErroredAt")));
    draft.maybe_text(
        "occurred_at",
        ended.or_else(|| text(body.take("timestamp"))),
    );
    draft.set("fields", fields(&mut run));
    reading.add(draft)
}

fn fields<'j>(run: &mut ObjectReader<'j>) -> Json<'j> {
    let names = [
        ("Project", "projectName"),
        ("Environment", "environmentName"),
        ("Run", "runId"),
        ("Reason", "runReason"),
    ];
    let found = names.into_iter().filter_map(|(label, name)| {
        let value = run
            .take(name)
            .filter(|value| scalar_text(value).is_some())?;
        Some(field(label, value))
    });
    Json::List(found.collect())
}
