//! The HTTP server: plain HTTP/1.1 behind a reverse proxy, with bounds on connections and time, and a clean stop.

mod admission;
mod descriptors;
mod framing;
mod head_timer;
mod last_words;
mod watched_stream;

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alert_connectors_api::{ApiError, ErrorKind, HeadFault, Peer, Seldom, notifying_of_callers};
use alert_connectors_model::SystemClock;
use alert_connectors_tasks::{Tasks, contained};
use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use admission::{Admission, Admitted};
pub(crate) use descriptors::Descriptors;
use head_timer::{HEAD_MAX, HeadWait};
use watched_stream::WatchedStream;

/// The head of a request has at most this many bytes, on every connection: the body budget does not count them.
const HEAD_BYTES_MAX: usize = 16 * 1_024;
/// A client must read something of its answer within this time.
const UNREAD_MAX: Duration = Duration::from_secs(30);
/// How long to wait after the system refused a connection.
const REFUSED: Duration = Duration::from_millis(50);

/// The server before it accepts anything.
pub(crate) struct Server {
    pub(crate) listener: TcpListener,
    pub(crate) router: Router,
    /// The maximum number of open connections from callers.
    pub(crate) connections_max: usize,
    pub(crate) tasks: Tasks,
    pub(crate) soft: CancellationToken,
    pub(crate) hard: CancellationToken,
}

impl Server {
    /// Accepts connections until told to stop, and lets each request in flight end.
    pub(crate) async fn run(self) {
        let admission = Admission::new(self.connections_max);
        let refused = Seldom::default();
        loop {
            let (stream, peer, admitted) = tokio::select! {
                accepted = accept(&self.listener, &admission) => match accepted {
                    Ok(Some(accepted)) => accepted,
                    Ok(None) => return,
                    Err(error) => {
                        not_accepted(&refused, &error).await;
                        continue;
                    }
                },
                () = self.soft.cancelled() => return,
            };
            self.tasks.dispensable(converse(
                stream,
                peer,
                self.router.clone(),
                Arc::new(admitted),
                self.soft.clone(),
                self.hard.clone(),
            ));
        }
    }
}

/// The next connection, once there is room for it; until then it waits in the system's queue.
async fn accept(
    listener: &TcpListener,
    admission: &Admission,
) -> std::io::Result<Option<(TcpStream, IpAddr, Admitted)>> {
    let (stream, peer) = listener.accept().await?;
    let admitted = admission.admit().await;
    Ok(admitted.map(|admitted| (stream, peer.ip(), admitted)))
}

async fn not_accepted(refused: &Seldom, error: &std::io::Error) {
    if let Some(count) = refused.count() {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            count,
            "connections can't be accepted"
        );
    }
    tokio::time::sleep(REFUSED).await;
}

async fn converse(
    stream: TcpStream,
    peer: IpAddr,
    router: Router,
    admitted: Arc<Admitted>,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    // Answers are written whole, so waiting for more only delays them.
    drop(stream.set_nodelay(true));
    if !SystemClock::is_sound() {
        return last_words::on_odd_clock(stream).await;
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(UNREAD_MAX));
    let head_wait = HeadWait::default();
    let stream = WatchedStream::new(Box::pin(stream), head_wait.clone());
    let (framed_twice, heads) = (stream.framed_twice(), AtomicU64::new(0));
    let (working, serving) = (Arc::clone(&admitted), router.clone());
    let (known, caller_wait) = (Arc::clone(&admitted), head_wait.clone());
    let tell: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
        known.is_known();
        caller_wait.is_known();
    });
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        if framed_twice.is(heads.fetch_add(1, Ordering::Relaxed)) {
            request.extensions_mut().insert(HeadFault::FramedTwice);
        }
        let (router, working, tell) = (serving.clone(), Arc::clone(&working), Arc::clone(&tell));
        async move {
            working.is_busy();
            let answering = answer(router, request.map(Body::new));
            let answer = notifying_of_callers(tell, answering).await;
            working.is_idle();
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = http1::Builder::new()
        .timer(head_wait)
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = admitted.gives_way() => return,
        () = soft.cancelled() => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            tokio::select! {
                ended = &mut connection => ended,
                () = hard.cancelled() => return,
            }
        }
    };
    // A client that disconnects is no error of the server. The library says nothing to one that begins with HTTP/2.
    let is_http2 = ended.is_err_and(|error| error.is_parse_version_h2());
    let (stream, held_back) = connection.into_parts().io.into_inner().into_parts();
    if let Some(fault) = held_back.or(is_http2.then_some(HeadFault::Unreadable)) {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(fault);
        let answer = answer(router, request).await;
        tokio::select! {
            () = last_words::say(stream, answer) => {}
            () = admitted.gives_way() => {}
            () = hard.cancelled() => {}
        }
    }
}

/// The answer of the routes. A panic in them ends the request, not the connection.
async fn answer(mut router: Router, request: Request<Body>) -> Response {
    match contained(router.call(request)).await {
        Ok(Ok(answer)) => answer,
        Err(_panicked) => failed(),
    }
}

/// The answer to a request that panicked; the panic is logged.
fn failed() -> Response {
    let detail = "Something went wrong here. The operator finds it in the log by the time.";
    ApiError::new(ErrorKind::Internal, detail).into_response()
}
