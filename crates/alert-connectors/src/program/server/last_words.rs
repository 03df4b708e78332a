//! The answer to a client that can't be served: its request could not be read, or the server's clock shows an
//! impossible time. It is written without the HTTP library, and the connection ends with it.

use std::time::Duration;

use alert_connectors_model::{Clock, SystemClock};
use axum::response::Response;
use http::header::CONTENT_LENGTH;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Sending the answer takes at most this long.
const SAYING_MAX: Duration = Duration::from_secs(10);
/// The largest answer; an error takes about a kilobyte.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;
/// At most this much of what a client still sends is read before its connection is closed.
const DISREGARDED_MAX: u64 = 1_024 * 1_024;

/// Before 1970 and after 9999 no date can be written into an answer, but the HTTP library requires one.
const ODD_CLOCK: &str = "{\"type\":\"/problems/unavailable\",\"title\":\"Unavailable\",\"status\":503,\"detail\":\
    \"The clock of the machine that serves this says a time before 1970 or after 9998. Its operator has to set it.\"}";

pub(super) async fn on_odd_clock(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let length = ODD_CLOCK.len();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 60\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{ODD_CLOCK}"
    );
    close_with(stream, answer.as_bytes()).await;
}

/// Sends an answer of the routes, and closes.
pub(super) async fn say(stream: impl AsyncRead + AsyncWrite + Unpin, answer: Response) {
    let (head, body) = answer.into_parts();
    let Ok(body) = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await else {
        return;
    };
    let first = format!(
        "HTTP/1.1 {}\r\ncontent-length: {}\r\n",
        head.status,
        body.len()
    );
    let mut bytes = first.into_bytes();
    let now =
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&SystemClock.now());
    if let Ok(now) = now {
        bytes.extend(format!("date: {now}\r\n").into_bytes());
    }
    let others = head.headers.iter();
    for (name, value) in others.filter(|(name, _)| **name != CONTENT_LENGTH) {
        let line = [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"];
        bytes.extend(line.concat());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    close_with(stream, &bytes).await;
}

/// Sends an answer and closes. What the client still sends is read for a while, or closing would tear the answer away.
async fn close_with(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) {
    let saying = async {
        stream.write_all(answer).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(DISREGARDED_MAX), &mut tokio::io::sink()).await
    };
    // A client that takes too long has lost its answer.
    drop(tokio::time::timeout(SAYING_MAX, saying).await);
}
