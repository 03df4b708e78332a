//! The memory that the answers under way may take together. An answer stays in memory until its caller has read it, so callers who
//! ask for long ones and don't read them must not add up.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, HttpBody},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::{
    ApiError, App,
    body_budget::{CallerKind, ReservedMemory, SMALL_BYTES},
};

/// Room that a route took for its answer before it changed anything, since it could not refuse to answer afterwards.
#[derive(Clone)]
pub(crate) struct AnswerRoom {
    _room: Arc<ReservedMemory>,
}

impl AnswerRoom {
    /// Takes room for an answer of about this many bytes.
    pub(crate) fn reserve(app: &App, bytes: usize) -> Result<Self, ApiError> {
        let mut room = app.answers.room(CallerKind::Known);
        room.grow(bytes)?;
        Ok(Self {
            _room: Arc::new(room),
        })
    }
}

/// Lets an answer take room until it is sent. A long one for which there is none becomes a 503.
pub(crate) fn with_room(app: &App, mut response: Response) -> Response {
    let reserved = response.extensions_mut().remove::<AnswerRoom>();
    let length = response.body().size_hint().exact();
    let length = length.and_then(|length| usize::try_from(length).ok());
    let room = match (reserved, length) {
        (Some(reserved), _) => reserved,
        (None, Some(length)) if length > SMALL_BYTES => match AnswerRoom::reserve(app, length) {
            Ok(room) => room,
            Err(error) => return error.into_response(),
        },
        (None, _) => return response,
    };
    response.map(|body| Body::new(BodyWithRoom { body, _room: room }))
}

/// A body with the room that it takes.
struct BodyWithRoom {
    body: Body,
    _room: AnswerRoom,
}

impl HttpBody for BodyWithRoom {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
