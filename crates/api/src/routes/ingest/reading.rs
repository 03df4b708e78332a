//! The alerts of a producer's body.

use alert_connectors_ingest::{EventData, Mapping, Source, event_of_headers};
use alert_connectors_model::{Fault, Json, Random, Warning};
use alert_connectors_store::{PreparedAlert, Roster};
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::super::intake::off_if_large;
use crate::{ApiError, App, ErrorKind, body};

/// A body that was read.
pub(super) struct Read {
    pub(super) alerts: Vec<PreparedAlert>,
    /// How many entries are left out.
    pub(super) ignored: usize,
    pub(super) warnings: Vec<Warning>,
    /// The producer's own name of the event.
    pub(super) event_id: Option<String>,
    /// The problem that the body is about, if it is one event.
    pub(super) dedup_key: Option<String>,
}

/// Reads a body, and changes its alerts by the mapping of the space.
pub(super) async fn read(
    app: &App,
    source: Source,
    roster: &Roster,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Read, ApiError> {
    let mapping = mapping_of(source, roster)?;
    let attributes = match source {
        Source::CloudEvents => attributes(headers),
        _ => Vec::new(),
    };
    let parts = Parts {
        source,
        mapping,
        attributes,
        made_key: made_key(&*app.random),
        now: app.clock.now(),
    };
    off_if_large(body, move |bytes| alerts_of(parts, bytes)).await
}

/// What a body is read with.
struct Parts {
    source: Source,
    mapping: Mapping,
    /// The attributes of an event of CloudEvents in binary mode.
    attributes: Vec<(String, String)>,
    /// The name of a problem that an event of PagerDuty's opens without naming it.
    made_key: String,
    now: Timestamp,
}

fn made_key(random: &dyn Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    format!("pd:{:032x}", u128::from_be_bytes(bytes))
}

fn mapping_of(source: Source, roster: &Roster) -> Result<Mapping, ApiError> {
    let settings = roster.source(source.name());
    let Some(document) = settings.and_then(|settings| settings.mapping.as_deref()) else {
        return Ok(Mapping::default());
    };
    let parsed = Json::parse(document.as_bytes()).ok();
    let mapping = parsed.and_then(|document| Mapping::parse(document).ok());
    mapping.ok_or_else(|| {
        let detail = "The mapping of this source can't be read; set it again.";
        ApiError::new(ErrorKind::Internal, detail)
    })
}

/// The attributes of an event in binary mode: the headers `ce-…`, whose values are percent-encoded (CloudEvents 1.0.2, HTTP protocol
/// binding, 3.1.3.2).
fn attributes(headers: &HeaderMap) -> Vec<(String, String)> {
    let attribute = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let name = name.as_str().strip_prefix("ce-")?;
        let value = percent_decode_str(value.to_str().ok()?).decode_utf8_lossy();
        Some((name.to_owned(), value.into_owned()))
    };
    headers.iter().filter_map(attribute).collect()
}

/// The data of an event in binary mode, by its media type, which is JSON if it has none.
fn data_of<'b>(
    attributes: &[(String, String)],
    body: &'b Bytes,
) -> Result<EventData<'b>, ApiError> {
    let media_type = attributes
        .iter()
        .find(|(name, _)| name == "datacontenttype");
    let is_json = media_type.is_none_or(|(_, media_type)| body::is_json_type(media_type));
    Ok(match (&**body, is_json) {
        ([], _) => EventData::None,
        (_, true) => EventData::Json(body::parse(body)?),
        (bytes, false) => EventData::Bytes(bytes),
    })
}

/// The faults of a body that is not what its source sends, and how to look at it.
fn not_the_shape(source: Source, mut faults: Vec<Fault>) -> ApiError {
    if let Some(first) = faults.first_mut() {
        let name = source.name();
        let hint = format!(
            " Post the body to …/ingest/{name}/preview to see what becomes of it without storing anything."
        );
        first.msg.push_str(&hint);
    }
    ApiError::invalid(faults)
}

fn alerts_of(parts: Parts, bytes: &Bytes) -> Result<Read, ApiError> {
    let mended = body::mended(bytes);
    let body = if parts.attributes.is_empty() {
        body::parse(&mended)?
    } else {
        let data = data_of(&parts.attributes, &mended)?;
        event_of_headers(parts.attributes, data)
    };
    let ingested = parts.source.read(body, &parts.mapping, parts.now);
    let mut ingested = ingested.map_err(|faults| not_the_shape(parts.source, faults))?;
    if let (Source::PagerDuty, [event]) = (parts.source, &mut *ingested.alerts) {
        let key = event.alert.dedup_key.get_or_insert(parts.made_key);
        ingested.dedup_key = Some(key.clone());
    }
    Ok(Read {
        alerts: ingested.alerts.into_iter().map(PreparedAlert::of).collect(),
        ignored: ingested.ignored,
        warnings: ingested.warnings,
        event_id: ingested.event_id,
        dedup_key: ingested.dedup_key,
    })
}
