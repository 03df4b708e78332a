//! What stands between a program and its database: it can cut them off from each other, and counts how often they turn from
//! asking to answering.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tempfile::TempDir;
use tokio::{
    io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixListener, UnixStream},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::address::{self, Address};

/// What becomes of what is sent through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// It is passed on.
    Flows,
    /// It is held back, as a network does that loses everything.
    Stalls,
    /// Connections are closed, and new ones at once.
    Cut,
}

/// A proxy before a server.
pub struct Proxy {
    folder: TempDir,
    server: Url,
    traffic: watch::Sender<Traffic>,
    turns: Arc<AtomicU64>,
    stopping: CancellationToken,
}

impl Proxy {
    /// Listens on a socket of its own and passes on to the server of a database, without TLS. To be called in a runtime.
    pub fn start(url: &str) -> anyhow::Result<Self> {
        let server = Url::parse(url)?;
        let to = Address::of(&server)?;
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(folder.path().join(address::SOCKET))?;
        let (traffic, watched) = watch::channel(Traffic::Flows);
        let turns = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&turns);
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let (passing, stopped) = (tasks.clone(), stopping.clone());
        tasks.spawn(stopped.run_until_cancelled_owned(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (watched, counted) = (watched.clone(), Arc::clone(&counted));
                passing.spawn(connect(client, to.clone(), watched, counted));
            }
        }));
        Ok(Self {
            folder,
            server,
            traffic,
            turns,
            stopping,
        })
    }

    /// How often anyone was answered after asking: the round trips on all connections.
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::SeqCst)
    }

    /// Where a database is, through the proxy.
    pub fn url(&self, database: &str) -> String {
        let user = match self.server.password() {
            Some(password) => format!("{}:{password}", self.server.username()),
            None => self.server.username().to_owned(),
        };
        address::behind_socket(&user, self.folder.path(), database)
    }

    /// Lets traffic flow, stall, or be cut.
    pub fn set(&self, traffic: Traffic) {
        self.traffic.send_replace(traffic);
    }
}

async fn connect(
    client: UnixStream,
    to: Address,
    traffic: watch::Receiver<Traffic>,
    turns: Arc<AtomicU64>,
) {
    if *traffic.borrow() == Traffic::Cut {
        return;
    }
    match to {
        Address::Socket(path) => {
            if let Ok(server) = UnixStream::connect(path).await {
                pass(client, server, traffic, turns).await;
            }
        }
        Address::Tcp(host, port) => {
            if let Ok(server) = TcpStream::connect((host, port)).await {
                pass(client, server, traffic, turns).await;
            }
        }
    }
}

async fn pass(
    client: UnixStream,
    server: impl AsyncRead + AsyncWrite,
    traffic: watch::Receiver<Traffic>,
    turns: Arc<AtomicU64>,
) {
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), io::split(server));
    let mut cut = traffic.clone();
    let asked = AtomicBool::new(false);
    tokio::select! {
        () = copy(from_client, to_server, traffic.clone(), || asked.store(true, Ordering::SeqCst)) => {}
        () = copy(from_server, to_client, traffic, || {
            if asked.swap(false, Ordering::SeqCst) {
                turns.fetch_add(1, Ordering::SeqCst);
            }
        }) => {}
        _cut = cut.wait_for(|traffic| *traffic == Traffic::Cut) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut traffic: watch::Receiver<Traffic>,
    passed: impl Fn(),
) {
    let mut buffer = vec![0; 16 * 1_024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let flows = traffic
            .wait_for(|traffic| *traffic == Traffic::Flows)
            .await
            .is_ok();
        passed();
        if !flows || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}
