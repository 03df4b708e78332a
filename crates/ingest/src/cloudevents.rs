//! CloudEvents 1.0 (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>) in the JSON format: one event, or a batch
//! of them. An event in binary mode, whose attributes are headers of the request, is read as the same event in the JSON format.

use std::borrow::Cow;

use alert_connectors_model::{AlertStatus, Fault, FaultKind, Json, Loc, ObjectReader};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    draft::Draft,
    reading::Reading,
    values::{add_fields, first, object, shown, text},
};

/// The event in the JSON format whose attributes came in headers, without their prefix `ce-`.
pub(crate) fn from_headers<'j>(attributes: Vec<(String, String)>, data: EventData<'j>) -> Json<'j> {
    let attribute = |(name, value): (String, String)| (Cow::Owned(name), Json::Text(value.into()));
    let mut event: Vec<(Cow<'j, str>, _)> = attributes.into_iter().map(attribute).collect();
    match data {
        EventData::None => {}
        EventData::Json(data) => event.push(("data".into(), data)),
        EventData::Bytes(bytes) => {
            let encoded = BASE64_STANDARD.encode(bytes);
            event.push(("data_base64".into(), Json::Text(encoded.into())));
        }
    }
    Json::Object(event)
}

/// The body of an event in binary mode.
#[derive(Debug)]
pub enum EventData<'j> {
    /// An event needs no data.
    None,
    /// JSON, by its media type.
    Json(Json<'j>),
    /// Anything else.
    Bytes(&'j [u8]),
}

pub(crate) fn read(
    alert_type: &'static str,
    body: Json<'_>,
    reading: &mut Reading<'_>,
) -> Result<(), Vec<Fault>> {
    if let Json::List(events) = body {
        return batch(alert_type, events, reading);
    }
    let draft = reading.draft(Loc::body(), &body);
    let mut event = ObjectReader::new(body).map_err(|other| {
        let msg = format!("A CloudEvent is an object; this is {}.", other.type_name());
        vec![Fault::new(Loc::body(), FaultKind::WrongType, msg)]
    })?;
    let version = text(event.take("specversion"));
    if !version
        .as_deref()
        .is_some_and(|version| version.starts_with("1."))
    {
        return Err(vec![no_event(version.as_deref())]);
    }
    let source = text(event.take("source"));
    // Together these two name an event.
    if let (Some(source), Some(id)) = (&source, text(event.take("id"))) {
        reading.event_id(&[source, &id]);
    }
    reading.add(alert(alert_type, event, source.as_deref(), draft))
}

/// The batch is the same one only if all of its events are.
fn batch(
    alert_type: &'static str,
    events: Vec<Json<'_>>,
    reading: &mut Reading<'_>,
) -> Result<(), Vec<Fault>> {
    let mut ids = Some(String::new());
    for (at, event) in events.into_iter().enumerate() {
        let draft = reading.draft(Loc::body().item(at), &event);
        let mut event = object(Some(event));
        let source = text(event.take("source"));
        let id = source.as_deref().zip(text(event.take("id")));
        ids = ids
            .zip(id)
            .map(|(ids, (source, id))| format!("{ids}{source}\n{id}\n"));
        reading.add(alert(alert_type, event, source.as_deref(), draft))?;
    }
    if let Some(ids) = ids.filter(|ids| !ids.is_empty()) {
        reading.event_id(&[&ids]);
    }
    Ok(())
}

fn no_event(version: Option<&str>) -> Fault {
    let found = version.map_or("this body has none".to_owned(), |version| {
        let shown = shown(version);
        format!("here it is {shown}")
    });
    let msg = format!(
        "A CloudEvent has a text named specversion, 1.0; {found}. In binary mode it is the header ce-specversion."
    );
    Fault::new(Loc::body().field("specversion"), FaultKind::NotOneOf, msg)
}

fn alert<'j>(
    default_type: &'static str,
    mut event: ObjectReader<'j>,
    source: Option<&str>,
    mut draft: Draft<'j>,
) -> Draft<'j> {
    let [subject, kind] = ["subject", "type"].map(|name| text(event.take(name)));
    let data = event
        .take("data")
        .or_else(|| encoded_data(&mut event, &mut draft));
    let (mut data, mut lone) = match data {
        Some(Json::Object(members)) => (object(Some(Json::Object(members))), None),
        other => (ObjectReader::default(), text(other)),
    };
    let title = text(data.take("title")).or_else(|| subject.clone());
    let title = title
        .or_else(|| kind.clone())
        .unwrap_or(Cow::Borrowed("Event"));
    draft.text("title", title);
    match &kind {
        Some(kind) => draft.alert_type(kind),
        None => {
            draft.warn(|loc| loc.field("type"), "A CloudEvent has a type.");
            draft.alert_type(default_type);
        }
    }
    let word = text(event.take("severity")).or_else(|| text(data.take("severity")));
    draft.severity_word(word.as_deref(), |loc| loc.field("severity"));
    draft.status(match text(data.take("status")).as_deref() {
        Some("resolved") => AlertStatus::Resolved,
        Some(_) | None => AlertStatus::Active,
    });
    let key = text(data.take("dedup_key"));
    draft.text(
        "dedup_key",
        key.unwrap_or_else(|| problem(source, subject.as_deref(), kind.as_deref()).into()),
    );
    draft.maybe_text(
        "description",
        text(data.take("description")).or_else(|| lone.take()),
    );
    draft.maybe_text("occurred_at", text(event.take("time")));
    draft.maybe_text("url", first(&mut data, &["url"]));
    let mut fields = Vec::new();
    add_fields(&mut fields, data.into_rest());
    draft.set("fields", Json::List(fields));
    draft
}

/// Data that came as Base64: JSON, or else text. Data that is neither is left out with a warning.
fn encoded_data<'j>(event: &mut ObjectReader<'j>, draft: &mut Draft<'j>) -> Option<Json<'j>> {
    let encoded = event.take("data_base64")?;
    let decoded = match &encoded {
        Json::Null => return None,
        Json::Text(encoded) => BASE64_STANDARD.decode(encoded.as_bytes()).ok(),
        _ => None,
    };
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(text) = text else {
        let msg = "Data in Base64 is shown if it is JSON or text in UTF-8; this is neither.";
        draft.warn(|loc| loc.field("data_base64"), msg);
        return None;
    };
    let json = Json::parse(text.as_bytes()).ok().map(Json::into_owned);
    Some(json.unwrap_or_else(|| Json::Text(text.into())))
}

/// The name of a problem that the event does not name: what it is about. An event without a subject is about its type.
fn problem(source: Option<&str>, subject: Option<&str>, kind: Option<&str>) -> String {
    let about = subject.or(kind).unwrap_or_default();
    format!("ce:{} {about}", source.unwrap_or_default())
}
