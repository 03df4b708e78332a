//! What the answer to a request leaves unread of its body. It is passed over before the answer is sent, so that a client that still
//! writes gets to see the answer and can use the connection again. Where that would take too long, the answer says that the
//! connection closes.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::timeout;

/// At most this much of a body is passed over: two batches of the largest size.
const BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Each piece of it must arrive within this time. A client that takes longer may lose its answer.
const PIECE_MAX: Duration = Duration::from_secs(2);
/// All of it must arrive within this time.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);

/// A body that the route and [`Rest`] both hold.
struct SharedBody(Arc<Mutex<Body>>);

/// What is left of a body once its request is answered.
pub(crate) struct Rest {
    body: SharedBody,
    /// Whether the client sends it only when it is asked to.
    waits: bool,
}

/// Shares the body of a request, if it has one, to read later what the route leaves of it.
pub(crate) fn keep_rest(request: Request) -> (Request, Option<Rest>) {
    if request.body().is_end_stream() {
        return (request, None);
    }
    let waits = waits_to_be_asked(request.headers());
    let (head, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body));
    let request = Request::from_parts(head, Body::new(SharedBody(Arc::clone(&body))));
    let body = SharedBody(body);
    (request, Some(Rest { body, waits }))
}

fn waits_to_be_asked(headers: &HeaderMap) -> bool {
    let expected = headers.get(header::EXPECT);
    expected.is_some_and(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

impl Rest {
    /// Reads the rest without keeping anything. Returns whether it reached the end.
    pub(crate) async fn pass_over(mut self) -> bool {
        if self.body.is_end_stream() {
            return true;
        }
        // Reading would ask for it.
        if self.waits {
            return false;
        }
        let mut left = BYTES_MAX;
        let reading = async {
            while left > 0 {
                match timeout(PIECE_MAX, self.body.frame()).await {
                    Ok(None) => return true,
                    Ok(Some(Ok(frame))) => {
                        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                    }
                    Ok(Some(Err(_))) | Err(_) => return false,
                }
            }
            false
        };
        timeout(ARRIVAL_MAX, reading).await.unwrap_or(false)
    }
}

impl SharedBody {
    fn lock(&self) -> MutexGuard<'_, Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for SharedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.lock()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: Body, expects: Option<&str>) -> Request {
        let mut request = Request::new(body);
        if let Some(expects) = expects {
            let expects = expects.parse().unwrap();
            request.headers_mut().insert(header::EXPECT, expects);
        }
        request
    }

    #[tokio::test]
    async fn what_a_route_left_is_passed_over_unless_it_would_have_to_be_asked_for() {
        for (expects, passed_over) in [(None, true), (Some("100-Continue"), false)] {
            let (request, rest) = keep_rest(request(Body::from("some"), expects));
            drop(request);
            assert_eq!(rest.unwrap().pass_over().await, passed_over);
        }
        let (_request, rest) = keep_rest(request(Body::empty(), None));
        assert!(rest.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_or_does_not_end_is_given_up() {
        let silent = futures_util::stream::pending::<Result<Bytes, axum::Error>>();
        let piece = Bytes::from(vec![0; 64 * 1_024]);
        let endless =
            futures_util::stream::repeat_with(move || Ok::<_, axum::Error>(piece.clone()));
        for body in [Body::from_stream(silent), Body::from_stream(endless)] {
            let (_request, rest) = keep_rest(request(body, None));
            assert!(!rest.unwrap().pass_over().await);
        }
    }
}
