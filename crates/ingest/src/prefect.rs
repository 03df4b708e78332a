//! Prefect 3: the bodies of the automation action "Call a webhook", with its first template or one that sends the event's resource
//! (<https://docs.prefect.io/v3/concepts/automations>), and those of its notification blocks that post JSON.

use std::borrow::Cow;

use alert_connectors_model::{
    AlertStatus, Fault, FaultKind, FieldReader, Json, Loc, ObjectReader, Severity,
};

use crate::{
    draft::Draft,
    reading::Reading,
    values::{field, first_field, items, object, text},
};

/// A flow run, as either template tells of it.
#[derive(Default)]
struct Run<'j> {
    flow: Option<Cow<'j, str>>,
    name: Option<Cow<'j, str>>,
    state_type: Option<Cow<'j, str>>,
    state: Option<Cow<'j, str>>,
    time: Option<Cow<'j, str>>,
    message: Option<Cow<'j, str>>,
    url: Option<Cow<'j, str>>,
}

pub(crate) fn read(
    alert_type: &'static str,
    body: Json<'_>,
    reading: &mut Reading<'_>,
) -> Result<(), Vec<Fault>> {
    let mut draft = reading.draft(Loc::body(), &body);
    draft.alert_type(alert_type);
    let mut body = FieldReader::of_body(body)?;
    if let Some(id) = text(body.take("event_id")) {
        reading.event_id(&[&id]);
    }
    let run = match body.take("event_resource") {
        Some(resource) => run_of_event(object(Some(resource)), body.take("event_related")),
        None => run_of_template(&mut body),
    };
    if run.state_type.is_some() {
        body.finish(Some(()))?;
        return match of_run(draft, run) {
            Some(draft) => reading.add(draft),
            None => {
                reading.ignore();
                Ok(())
            }
        };
    }
    let message = first_field(&mut body, &["message", "text"]);
    if message.is_none() {
        let msg = "A body of Prefect's tells of a flow run (flow_name, flow_run_state_type and so on, or event_resource), or has a message or a text; this one has none of them.";
        body.fault("flow_run_state_type", FaultKind::Missing, msg);
    }
    let title = text(body.take("title"));
    let word = text(body.take("type"));
    let message = body.finish(message)?;
    reading.add(of_notification(draft, title, &message, word.as_deref()))
}

fn run_of_template<'j>(body: &mut FieldReader<'j>) -> Run<'j> {
    Run {
        flow: text(body.take("flow_name")),
        name: text(body.take("flow_run_name")),
        state_type: text(body.take("flow_run_state_type")),
        state: text(body.take("flow_run_state_name")),
        time: text(body.take("flow_run_state_timestamp")),
        message: text(body.take("flow_run_state_message")),
        url: text(body.take("flow_run_url")),
    }
}

fn run_of_event<'j>(mut resource: ObjectReader<'j>, related: Option<Json<'j>>) -> Run<'j> {
    let mut value = |name: &str| text(resource.take(&format!("prefect.{name}")));
    let flow = items(related).into_iter().find_map(|one| {
        let mut one = object(Some(one));
        let is_flow = text(one.take("prefect.resource.role"))? == "flow";
        is_flow
            .then(|| text(one.take("prefect.resource.name")))
            .flatten()
    });
    Run {
        flow,
        name: value("resource.name"),
        state_type: value("state-type"),
        state: value("state-name"),
        time: value("state-timestamp"),
        message: value("state-message"),
        url: None,
    }
}

/// The alert of a flow run; nothing while it goes on.
fn of_run<'j>(mut draft: Draft<'j>, run: Run<'j>) -> Option<Draft<'j>> {
    let state_type = run.state_type.as_deref().unwrap_or_default();
    let state_type = state_type.strip_prefix("StateType.").unwrap_or(state_type);
    let (status, severity) = match state_type {
        "FAILED" | "CRASHED" => (AlertStatus::Active, Severity::High),
        "COMPLETED" => (AlertStatus::Resolved, Severity::Medium),
        "SCHEDULED" | "PENDING" | "RUNNING" | "PAUSED" | "CANCELLING" | "CANCELLED" => return None,
        other => {
            let msg = format!("The state {other} is not known; it counts as a warning.");
            draft.warn(|loc| loc.field("flow_run_state_type"), msg);
            (AlertStatus::Active, Severity::Medium)
        }
    };
    draft.status(status);
    draft.severity(severity);
    let flow = run
        .flow
        .or_else(|| run.name.clone())
        .unwrap_or(Cow::Borrowed("A flow"));
    let state = run.state.as_deref().unwrap_or(state_type);
    draft.text("title", format!("{flow}: {state}"));
    draft.text("dedup_key", format!("prefect:{flow}"));
    draft.maybe_text("description", run.message);
    // Python writes a space between date and time.
    let time = run.time.map(|time| Cow::Owned(time.replacen(' ', "T", 1)));
    draft.maybe_text("occurred_at", time);
    draft.maybe_text("url", run.url);
    let name = run.name.map(|name| field("Flow run", Json::Text(name)));
    draft.set("fields", Json::List(name.into_iter().collect()));
    Some(draft)
}

/// The alert of a text. It names no flow, so it has no key.
fn of_notification<'j>(
    mut draft: Draft<'j>,
    title: Option<Cow<'j, str>>,
    message: &str,
    word: Option<&str>,
) -> Draft<'j> {
    let (status, severity) = match word {
        Some("success") => (AlertStatus::Resolved, Severity::Low),
        Some("info") => (AlertStatus::Active, Severity::Low),
        Some("warning") => (AlertStatus::Active, Severity::Medium),
        Some(_) | None => (AlertStatus::Active, Severity::High),
    };
    draft.status(status);
    draft.severity(severity);
    let (line, rest) = message.trim().split_once('\n').unwrap_or((message, ""));
    let (title, description) = match title {
        Some(title) => (title, message.to_owned()),
        None => (Cow::Owned(line.to_owned()), rest.to_owned()),
    };
    draft.text("title", title);
    draft.text("description", description);
    draft
}
