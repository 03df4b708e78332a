//! What stands between the servers and their database, and can cut them off from it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

/// What becomes of what is sent through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// It is passed on.
    Flows,
    /// It is held back, as a network does that loses everything.
    Stalls,
    /// Connections are closed, and new ones at once.
    Cut,
}

/// A proxy before a socket.
pub(crate) struct Proxy {
    folder: TempDir,
    traffic: watch::Sender<Traffic>,
}

impl Proxy {
    pub(crate) async fn start(to: &Path, stopping: CancellationToken) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432"))?;
        let (traffic, watched) = watch::channel(Traffic::Flows);
        let to = to.to_owned();
        tokio::spawn(async move {
            let all = async {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(pass(client, to.clone(), watched.clone()));
                }
            };
            tokio::select! {
                () = all => {}
                () = stopping.cancelled() => {}
            }
        });
        Ok(Self { folder, traffic })
    }

    pub(crate) fn url(&self, database: &str) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://alerts@{folder}/{database}")
    }

    pub(crate) fn set(&self, traffic: Traffic) {
        self.traffic.send_replace(traffic);
    }
}

async fn pass(client: UnixStream, to: PathBuf, traffic: watch::Receiver<Traffic>) {
    if *traffic.borrow() == Traffic::Cut {
        return;
    }
    let Ok(server) = UnixStream::connect(to).await else {
        return;
    };
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    let mut cut = traffic.clone();
    tokio::select! {
        () = copy(from_client, to_server, traffic.clone()) => {}
        () = copy(from_server, to_client, traffic) => {}
        _cut = cut.wait_for(|traffic| *traffic == Traffic::Cut) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut traffic: watch::Receiver<Traffic>,
) {
    let mut buffer = vec![0; 16 * 1_024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let flows = traffic
            .wait_for(|traffic| *traffic == Traffic::Flows)
            .await
            .is_ok();
        if !flows || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
