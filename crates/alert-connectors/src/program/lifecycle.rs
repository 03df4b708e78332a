//! Stopping: the first signal lets requests in flight end; a second signal, or ten seconds, drops them.

use std::time::Duration;

use alert_connectors_tasks::Tasks;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long requests in flight may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Why the service stops.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It was asked to.
    Asked,
    /// It can't go on, for this reason.
    Failed(String),
}

/// The tasks of the service, and the two tokens that end them.
pub(crate) struct Lifecycle {
    /// The tasks that are waited for at the end.
    pub(crate) tasks: Tasks,
    /// Take nothing new.
    pub(crate) soft: CancellationToken,
    /// Drop what is left.
    pub(crate) hard: CancellationToken,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// The name of the task that a test of the debug build kills.
pub(crate) fn doomed() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "no setting: the release build does not read it"
    )]
    let name = || std::env::var("ALERT_CONNECTORS_DOOMED_TASK").ok();
    cfg!(debug_assertions).then(name).flatten()
}

impl Lifecycle {
    pub(crate) fn new() -> std::io::Result<Self> {
        let hard = CancellationToken::new();
        let soft = hard.child_token();
        Ok(Self {
            tasks: Tasks::new(soft.clone(), doomed()),
            soft,
            hard,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Runs until a signal or a failure, then ends everything. SIGHUP calls `reload`.
    pub(crate) async fn run(
        mut self,
        failed: impl Future<Output = String>,
        reload: impl Fn(),
    ) -> Stop {
        let mut failed = std::pin::pin!(failed);
        let stop = loop {
            tokio::select! {
                // A task may end because the store failed, which says more.
                biased;
                reason = &mut failed => break Stop::Failed(reason),
                reason = self.tasks.failed() => break Stop::Failed(reason),
                _ = self.terminate.recv() => break Stop::Asked,
                _ = self.interrupt.recv() => break Stop::Asked,
                _ = self.hang_up.recv() => reload(),
            }
        };
        self.soft.cancel();
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => {}
            () = tokio::time::sleep(GRACE) => tracing::warn!("what was in flight did not end in time and is dropped"),
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        self.hard.cancel();
        stop
    }
}
