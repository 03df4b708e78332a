//! The HTTP server: plain HTTP/1.1 behind a reverse proxy, with time limits and a clean stop.

use std::{convert::Infallible, net::IpAddr, pin::pin, time::Duration};

use alert_connectors_api::Peer;
use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;

/// The head of a request must have arrived within this time.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// How long to wait after the system refused a connection.
const REFUSED: Duration = Duration::from_millis(50);

/// Accepts connections until told to stop, and lets each request in flight end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    tasks: TaskTracker,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = soft.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                tasks.spawn(converse(
                    stream,
                    peer.ip(),
                    router.clone(),
                    soft.clone(),
                    hard.clone(),
                ));
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a connection can't be accepted"
                );
                tokio::time::sleep(REFUSED).await;
            }
        }
    }
}

async fn converse(
    stream: TcpStream,
    peer: IpAddr,
    router: Router,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    // Answers are written whole, so waiting for more only delays them.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let mut router = router.clone();
        async move {
            Ok::<_, Infallible>(
                router
                    .call(request.map(Body::new))
                    .await
                    .unwrap_or_else(|never| match never {}),
            )
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // A client that breaks off is no fault of ours.
        _ended = connection.as_mut() => return,
        () = soft.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ended = connection => {}
        () = hard.cancelled() => {}
    }
}
