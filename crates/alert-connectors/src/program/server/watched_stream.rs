//! The stream of a connection as the HTTP library sees it. It notices what the library does not report: heads that
//! frame their body twice, and the library's own answers, which are held back and replaced with ours.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use alert_connectors_api::HeadFault;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{framing::Framing, head_timer::HeadWait};

/// No request is framed twice.
const NONE: u64 = u64::MAX;

/// Which request of a connection is framed twice, once it is known.
#[derive(Debug, Clone)]
pub(super) struct FramedTwice(Arc<AtomicU64>);

impl FramedTwice {
    /// Whether it is this one, counted from 0.
    pub(super) fn is(&self, request: u64) -> bool {
        self.0.load(Ordering::Relaxed) == request
    }
}

/// A stream that is watched for what the HTTP library does not report.
pub(super) struct WatchedStream<S> {
    stream: S,
    framing: Framing,
    framed_twice: FramedTwice,
    head_wait: HeadWait,
    held_back: Option<HeadFault>,
}

impl<S> WatchedStream<S> {
    pub(super) fn new(stream: S, head_wait: HeadWait) -> Self {
        Self {
            stream,
            framing: Framing::new(),
            framed_twice: FramedTwice(Arc::new(AtomicU64::new(NONE))),
            head_wait,
            held_back: None,
        }
    }

    pub(super) fn framed_twice(&self) -> FramedTwice {
        self.framed_twice.clone()
    }

    /// The stream, and the fault that the library would have answered.
    pub(super) fn into_parts(self) -> (S, Option<HeadFault>) {
        (self.stream, self.held_back)
    }

    /// How much of a buffer may be written: an answer of the library's own is not.
    fn writable<'b>(&mut self, bytes: &'b [u8]) -> io::Result<&'b [u8]> {
        match own_answer(bytes) {
            Some((0, fault)) => {
                self.held_back = Some(fault);
                Err(io::ErrorKind::InvalidData.into())
            }
            Some((at, _)) => Ok(bytes.get(..at).unwrap_or_default()),
            None => Ok(bytes),
        }
    }
}

/// Where in a buffer the library's own answer begins: it is the last one, empty, and without a request id.
fn own_answer(bytes: &[u8]) -> Option<(usize, HeadFault)> {
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let begin = b"HTTP/1.";
    let at = bytes
        .windows(begin.len())
        .rposition(|window| window == begin)?;
    let answer = std::str::from_utf8(bytes.get(at..)?).ok()?;
    if answer.contains("x-request-id") || !answer.contains("content-length: 0\r\n") {
        return None;
    }
    let fault = match answer.split(' ').nth(1)? {
        "414" | "431" => HeadFault::TooLarge,
        "400" => HeadFault::Unreadable,
        _ => return None,
    };
    Some((at, fault))
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let read = buf.filled().get(before..).unwrap_or_default();
        if let Some(request) = this.framing.read(read) {
            this.framed_twice.0.store(request, Ordering::Relaxed);
        }
        this.head_wait.read(this.framing.in_head());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let bytes = this.writable(bytes)?;
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // The library's own answer stands alone behind what came before it.
        if let Some(last) = buffers.iter().rfind(|buffer| !buffer.is_empty())
            && own_answer(last).is_some()
        {
            let first = buffers.iter().find(|buffer| !buffer.is_empty());
            let bytes = this.writable(first.unwrap_or(last))?;
            return Pin::new(&mut this.stream).poll_write(cx, bytes);
        }
        Pin::new(&mut this.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_the_library_makes_itself_is_held_back() {
        let ours = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nx-request-id: 1\r\n\r\n";
        let own =
            "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        let fault = |text: &str| own_answer(text.as_bytes());
        assert_eq!(fault(ours), None);
        assert_eq!(fault(own), Some((0, HeadFault::TooLarge)));
        assert_eq!(
            fault(&format!("{ours}{own}")),
            Some((ours.len(), HeadFault::TooLarge))
        );
        assert_eq!(fault(&format!("{own}{ours}")), None);
    }
}
