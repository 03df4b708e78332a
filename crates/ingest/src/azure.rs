//! Azure Monitor's common alert schema
//! (<https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema>), which an action group's webhook sends.

use std::borrow::Cow;

use alert_connectors_model::{
    AlertStatus, Fault, FaultKind, FieldReader, Json, Loc, ObjectReader, Severity,
};

use crate::{
    draft::Draft,
    reading::Reading,
    values::{add_fields, field, first, items, object, pairs, scalar_text, shown, text},
};

pub(crate) fn read(
    alert_type: &'static str,
    body: Json<'_>,
    reading: &mut Reading<'_>,
) -> Result<(), Vec<Fault>> {
    let draft = reading.draft(Loc::body(), &body);
    let mut body = FieldReader::of_body(body)?;
    let mut data = object(body.take("data"));
    let essentials = match data.take("essentials") {
        Some(Json::Object(members)) => Some(object(Some(Json::Object(members)))),
        _ => {
            let msg = "Azure Monitor's common alert schema has an object data.essentials; this body has none. Switch on the common alert schema in the action group.";
            body.fault("data", FaultKind::Missing, msg);
            None
        }
    };
    let essentials = body.finish(essentials)?;
    reading.add(alert(alert_type, essentials, data, draft))
}

fn alert<'j>(
    alert_type: &'static str,
    mut essentials: ObjectReader<'j>,
    mut data: ObjectReader<'j>,
    mut draft: Draft<'j>,
) -> Draft<'j> {
    draft.alert_type(alert_type);
    let rule = text(essentials.take("alertRule")).unwrap_or(Cow::Borrowed("Azure alert"));
    let severity = severity(&mut draft, text(essentials.take("severity")).as_deref());
    draft.severity(severity);
    let mut context = object(data.take("alertContext"));
    let condition = text(essentials.take("monitorCondition"));
    let status = status(condition.as_deref(), &mut context);
    draft.status(status);
    let [fired, resolved] =
        ["firedDateTime", "resolvedDateTime"].map(|name| text(essentials.take(name)));
    let time = match status {
        AlertStatus::Active => fired,
        AlertStatus::Resolved => resolved.or(fired),
    };
    draft.maybe_text("occurred_at", time);
    let targets = items(essentials.take("alertTargetIDs"));
    let targets: Vec<String> = targets.iter().filter_map(scalar_text).collect();
    draft.text("dedup_key", format!("az:{rule}:{}", targets.join(",")));
    draft.text("title", rule);
    draft.maybe_text("description", text(essentials.take("description")));
    draft.maybe_text("url", text(essentials.take("investigationLink")));
    let mut fields = Vec::new();
    let target = shown_targets(&mut essentials, &targets);
    fields.extend(target.map(|target| field("Target", Json::Text(target.into()))));
    for (label, name) in [("Service", "monitoringService"), ("Signal", "signalType")] {
        fields.extend(text(essentials.take(name)).map(|value| field(label, Json::Text(value))));
    }
    add_conditions(&mut fields, context);
    add_fields(&mut fields, pairs(data.take("customProperties")));
    draft.set("fields", Json::List(fields));
    draft
}

/// An incident of the service's health stays `Fired` until its end, which its stage tells.
fn status(condition: Option<&str>, context: &mut ObjectReader<'_>) -> AlertStatus {
    let mut properties = object(context.take("properties"));
    let stage = text(properties.take("stage"));
    match (condition, stage.as_deref()) {
        (Some("Resolved"), _) | (_, Some("Resolved")) => AlertStatus::Resolved,
        (Some(_) | None, _) => AlertStatus::Active,
    }
}

/// Azure's words are not those of other producers: its Sev1 is not the worst.
fn severity(draft: &mut Draft<'_>, word: Option<&str>) -> Severity {
    match word {
        Some("Sev0") => Severity::Critical,
        Some("Sev1") => Severity::High,
        Some("Sev2") => Severity::Medium,
        Some("Sev3" | "Sev4") => Severity::Low,
        other => {
            let found = shown(other.unwrap_or("nothing"));
            let msg = format!("A severity is Sev0 to Sev4; {found} counts as high.");
            draft.warn(
                |loc| loc.field("data").field("essentials").field("severity"),
                msg,
            );
            Severity::High
        }
    }
}

/// The names of the resources; the last parts of their ids where they have no other.
fn shown_targets(essentials: &mut ObjectReader<'_>, targets: &[String]) -> Option<String> {
    let names = items(essentials.take("configurationItems"));
    let names: Vec<String> = names.iter().filter_map(scalar_text).collect();
    if !names.is_empty() {
        return Some(names.join(", "));
    }
    let last = |id: &String| id.rsplit('/').next().unwrap_or(id).to_owned();
    let words: Vec<String> = targets.iter().map(last).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// What was measured, of metric and log alerts: what, the operator and the threshold, and the value.
fn add_conditions<'j>(fields: &mut Vec<Json<'j>>, mut context: ObjectReader<'j>) {
    let mut condition = object(context.take("condition"));
    for criterion in items(condition.take("allOf")) {
        let mut criterion = object(Some(criterion));
        let value = criterion.take("metricValue");
        let what = first(&mut criterion, &["metricName", "timeAggregation"]);
        let words = ["operator", "threshold"].map(|name| criterion.take(name));
        let words = words.iter().flatten().filter_map(scalar_text);
        let words: Vec<String> = what.map(Cow::into_owned).into_iter().chain(words).collect();
        let value = value.filter(|value| scalar_text(value).is_some());
        fields.extend(value.map(|value| field(words.join(" "), value)));
    }
}
