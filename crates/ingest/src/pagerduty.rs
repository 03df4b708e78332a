//! PagerDuty's Events API v2 (<https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>), for tools that can page.
//!
//! One body is one event of a problem: it triggers, is acknowledged or resolved. Nothing here waits for an acknowledgement.

use std::borrow::Cow;

use alert_connectors_model::{
    AlertStatus, AlertType, Fault, FaultKind, FieldReader, Json, Loc, ObjectReader, Secret,
};

use crate::{
    draft::Draft,
    reading::Reading,
    values::{action, add_fields, field, first, items, object, required_text, shown, text},
};

const SHAPE: &str = "An event of PagerDuty's Events API v2";

/// What happened to the problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Trigger,
    Acknowledge,
    Resolve,
}

pub(crate) fn read(
    alert_type: &'static str,
    body: Json<'_>,
    reading: &mut Reading<'_>,
) -> Result<(), Vec<Fault>> {
    let draft = reading.draft(Loc::body(), &body);
    let mut body = FieldReader::of_body(body)?;
    let action = event_action(&mut body);
    let key = text(body.take("dedup_key"));
    let mut payload = object(body.take("payload"));
    let summary = text(payload.take("summary"));
    match action {
        Some(Action::Trigger) if summary.is_none() => {
            let msg = format!("{SHAPE} has an object named payload with a text named summary.");
            body.fault("payload", FaultKind::Missing, msg);
        }
        Some(Action::Acknowledge | Action::Resolve) if key.is_none() => {
            let msg = "Only a trigger goes without a dedup_key.";
            body.fault("dedup_key", FaultKind::Missing, msg);
        }
        Some(_) | None => {}
    }
    let links = items(body.take("links"));
    let client = text(body.take("client"));
    let client_url = text(body.take("client_url"));
    let action = body.finish(action)?;
    if let Some(key) = &key {
        reading.dedup_key(key);
    }
    let status = match action {
        Action::Trigger => AlertStatus::Active,
        Action::Resolve => AlertStatus::Resolved,
        Action::Acknowledge => {
            reading.ignore();
            return Ok(());
        }
    };
    let mut event = PagerDutyEvent { draft, payload };
    event.draft.status(status);
    let title = summary.or_else(|| key.clone()).unwrap_or_default();
    event.draft.text("title", title);
    event.draft.maybe_text("dedup_key", key);
    event.payload(alert_type, client);
    event.links(links, client_url);
    reading.add(event.draft)
}

/// The body without the key of its caller.
pub(crate) fn without_key(body: Json<'_>) -> Json<'_> {
    match body {
        Json::Object(mut members) => {
            members.retain(|(name, _)| name != "routing_key");
            Json::Object(members)
        }
        other => other,
    }
}

/// The key of the caller.
pub(crate) fn routing_key(body: &Json<'_>) -> Option<Secret> {
    let Json::Object(members) = body else {
        return None;
    };
    members.iter().find_map(|(name, value)| match value {
        Json::Text(key) if name == "routing_key" => Some(Secret::new(&**key)),
        _ => None,
    })
}

fn event_action(body: &mut FieldReader<'_>) -> Option<Action> {
    match &*required_text(body, "event_action", SHAPE)? {
        "trigger" => Some(Action::Trigger),
        "acknowledge" => Some(Action::Acknowledge),
        "resolve" => Some(Action::Resolve),
        other => {
            let shown = shown(other);
            let msg =
                format!("An event_action is trigger, acknowledge or resolve; this is {shown}.");
            body.fault("event_action", FaultKind::NotOneOf, msg);
            None
        }
    }
}

struct PagerDutyEvent<'j> {
    draft: Draft<'j>,
    payload: ObjectReader<'j>,
}

impl<'j> PagerDutyEvent<'j> {
    fn payload(&mut self, default_type: &str, client: Option<Cow<'j, str>>) {
        let (draft, payload) = (&mut self.draft, &mut self.payload);
        draft.severity_word(text(payload.take("severity")).as_deref(), |loc| {
            loc.field("payload").field("severity")
        });
        let class = text(payload.take("class"));
        let own_type = class
            .as_deref()
            .filter(|class| AlertType::parse(class).is_some());
        draft.alert_type(own_type.unwrap_or(default_type));
        draft.maybe_text("occurred_at", text(payload.take("timestamp")));
        let mut fields = Vec::new();
        let names = [
            ("Source", "source"),
            ("Component", "component"),
            ("Group", "group"),
        ];
        for (label, name) in names {
            fields.extend(text(payload.take(name)).map(|value| field(label, Json::Text(value))));
        }
        if let Some(class) = class.filter(|class| AlertType::parse(class).is_none()) {
            fields.push(field("Class", Json::Text(class)));
        }
        fields.extend(client.map(|client| field("Client", Json::Text(client))));
        match payload.take("custom_details") {
            Some(Json::Object(details)) => {
                let mut details = object(Some(Json::Object(details)));
                draft.maybe_text("description", first(&mut details, &["description"]));
                add_fields(&mut fields, details.into_rest());
            }
            // Some tools send one text.
            other => draft.maybe_text("description", text(other)),
        }
        draft.set("fields", Json::List(fields));
    }

    /// The first link is the alert's own; the others are actions.
    fn links(&mut self, links: Vec<Json<'j>>, client_url: Option<Cow<'j, str>>) {
        let mut links = links.into_iter().filter_map(|link| {
            let mut link = object(Some(link));
            let href = text(link.take("href"))?;
            Some((text(link.take("text")), href))
        });
        let own = links.next().map(|(_, href)| href);
        self.draft.maybe_text("url", own.or(client_url));
        let link = |(label, href): (Option<Cow<'j, str>>, Cow<'j, str>)| {
            let label = label.unwrap_or(Cow::Borrowed("Link"));
            action(label, href)
        };
        let actions = links.map(link).collect();
        self.draft.set("actions", Json::List(actions));
    }
}
