//! Reading a request's body: its length, then its media type and encoding, then its syntax.

use std::{io::Read, time::Duration};

use alert_connectors_model::Json;
use axum::body::Body;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{Problem, ProblemKind};

/// The largest body, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1_024 * 1_024;
/// The largest batch, in bytes.
pub(crate) const BATCH_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Of a body that is too large, at most so much is passed over before the connection is closed.
const PASSED_OVER_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// A body must have arrived within this time.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);

/// What some producers write before their JSON, although it means nothing there.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How a body came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
}

/// The bytes of a JSON body; the limit holds for what comes and for what comes out of it.
pub(crate) async fn read(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > most as u64) {
        pass_over(body).await;
        return Err(too_large(most));
    }
    if !is_json(headers) {
        let detail = "Send the body as JSON, with the header Content-Type: application/json.";
        return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    }
    let encoding = encoding(headers)?;
    let bytes = collect(body, most).await?;
    match encoding {
        Encoding::Identity => Ok(bytes),
        Encoding::Gzip => unzipped(&bytes, most),
    }
}

async fn collect(body: Body, most: usize) -> Result<Bytes, Problem> {
    let collected = tokio::time::timeout(ARRIVAL_MAX, Limited::new(body, most).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(most)),
        Ok(Err(_broken)) => Err(Problem::new(
            ProblemKind::MalformedJson,
            "The body broke off.",
        )),
        Err(_late) => Err(Problem::new(
            ProblemKind::MalformedJson,
            "The body did not arrive within 30 seconds.",
        )),
    }
}

/// Reads on without keeping anything, so that a client that is still writing gets to see the answer.
async fn pass_over(mut body: Body) {
    let mut left = PASSED_OVER_BYTES_MAX;
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    // A client that takes too long has lost its answer.
    drop(tokio::time::timeout(ARRIVAL_MAX, reading).await);
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
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
            Err(Problem::new(ProblemKind::UnsupportedMediaType, detail))
        }
    }
}

fn unzipped(bytes: &Bytes, most: usize) -> Result<Bytes, Problem> {
    let mut plain = Vec::new();
    let mut decoder = MultiGzDecoder::new(bytes.as_ref()).take(most as u64 + 1);
    if decoder.read_to_end(&mut plain).is_err() {
        let detail = "The body is not gzip, as its Content-Encoding says, or it broke off.";
        return Err(Problem::new(ProblemKind::MalformedJson, detail));
    }
    if plain.len() > most {
        return Err(too_large(most));
    }
    Ok(Bytes::from(plain))
}

/// The JSON of a body that was read.
pub(crate) fn parse(bytes: &Bytes) -> Result<Json<'_>, Problem> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if bytes.is_empty() {
        return Err(Problem::new(
            ProblemKind::MalformedJson,
            "The body is empty; send JSON (line 1, column 1).",
        ));
    }
    Ok(Json::parse(bytes)?)
}

fn too_large(most: usize) -> Problem {
    Problem::new(
        ProblemKind::TooLarge,
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
    let essence = media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}
