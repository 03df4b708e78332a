//! What a tenant's webhooks may do: never answer, answer with interim responses without end, and have names that no name server
//! knows.

use std::{
    net::UdpSocket,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use alert_connectors_inbox::serve;
use axum::{Router, http::StatusCode};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Attackers;

/// Where the silent name server listens. Nothing else does on a usual machine.
const NAME_SERVER: &str = "127.53.53.53:53";

/// Interim responses that are written at once.
const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";

/// A receiver that takes every request, and never answers one. Returns where it stands.
pub(super) fn never_answer(
    attackers: &Attackers,
    tls: Arc<ServerConfig>,
) -> std::io::Result<String> {
    let (listener, base) = listening()?;
    let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
    attackers.spawn(async move {
        let Ok(listener) = TcpListener::from_std(listener) else {
            return;
        };
        let router = Router::new().fallback(std::future::pending::<StatusCode>);
        serve(listener, tls, router, tasks, stopping).await;
    });
    Ok(base)
}

/// A receiver that answers every request with interim responses for as long as somebody reads them.
pub(super) fn answer_for_ever(
    attackers: &Attackers,
    tls: Arc<ServerConfig>,
) -> std::io::Result<String> {
    let (listener, base) = listening()?;
    let tasks = TaskTracker::new();
    attackers.spawn(async move {
        let Ok(listener) = TcpListener::from_std(listener) else {
            return;
        };
        let acceptor = TlsAcceptor::from(tls);
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tasks.spawn(async move {
                // It ends with the reader.
                let _ended = write_interim(stream, acceptor).await;
            });
        }
    });
    Ok(base)
}

async fn write_interim(stream: TcpStream, acceptor: TlsAcceptor) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    // The request has begun.
    stream.read_u8().await?;
    let responses = INTERIM.repeat(100);
    loop {
        stream.write_all(&responses).await?;
    }
}

fn listening() -> std::io::Result<(std::net::TcpListener, String)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let base = format!("https://localhost:{}", listener.local_addr()?.port());
    Ok((listener, base))
}

/// A name server that never answers, and the configuration that names it. It ends with its handle.
pub(super) struct SilentNameServer {
    _socket: UdpSocket,
    pub(super) resolv_conf: PathBuf,
}

impl SilentNameServer {
    /// Starts one. Only a user who may mount files for a single program can: `None` for all others.
    pub(super) fn start(folder: &Path) -> Option<Self> {
        let may_mount = Command::new("unshare").args(["--mount", "true"]).status();
        if !may_mount.is_ok_and(|status| status.success()) {
            return None;
        }
        let socket = UdpSocket::bind(NAME_SERVER).ok()?;
        let resolv_conf = folder.join("resolv.conf");
        let address = NAME_SERVER.strip_suffix(":53")?;
        std::fs::write(&resolv_conf, format!("nameserver {address}\n")).ok()?;
        Some(Self {
            _socket: socket,
            resolv_conf,
        })
    }
}
