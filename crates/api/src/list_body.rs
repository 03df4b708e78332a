//! The body of an answer that is a list. It is kept in pieces, so that a long one is never whole in one block of memory: the
//! allocator keeps such blocks for a while.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// A piece ends once it has this many bytes.
const PIECE_BYTES: usize = 32 * 1_024;

/// A list in the making.
pub(crate) struct ListBody {
    done: VecDeque<Bytes>,
    done_bytes: usize,
    piece: String,
    is_empty: bool,
}

impl ListBody {
    /// Begins with what stands before the first item.
    pub(crate) fn new(before: &str) -> Self {
        Self {
            done: VecDeque::new(),
            done_bytes: 0,
            piece: before.to_owned(),
            is_empty: true,
        }
    }

    /// Adds an item. Between two pieces other requests have their turn: a long list takes milliseconds to write.
    pub(crate) async fn push(&mut self, item: &str) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.piece.push(',');
        }
        self.piece.push_str(item);
        if self.piece.len() >= PIECE_BYTES {
            let piece = std::mem::take(&mut self.piece);
            self.done_bytes += piece.len();
            self.done.push_back(piece.into());
            tokio::task::yield_now().await;
        }
    }

    /// How many bytes it has so far.
    pub(crate) const fn len(&self) -> usize {
        self.done_bytes + self.piece.len()
    }

    /// Ends with what stands after the last item.
    pub(crate) fn finish(mut self, after: &str) -> Body {
        self.piece.push_str(after);
        self.done.push_back(self.piece.into());
        let left = self.done.iter().map(|piece| piece.len() as u64).sum();
        let pieces = self.done;
        Body::new(Pieces { pieces, left })
    }
}

struct Pieces {
    pieces: VecDeque<Bytes>,
    /// Bytes that have not been sent.
    left: u64,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.pop_front();
        if let Some(piece) = &piece {
            self.left -= piece.len() as u64;
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_list_is_the_same_in_pieces() {
        for (count, length) in [(0, 0), (1, 5), (3, PIECE_BYTES), (9, 10_000)] {
            let item = "x".repeat(length);
            let mut list = ListBody::new("[");
            for _ in 0..count {
                list.push(&item).await;
            }
            let body = list.finish("]");
            let whole = format!("[{}]", vec![item; count].join(","));
            assert_eq!(body.size_hint().exact(), Some(whole.len() as u64));
            let sent = body.collect().await.unwrap().to_bytes();
            assert_eq!(sent, whole);
        }
    }
}
