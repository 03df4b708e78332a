//! Reading a request's body: its length, then its media type and encoding, then its syntax.

use std::{io::Read, ops::Deref, time::Duration};

use alert_connectors_model::{Json, JsonValues};
use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header};
use http_body_util::BodyExt;

use crate::{
    ApiError, App, ErrorKind,
    body_budget::{CallerKind, ReservedMemory},
    non_finite, surrogates,
};

/// The largest body, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1_024 * 1_024;
/// The largest body of a sign-in, in bytes: an address and a password.
pub(crate) const SIGN_IN_BYTES_MAX: usize = 16 * 1_024;
/// The largest batch, in bytes.
pub(crate) const BATCH_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// A body must have arrived within this time.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);
/// The same for a caller who is not known yet, whose body is small.
const STRANGERS_ARRIVAL_MAX: Duration = Duration::from_secs(5);

/// What some producers write before their JSON, although it means nothing there.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
}

/// The bytes of a body, and the room that they take in the body budget.
pub(crate) struct Received {
    bytes: Bytes,
    room: ReservedMemory,
}

impl Received {
    /// JSON that stands in the body, in place of the body.
    pub(crate) fn replaced_by(mut self, json: Bytes) -> Result<Self, ApiError> {
        self.room.grow(json.len() + Json::weight_of(&json))?;
        self.bytes = json;
        Ok(self)
    }
}

impl Deref for Received {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

/// The JSON body of an authorised caller. The limit holds for the body as sent and as unpacked.
pub(crate) async fn read(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<Received, ApiError> {
    read_from(app, CallerKind::Known, headers, body, most).await
}

/// The JSON body of a sender of either kind.
pub(crate) async fn read_from(
    app: &App,
    sender: CallerKind,
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<Received, ApiError> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > most as u64) {
        return Err(too_large(most));
    }
    if !is_json(headers) {
        let detail = "Send the body as JSON, with the header Content-Type: application/json.";
        return Err(ApiError::new(ErrorKind::UnsupportedMediaType, detail));
    }
    let encoding = encoding(headers)?;
    let mut room = app.bodies.room(sender);
    let within = match sender {
        CallerKind::Known => ARRIVAL_MAX,
        CallerKind::Stranger => STRANGERS_ARRIVAL_MAX,
    };
    let arriving = collect(body, encoding, announced, most, &mut room);
    let arrived = tokio::time::timeout(within, arriving).await;
    let late = |_late| {
        let detail = format!(
            "The body did not arrive within {} seconds.",
            within.as_secs()
        );
        ApiError::new(ErrorKind::MalformedJson, detail)
    };
    let bytes = arrived.map_err(late)??;
    let bytes = match encoding {
        Encoding::Identity => bytes,
        Encoding::Gzip => unzipped(&bytes, most, &mut room)?,
    };
    // The tree that is read from the body takes memory beside it.
    room.grow(Json::weight_of(&bytes))?;
    Ok(Received { bytes, room })
}

async fn collect(
    mut body: Body,
    encoding: Encoding,
    announced: Option<u64>,
    most: usize,
    room: &mut ReservedMemory,
) -> Result<Bytes, ApiError> {
    let (mut collected, mut values) = (Vec::new(), JsonValues::default());
    while let Some(frame) = body.frame().await {
        let broken = |_broken| ApiError::new(ErrorKind::MalformedJson, "The body broke off.");
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if data.len() > most - collected.len() {
            return Err(too_large(most));
        }
        room.grow(data.len())?;
        // Most bodies come in one piece, which need not be copied.
        if collected.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        if collected.is_empty() {
            // Memory that is reserved is not taken before something is written to it.
            let announced = announced.and_then(|length| usize::try_from(length).ok());
            collected.reserve_exact(announced.unwrap_or_default().min(most));
        }
        if encoding == Encoding::Identity && !values.read(&data) {
            return Err(Json::too_many_values().into());
        }
        collected.extend_from_slice(&data);
    }
    Ok(Bytes::from(collected))
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, ApiError> {
    let Some(given) = headers.get(header::CONTENT_ENCODING) else {
        return Ok(Encoding::Identity);
    };
    match given
        .to_str()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
        .as_str()
    {
        "" | "identity" => Ok(Encoding::Identity),
        "gzip" | "x-gzip" => Ok(Encoding::Gzip),
        other => {
            let named: String = other.chars().take(40).collect();
            let detail = format!(
                "The body's encoding {named:?} is not supported; send it as it is or with Content-Encoding: gzip."
            );
            Err(ApiError::new(ErrorKind::UnsupportedMediaType, detail))
        }
    }
}

/// At most this many bytes are unpacked at once.
const UNPACKED_BYTES: usize = 64 * 1_024;

fn unzipped(bytes: &Bytes, most: usize, room: &mut ReservedMemory) -> Result<Bytes, ApiError> {
    let (mut plain, mut some) = (Vec::new(), vec![0; UNPACKED_BYTES]);
    let mut values = JsonValues::default();
    let mut decoder = MultiGzDecoder::new(bytes.as_ref());
    loop {
        let broken = |_broken| {
            let detail = "The body is not gzip, as its Content-Encoding says, or it broke off.";
            ApiError::new(ErrorKind::MalformedJson, detail)
        };
        let unpacked = match decoder.read(&mut some).map_err(broken)? {
            0 => return Ok(Bytes::from(plain)),
            count => some.get(..count).unwrap_or_default(),
        };
        if unpacked.len() > most - plain.len() {
            return Err(too_large(most));
        }
        room.grow(unpacked.len())?;
        if !values.read(unpacked) {
            return Err(Json::too_many_values().into());
        }
        plain.extend_from_slice(unpacked);
    }
}

/// The body without what producers write although JSON has no such thing: `NaN` and the like, and half characters.
pub fn mended(bytes: &Bytes) -> Bytes {
    non_finite::mended(&surrogates::mended(bytes))
}

/// The body without the byte order mark that it may begin with.
pub(crate) fn without_mark(bytes: &Bytes) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// The JSON of a body that was read.
pub(crate) fn parse(bytes: &Bytes) -> Result<Json<'_>, ApiError> {
    let bytes = without_mark(bytes);
    if bytes.is_empty() {
        return Err(ApiError::new(
            ErrorKind::MalformedJson,
            "The body is empty; send JSON (line 1, column 1).",
        ));
    }
    Ok(Json::parse(bytes)?)
}

/// The refusal of a body that has more than `most` bytes.
pub(crate) fn too_large(most: usize) -> ApiError {
    ApiError::new(
        ErrorKind::TooLarge,
        format!("The body may have at most {most} bytes."),
    )
}

/// `application/json` or `application/…+json`, with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(media_type) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    is_json_type(media_type)
}

/// The same of the value.
pub(crate) fn is_json_type(media_type: &str) -> bool {
    let essence = media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}
