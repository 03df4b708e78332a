//! Recording what came of attempts, in groups, and holding everything back while that can't be done.

use std::{pin::pin, sync::Arc, time::Duration};

use alert_connectors_store::{Fence, Outcome, Queue, Report, StoreError};
use alert_connectors_tasks::Tasks;
use tokio::{
    sync::{mpsc, watch},
    time,
};
use tokio_util::sync::CancellationToken;

use crate::destination::Destination;

/// Requests whose outcomes may wait to be recorded; each destination waits at four of its own.
pub(crate) const WAITING_MAX: usize = 4_096;
/// At most this many share a group.
const GROUP_MAX: usize = 1_000;
/// How long to wait before recording is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// What a request came to, and who waits for it to be recorded.
pub(crate) struct Ended {
    pub(crate) destination: Arc<Destination>,
    /// By which right it was made.
    pub(crate) fence: Fence,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) revived: Vec<i64>,
}

/// Whether anything may be sent: not while outcomes can't be recorded.
pub(crate) type Held = bool;

/// Records until the engine is stopping and its last destination is done, or the store stopped.
pub(crate) async fn run(
    store: Arc<dyn Queue>,
    mut ended: mpsc::Receiver<Ended>,
    held: watch::Sender<Held>,
    workers: Tasks,
    stopping: CancellationToken,
) {
    let all_done = async {
        stopping.cancelled().await;
        workers.close();
        workers.wait().await;
    };
    let mut all_done = pin!(all_done);
    let mut group = Vec::with_capacity(GROUP_MAX);
    loop {
        let last = tokio::select! {
            // Either arm can be cancelled: what was not received stays in the channel.
            _count = ended.recv_many(&mut group, GROUP_MAX) => false,
            () = &mut all_done => true,
        };
        if last {
            while let Ok(one) = ended.try_recv() {
                group.push(one);
            }
        }
        let destinations: Vec<_> = group
            .iter()
            .map(|ended| Arc::clone(&ended.destination))
            .collect();
        let reports: Arc<[Report]> = group.drain(..).map(report).collect();
        if !reports.is_empty() && !record(&*store, &reports, &held).await {
            return;
        }
        for destination in destinations {
            destination.recorded();
        }
        if last {
            return;
        }
    }
}

/// The standing is taken here, by the one who writes it, so that a later one is never written before an earlier.
fn report(ended: Ended) -> Report {
    Report {
        destination: ended.destination.fingerprint,
        fence: ended.fence,
        standing: ended.destination.standing_to_record(ended.fence),
        outcomes: ended.outcomes,
        revived: ended.revived,
    }
}

/// Records one group, however long it takes. Says whether the store is still there.
async fn record(store: &dyn Queue, reports: &Arc<[Report]>, held: &watch::Sender<Held>) -> bool {
    loop {
        match store.record(Arc::clone(reports)).await {
            Ok(_recorded) => {
                if held.send_replace(false) {
                    tracing::info!("outcomes can be recorded again; delivery goes on");
                }
                return true;
            }
            Err(StoreError::Fatal(_) | StoreError::Stopped) => return false,
            Err(error) => {
                if !held.send_replace(true) {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "outcomes can't be recorded; delivery waits"
                    );
                }
                time::sleep(TRY_AGAIN).await;
            }
        }
    }
}
