//! The HTTP server: plain HTTP/1.1 behind a reverse proxy, with bounds on connections and time, and a clean stop.

mod admission;
mod descriptors;
mod seldom;

use std::{convert::Infallible, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use alert_connectors_api::{Peer, Problem, ProblemKind};
use alert_connectors_model::SystemClock;
use alert_connectors_tasks::{Tasks, contained};
use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use admission::{Admission, Admitted};
pub(crate) use descriptors::Descriptors;
use seldom::Seldom;

/// The head of a request must have arrived within this time.
const HEAD_MAX: Duration = Duration::from_secs(10);
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
        return refuse(stream).await;
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(UNREAD_MAX));
    let working = Arc::clone(&admitted);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let (mut router, working) = (router.clone(), Arc::clone(&working));
        async move {
            working.is_busy();
            let answer = contained(router.call(request.map(Body::new))).await;
            working.is_idle();
            Ok::<_, Infallible>(match answer {
                Ok(Ok(answer)) => answer,
                Err(_panicked) => failed(),
            })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // A client that breaks off is no fault of ours.
        _ended = connection.as_mut() => return,
        () = admitted.gives_way() => return,
        () = soft.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ended = connection => {}
        () = hard.cancelled() => {}
    }
}

/// Below 1970 and beyond 9999 no date can be written into an answer, which the library for HTTP insists on.
const ODD_CLOCK: &str = "{\"type\":\"/problems/unavailable\",\"title\":\"Unavailable\",\"status\":503,\"detail\":\
    \"The clock of the machine that serves this says a time before 1970 or after 9998. Its operator has to set it.\"}";

async fn refuse(mut stream: TcpStream) {
    // The request is read as far as it has come, so that closing does not tear the answer away.
    let mut request = vec![0; 16 * 1_024];
    let length = ODD_CLOCK.len();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 60\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{ODD_CLOCK}"
    );
    let answering = async {
        let _read = stream.read(&mut request).await?;
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    // A client that takes too long has lost its answer.
    drop(tokio::time::timeout(HEAD_MAX, answering).await);
}

/// The answer to a request that panicked, which the log tells of.
fn failed() -> Response {
    let detail = "Something went wrong here. The operator finds it in the log by the time.";
    Problem::new(ProblemKind::Internal, detail).into_response()
}
