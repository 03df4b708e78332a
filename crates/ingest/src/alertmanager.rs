//! Prometheus Alertmanager's webhook, version 4 (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>), and
//! Grafana's superset of it
//! (<https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/>).
//!
//! A group stays `firing` while some of its alerts resolve, and repeats the others, so each entry is read by its own status. Alertmanager
//! names an alert by the fingerprint of its labels, which is the same until the labels change.

use std::borrow::Cow;

use alert_connectors_model::{AlertStatus, Fault, FieldReader, Json, Loc, ObjectReader};

use crate::{
    draft::Draft,
    reading::Reading,
    values::{action, field, first, object, pairs, required_list, text},
};

/// Whose webhook it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Producer {
    Alertmanager,
    Grafana,
}

/// What the entries of a body share.
struct Group<'g> {
    /// The type of alerts that have no other.
    alert_type: &'static str,
    /// Stands before the fingerprint in the keys of problems.
    prefix: String,
    /// The labels by which the group was made, without the alert's name, in words.
    labels: &'g str,
}

/// Reads a body. Alerts that name no type get this one.
pub(crate) fn read(
    producer: Producer,
    alert_type: &'static str,
    body: Json<'_>,
    reading: &mut Reading<'_>,
) -> Result<(), Vec<Fault>> {
    let mut body = FieldReader::of_body(body)?;
    let shape = match producer {
        Producer::Alertmanager => "Alertmanager's webhook (version 4)",
        Producer::Grafana => "Grafana's webhook",
    };
    let entries = required_list(&mut body, "alerts", shape);
    let group_labels = pairs(body.take("groupLabels"));
    let organisation = body.take("orgId");
    let truncated = body.take("truncatedAlerts");
    let entries = body.finish(entries)?;
    let labels = labels_in_words(&group_labels);
    let group = Group {
        alert_type,
        prefix: prefix(producer, organisation.as_ref()),
        labels: &labels,
    };
    let loc = Loc::body().field("alerts");
    for (at, entry) in entries.into_iter().enumerate() {
        let draft = reading.draft(loc.item(at), &entry);
        reading.add(group.alert(entry, draft))?;
    }
    if let Some(msg) = truncated.and_then(left_out) {
        reading.warn(Loc::body().field("truncatedAlerts"), msg);
    }
    Ok(())
}

/// Two organisations of a Grafana may name different alerts alike.
fn prefix(producer: Producer, organisation: Option<&Json<'_>>) -> String {
    match (producer, organisation) {
        (Producer::Alertmanager, _) => "am:".to_owned(),
        (Producer::Grafana, Some(Json::Number(number))) => format!("gf:{number}:"),
        (Producer::Grafana, _) => "gf:".to_owned(),
    }
}

/// What Alertmanager says that it left out (`max_alerts`).
fn left_out(count: Json<'_>) -> Option<String> {
    let Json::Number(count) = count else {
        return None;
    };
    (count.as_str() != "0").then(|| {
        format!("The producer left out {count} alerts of the group; raise its max_alerts.")
    })
}

impl Group<'_> {
    fn alert<'j>(&self, entry: Json<'j>, mut draft: Draft<'j>) -> Draft<'j> {
        if !matches!(entry, Json::Object(_)) {
            let msg = format!("An entry is an object; this is {}.", entry.type_name());
            draft.warn(Loc::clone, msg);
        }
        let mut entry = object(Some(entry));
        let labels = pairs(entry.take("labels"));
        let mut annotations = object(entry.take("annotations"));
        let status = status(&mut draft, text(entry.take("status")).as_deref());
        draft.status(status);
        let time = match status {
            AlertStatus::Active => "startsAt",
            AlertStatus::Resolved => "endsAt",
        };
        draft.maybe_text("occurred_at", text(entry.take(time)));
        let key = self.key(text(entry.take("fingerprint")), &labels);
        draft.maybe_text("dedup_key", key.map(Cow::Owned));
        draft.severity_word(label(&labels, "severity"), |loc| {
            loc.field("labels").field("severity")
        });
        draft.alert_type(label(&labels, "alert_type").unwrap_or(self.alert_type));
        let title = first(&mut annotations, &["summary", "title"]);
        draft.text("title", title.unwrap_or_else(|| self.title(&labels).into()));
        draft.maybe_text(
            "description",
            first(&mut annotations, &["description", "message"]),
        );
        draft.maybe_text(
            "url",
            first(&mut entry, &["panelURL", "dashboardURL", "generatorURL"]),
        );
        draft.set("actions", actions(&mut annotations, &mut entry));
        let values = pairs(entry.take("values"));
        draft.set("fields", fields(labels, values));
        draft
    }

    /// The problem's name. An entry without a fingerprint is named by its labels, of which the fingerprint is made; without both it is
    /// no problem that another entry could be about.
    fn key(
        &self,
        fingerprint: Option<Cow<'_, str>>,
        labels: &[(Cow<'_, str>, Json<'_>)],
    ) -> Option<String> {
        let prefix = &self.prefix;
        if let Some(fingerprint) = fingerprint {
            return Some(format!("{prefix}{fingerprint}"));
        }
        let mut words: Vec<String> = labels
            .iter()
            .map(|(name, value)| pair(name, value))
            .collect();
        words.sort_unstable();
        (!words.is_empty()).then(|| format!("{prefix}{}", words.join(",")))
    }

    fn title(&self, labels: &[(Cow<'_, str>, Json<'_>)]) -> String {
        let name = label(labels, "alertname").unwrap_or("Alert");
        [name, self.labels].join(" ").trim_end().to_owned()
    }
}

fn status(draft: &mut Draft<'_>, word: Option<&str>) -> AlertStatus {
    match word {
        Some("firing") => AlertStatus::Active,
        Some("resolved") => AlertStatus::Resolved,
        other => {
            let found = other.unwrap_or("nothing");
            let msg = format!("A status is firing or resolved; {found} counts as firing.");
            draft.warn(|loc| loc.field("status"), msg);
            AlertStatus::Active
        }
    }
}

fn label<'l>(labels: &'l [(Cow<'_, str>, Json<'_>)], name: &str) -> Option<&'l str> {
    labels.iter().find_map(|(label, value)| match value {
        Json::Text(text) if label == name && !text.trim().is_empty() => Some(&**text),
        _ => None,
    })
}

/// Labels as `name=value`, without the alert's name, which stands before them.
fn labels_in_words(labels: &[(Cow<'_, str>, Json<'_>)]) -> String {
    let others = labels.iter().filter(|(name, _)| name != "alertname");
    let words: Vec<String> = others.map(|(name, value)| pair(name, value)).collect();
    words.join(" ")
}

fn pair(name: &str, value: &Json<'_>) -> String {
    match value {
        Json::Text(text) => format!("{name}={text}"),
        Json::Number(number) => format!("{name}={number}"),
        Json::Bool(value) => format!("{name}={value}"),
        Json::Null | Json::List(_) | Json::Object(_) => format!("{name}="),
    }
}

/// Labels that are shown otherwise.
const SHOWN_OTHERWISE: [&str; 3] = ["alertname", "severity", "alert_type"];

/// The other labels, then Grafana's values.
fn fields<'j>(
    labels: Vec<(Cow<'j, str>, Json<'j>)>,
    values: Vec<(Cow<'j, str>, Json<'j>)>,
) -> Json<'j> {
    let labels = labels
        .into_iter()
        .filter(|(name, _)| !SHOWN_OTHERWISE.contains(&&**name));
    let all = labels.chain(values);
    Json::List(all.map(|(name, value)| field(name, value)).collect())
}

fn actions<'j>(annotations: &mut ObjectReader<'j>, alert: &mut ObjectReader<'j>) -> Json<'j> {
    let links = [
        ("Runbook", text(annotations.take("runbook_url"))),
        ("Silence", text(alert.take("silenceURL"))),
    ];
    let link =
        |(label, url): (&'static str, Option<Cow<'j, str>>)| url.map(|url| action(label, url));
    Json::List(links.into_iter().filter_map(link).collect())
}
