//! OpenMetadata's generic webhook, one change event a body
//! (<https://docs.open-metadata.org/v2.0.x/how-to-guides/data-quality-observability/alerts-notifications/webhook-payloads-and-delivery>).
//!
//! The result of a test case opens, repeats or ends the problem of the test case, and so does its incident. A pipeline that ingests
//! metadata likewise. A change of any other entity is news, not a problem, so it has no key.

use std::borrow::Cow;

use alert_connectors_model::{AlertStatus, Fault, FieldReader, Json, Loc, ObjectReader, Severity};

use crate::{
    draft::Draft,
    reading::Reading,
    values::{field, first, items, object, required_text, scalar_text, shown, text},
};

const SHAPE: &str = "A change event of OpenMetadata";

/// What every event has.
struct ChangeEvent<'j> {
    kind: Cow<'j, str>,
    entity_type: Cow<'j, str>,
    entity_id: String,
    name: Option<Cow<'j, str>>,
    changes: ObjectReader<'j>,
    entity: ObjectReader<'j>,
}

/// What an event says of its problem.
struct News {
    status: AlertStatus,
    severity: Severity,
    /// What happened, in a word.
    word: &'static str,
}

pub(crate) fn read(body: Json<'_>, reading: &mut Reading<'_>) -> Result<(), Vec<Fault>> {
    // Some versions send the entity as text that holds JSON.
    let inner = inner_text(&body);
    let inner = inner
        .as_deref()
        .and_then(|text| Json::parse(text.as_bytes()).ok());
    let draft = reading.draft(Loc::body(), &body);
    let mut body = FieldReader::of_body(body)?;
    let message = text(body.take("message"));
    let is_test = message.is_some();
    if is_test {
        body.finish(Some(()))?;
        reading.ignore();
        return Ok(());
    }
    let kind = required_text(&mut body, "eventType", SHAPE);
    let entity_type = required_text(&mut body, "entityType", SHAPE);
    let entity = body.take("entity");
    let mut event = ChangeEvent {
        kind: kind.clone().unwrap_or_default(),
        entity_type: entity_type.clone().unwrap_or_default(),
        entity_id: body
            .take("entityId")
            .as_ref()
            .and_then(scalar_text)
            .unwrap_or_default(),
        name: text(body.take("entityFullyQualifiedName")),
        changes: object(body.take("changeDescription")),
        entity: object(inner.or(entity)),
    };
    let id = text(body.take("id"));
    let time = body
        .take("timestamp")
        .filter(|time| matches!(time, Json::Number(_)));
    body.finish(kind.zip(entity_type))?;
    if let Some(id) = id {
        reading.event_id(&[&id]);
    }
    let mut draft = draft;
    if let Some(time) = time {
        draft.set("occurred_at", time);
    }
    let is_news = match &*event.entity_type {
        "testCase" => test_result(&mut draft, &mut event),
        "THREAD" => incident_of_thread(&mut draft, &mut event),
        "task" => incident(&mut draft, &mut event),
        "ingestionPipeline" => pipeline_run(&mut draft, &mut event),
        _ => {
            change(&mut draft, &mut event);
            Some(())
        }
    };
    if is_news.is_none() {
        reading.ignore();
        return Ok(());
    }
    reading.add(draft)
}

fn inner_text(body: &Json<'_>) -> Option<String> {
    let Json::Object(members) = body else {
        return None;
    };
    members.iter().find_map(|(name, value)| match value {
        Json::Text(text) if name == "entity" => Some(text.to_string()),
        _ => None,
    })
}

/// The result of a test case, if the event brings one.
fn test_result<'j>(draft: &mut Draft<'j>, event: &mut ChangeEvent<'j>) -> Option<()> {
    let mut result = object(event.changed("testCaseResult"));
    let news = match &*text(result.take("testCaseStatus"))? {
        "Success" => News::new(AlertStatus::Resolved, Severity::Medium, "passed"),
        "Failed" => News::new(AlertStatus::Active, Severity::High, "failed"),
        "Aborted" => News::new(AlertStatus::Active, Severity::Medium, "was aborted"),
        // It will run.
        "Queued" => return None,
        other => {
            let shown = shown(other);
            let msg =
                format!("The status {shown} of a test case is not known; it counts as aborted.");
            draft.warn(|loc| loc.field("changeDescription"), msg);
            News::new(AlertStatus::Active, Severity::Medium, "was aborted")
        }
    };
    let link = text(event.entity.take("entityLink"));
    let table = link.as_deref().and_then(table_of);
    let test = event.short_name();
    let title = match &table {
        Some(table) => format!("{test} {} on {}", news.word, last_part(table)),
        None => format!("{test} {}", news.word),
    };
    news.describe(draft, "dq_alert", title, &event.entity_id);
    draft.maybe_text("description", text(result.take("result")));
    draft.maybe_text("url", event.results_page());
    let mut fields = Vec::new();
    fields.extend(table.map(|table| field("Table", Json::Text(table.into()))));
    fields.extend(event.owners());
    let rows = [("Failed rows", "failedRows"), ("Passed rows", "passedRows")];
    for (label, name) in rows {
        let count = result
            .take(name)
            .filter(|count| matches!(count, Json::Number(_)));
        fields.extend(count.map(|count| field(label, count)));
    }
    for parameter in items(event.entity.take("parameterValues")) {
        let mut parameter = object(Some(parameter));
        let value = parameter.take("value");
        let name = text(parameter.take("name"));
        fields.extend(name.zip(value).map(|(name, value)| field(name, value)));
    }
    draft.set("fields", Json::List(fields));
    Some(())
}

/// An incident of OpenMetadata 1, which is a task in a thread about the test case.
fn incident_of_thread<'j>(draft: &mut Draft<'j>, event: &mut ChangeEvent<'j>) -> Option<()> {
    let mut task = object(event.entity.take("task"));
    if text(task.take("type"))? != "RequestTestCaseFailureResolution" {
        return None;
    }
    let news = match &*event.kind {
        "threadCreated" => News::new(AlertStatus::Active, Severity::High, "has an incident"),
        "taskResolved" | "taskClosed" => News::new(
            AlertStatus::Resolved,
            Severity::Medium,
            "has no incident any more",
        ),
        _ => return None,
    };
    let about = object(event.entity.take("entityRef"));
    describe_incident(draft, &news, about, task)
}

/// An incident of OpenMetadata 2, which is a task of its own.
fn incident<'j>(draft: &mut Draft<'j>, event: &mut ChangeEvent<'j>) -> Option<()> {
    if text(event.entity.take("category"))? != "Incident" {
        return None;
    }
    // A task that is given to somebody else is the same incident.
    if event.kind != "entityCreated" && event.changed("status").is_none() {
        return None;
    }
    let mut payload = object(event.entity.take("payload"));
    let severity = text(payload.take("severity"));
    let news = match &*text(event.entity.take("status"))? {
        "Completed" | "Approved" | "Closed" | "Resolved" | "Cancelled" => News::new(
            AlertStatus::Resolved,
            Severity::Medium,
            "has no incident any more",
        ),
        _ => News::new(
            AlertStatus::Active,
            severity_of_incident(severity.as_deref()),
            "has an incident",
        ),
    };
    let about = object(event.entity.take("about"));
    let entity = std::mem::take(&mut event.entity);
    describe_incident(draft, &news, about, entity)
}

fn severity_of_incident(word: Option<&str>) -> Severity {
    match word {
        Some("Severity1") => Severity::Critical,
        Some("Severity3") => Severity::Medium,
        Some("Severity4" | "Severity5") => Severity::Low,
        Some(_) | None => Severity::High,
    }
}

fn describe_incident<'j>(
    draft: &mut Draft<'j>,
    news: &News,
    mut about: ObjectReader<'j>,
    mut task: ObjectReader<'j>,
) -> Option<()> {
    let id = text(about.take("id"))?;
    let name = first(&mut about, &["displayName", "name"]);
    let full_name = text(about.take("fullyQualifiedName"));
    let title = format!("{} {}", name.as_deref().unwrap_or("A test case"), news.word);
    news.describe(draft, "dq_alert", title, &id);
    let mut fields = Vec::new();
    fields.extend(full_name.map(|name| field("Test case", Json::Text(name))));
    let assignees = names(task.take("assignees"));
    fields.extend(assignees.map(|names| field("Assignees", Json::Text(names.into()))));
    draft.set("fields", Json::List(fields));
    Some(())
}

/// The end of a run of an ingestion pipeline.
fn pipeline_run<'j>(draft: &mut Draft<'j>, event: &mut ChangeEvent<'j>) -> Option<()> {
    let Some(run) = event.changed("pipelineStatus") else {
        change(draft, event);
        return Some(());
    };
    let news = match &*text(object(Some(run)).take("pipelineState"))? {
        "success" => News::new(AlertStatus::Resolved, Severity::Medium, "succeeded"),
        "failed" => News::new(AlertStatus::Active, Severity::High, "failed"),
        "partialSuccess" => News::new(AlertStatus::Active, Severity::Medium, "succeeded in part"),
        _ => return None,
    };
    let title = format!("{} {}", event.short_name(), news.word);
    news.describe(draft, &event.entity_type, title, &event.entity_id);
    draft.set("fields", Json::List(event.owners().into_iter().collect()));
    Some(())
}

/// A change of any other entity.
fn change<'j>(draft: &mut Draft<'j>, event: &mut ChangeEvent<'j>) {
    let happened = match &*event.kind {
        "entityCreated" => "was created",
        "entityDeleted" | "entitySoftDeleted" => "was deleted",
        "entityRestored" => "was restored",
        "entityUpdated" | "entityFieldsChanged" => "was changed",
        _ => "has news",
    };
    draft.status(AlertStatus::Active);
    draft.severity(Severity::Low);
    draft.alert_type(&event.entity_type);
    let name = event.short_name();
    draft.text("title", format!("{} {name} {happened}", event.entity_type));
    let mut fields = Vec::new();
    fields.extend(
        event
            .name
            .take()
            .map(|name| field("Name", Json::Text(name))),
    );
    fields.extend(event.owners());
    draft.set("fields", Json::List(fields));
}

impl News {
    const fn new(status: AlertStatus, severity: Severity, word: &'static str) -> Self {
        Self {
            status,
            severity,
            word,
        }
    }

    fn describe(&self, draft: &mut Draft<'_>, alert_type: &str, title: String, id: &str) {
        draft.status(self.status);
        draft.severity(self.severity);
        draft.alert_type(alert_type);
        draft.text("title", title);
        draft.text("dedup_key", format!("om:{id}"));
    }
}

impl<'j> ChangeEvent<'j> {
    /// The new value of a field, if the event says that it changed. The first value of a field was added.
    fn changed(&mut self, name: &str) -> Option<Json<'j>> {
        let lists = ["fieldsUpdated", "fieldsAdded"].map(|list| items(self.changes.take(list)));
        lists.into_iter().flatten().find_map(|change| {
            let mut change = object(Some(change));
            let is_it = text(change.take("name"))? == name;
            is_it.then(|| change.take("newValue")).flatten()
        })
    }

    /// What people call the entity.
    fn short_name(&mut self) -> Cow<'j, str> {
        let own = first(&mut self.entity, &["displayName", "name"]);
        let last = || Some(Cow::Owned(last_part(self.name.as_deref()?).to_owned()));
        own.or_else(last).unwrap_or(Cow::Borrowed("entity"))
    }

    fn owners(&mut self) -> Option<Json<'j>> {
        let names = names(self.entity.take("owners"))?;
        Some(field("Owners", Json::Text(names.into())))
    }

    /// The page with the results of a test case, on the host that its address in the API names.
    fn results_page(&mut self) -> Option<Cow<'j, str>> {
        let href = text(self.entity.take("href"))?;
        let (host, _) = href.split_once("/api/")?;
        let name = self.name.as_deref()?;
        Some(format!("{host}/test-case/{name}/test-case-results").into())
    }
}

/// The table of a link such as `<#E::table::service.db.schema.orders::columns::id>`.
fn table_of(link: &str) -> Option<String> {
    let inner = link.strip_prefix("<#E::table::")?;
    let end = inner.find("::").or_else(|| inner.find('>'))?;
    inner.get(..end).map(str::to_owned)
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn names(people: Option<Json<'_>>) -> Option<String> {
    let name = |one| first(&mut object(Some(one)), &["displayName", "name"]);
    let names: Vec<_> = items(people).into_iter().filter_map(name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
