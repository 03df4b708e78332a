//! Commits that PostgreSQL warns of, since they "might not have been replicated to the standby": their wait for it was cancelled.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use deadpool_postgres::Connect;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Config, Error, error::DbError};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::TaskTracker;

/// The function of PostgreSQL's that warns of such a commit. Its name is the same in every language:
/// <https://www.postgresql.org/docs/15/protocol-error-fields.html>.
const WAIT_FOR_STANDBY: &str = "SyncRepWaitForLSN";

/// Counts these warnings on some connections. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Warnings(Arc<AtomicU64>);

impl Warnings {
    /// How many there were until now. Those that came before an answer are counted when it is there.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn note(&self, notice: &DbError) {
        if notice.routine() == Some(WAIT_FOR_STANDBY) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Makes connections whose warnings are counted.
pub(crate) struct Connector {
    pub(crate) tls: MakeRustlsConnect,
    pub(crate) warnings: Warnings,
}

impl Connect for Connector {
    fn connect(&self, config: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        let config = config.clone();
        Box::pin(async move {
            let (client, mut connection) = config.connect(self.tls.clone()).await?;
            let warnings = self.warnings.clone();
            // The task ends with its client. A caller that waits for an answer gets the error.
            let driver = TaskTracker::new().spawn(async move {
                while let Some(Ok(message)) =
                    poll_fn(|context| connection.poll_message(context)).await
                {
                    if let AsyncMessage::Notice(notice) = message {
                        warnings.note(&notice);
                    }
                }
            });
            Ok((client, driver))
        })
    }
}
