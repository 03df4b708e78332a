//! Whether a request has left this machine whole: from then on the channel may have posted it, whatever becomes of the answer.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const PREPARED: u8 = 0;
/// The connection has taken the last byte of the request, and may still hold some of it.
const TAKEN: u8 = 1;
const LEFT: u8 = 2;

/// What is read for one request at most: the head and the beginning of an answer, and what a server sends before it. One that
/// sends interim answers (1xx) without end would take a core otherwise.
const READ_BYTES_MAX: usize = 512 * 1_024;

/// How far the current request of a connection has come. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Departure(Arc<Progress>);

#[derive(Debug, Default)]
struct Progress {
    stage: AtomicU8,
    read: AtomicUsize,
}

impl Departure {
    /// A new request begins.
    pub(crate) fn begin(&self) {
        self.0.stage.store(PREPARED, Ordering::Relaxed);
        self.0.read.store(0, Ordering::Relaxed);
    }

    fn taken(&self) {
        self.0.stage.store(TAKEN, Ordering::Relaxed);
    }

    fn flushed(&self) {
        if self.0.stage.load(Ordering::Relaxed) == TAKEN {
            self.0.stage.store(LEFT, Ordering::Relaxed);
        }
    }

    /// Whether all of the request was given to the operating system to send.
    pub(crate) fn is_whole(&self) -> bool {
        self.0.stage.load(Ordering::Relaxed) == LEFT
    }

    /// More was read. Says whether that is still as much as an answer may have.
    fn has_read(&self, bytes: usize) -> bool {
        let before = self.0.read.fetch_add(bytes, Ordering::Relaxed);
        before.saturating_add(bytes) <= READ_BYTES_MAX
    }
}

/// The body of a request, which tells when it was taken.
pub(crate) struct Departing {
    body: Full<Bytes>,
    departure: Departure,
}

impl Departing {
    pub(crate) fn new(body: Bytes, departure: Departure) -> Self {
        departure.begin();
        Self {
            body: Full::new(body),
            departure,
        }
    }
}

impl Body for Departing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if self.body.is_end_stream() {
            self.departure.taken();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that tells when what was written to it has left.
pub(crate) struct DepartingStream<T> {
    stream: T,
    departure: Departure,
}

impl<T> DepartingStream<T> {
    pub(crate) const fn new(stream: T, departure: Departure) -> Self {
        Self { stream, departure }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for DepartingStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if self.departure.has_read(buffer.filled().len() - before) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Ready(Err(io::Error::other("the answer is too long")))
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for DepartingStream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// The connection flushes once it has written all that it holds.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.departure.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
