//! Serving a router over HTTPS.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;

/// How long to wait after the system refused a connection.
const NOT_ACCEPTED: Duration = Duration::from_millis(50);
/// The TLS handshake takes at most this long.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// A connection that is silent for this long is closed, like that of a platform.
const HEAD_MAX: Duration = Duration::from_mins(1);

/// Serves until it is told to stop; then it drops every connection.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    router: Router,
    tasks: TaskTracker,
    stopping: CancellationToken,
) {
    let acceptor = TlsAcceptor::from(tls);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Out of descriptors, or the peer was gone already: the next one may do better, but hardly at once.
                Err(_passing) => {
                    tokio::time::sleep(NOT_ACCEPTED).await;
                    continue;
                }
            },
            () = stopping.cancelled() => return,
        };
        let (acceptor, router, stopping) = (acceptor.clone(), router.clone(), stopping.clone());
        tasks.spawn(async move {
            tokio::select! {
                // A client that breaks off is no fault of the inbox.
                _ended = converse(stream, acceptor, router) => {}
                () = stopping.cancelled() => {}
            }
        });
    }
}

async fn converse(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    router: Router,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let stream = timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await??;
    let service = service_fn(move |request: Request<Incoming>| {
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
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}
