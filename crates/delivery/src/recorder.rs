//! The recorder: writes the reports of requests to the store, in groups, and pauses delivery while it cannot.

use std::{pin::pin, sync::Arc, time::Duration};

use alert_connectors_model::Fingerprint;
use alert_connectors_store::{DestinationHealth, Fence, Outcome, Queue, Report, StoreError};
use alert_connectors_tasks::Tasks;
use tokio::{
    sync::{mpsc, watch},
    time,
};
use tokio_util::sync::CancellationToken;

use crate::space_events::{Publisher, SpaceEvents};

/// A report on its way to the disk. Its destination counts it as unrecorded until it is dropped.
pub(crate) trait Unrecorded: Send {
    fn fingerprint(&self) -> Fingerprint;

    /// Returns the health to write with a report, if it changed and the right of the report still holds.
    fn health_to_record(&self, fence: Fence) -> Option<DestinationHealth>;
}

/// Capacity of the queue of reports. Each destination waits at four unrecorded ones of its own.
pub(crate) const QUEUED_MAX: usize = 4_096;
/// The maximum number of reports in one group.
const GROUP_MAX: usize = 1_000;
/// The wait before recording is retried.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// What is to be recorded: a request that ended, a follow-up that was cancelled, or a change of health.
pub(crate) struct CompletedRequest {
    pub(crate) unrecorded: Box<dyn Unrecorded>,
    /// By which right it was made.
    pub(crate) fence: Fence,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) revived: Vec<i64>,
    /// What those who watch are told once it is on disk.
    pub(crate) events: SpaceEvents,
}

/// Whether requests may be made: not while their reports cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recording {
    Running,
    Paused,
}

/// Records until the engine is stopping and its last destination is done, or the store stopped.
pub(crate) async fn run(
    store: Arc<dyn Queue>,
    mut completed: mpsc::Receiver<CompletedRequest>,
    recording: watch::Sender<Recording>,
    mut publisher: Publisher,
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
            _count = completed.recv_many(&mut group, GROUP_MAX) => false,
            () = &mut all_done => true,
        };
        if last {
            while let Ok(one) = completed.try_recv() {
                group.push(one);
            }
        }
        let events = group
            .iter_mut()
            .flat_map(|one| std::mem::take(&mut one.events));
        let events = events.collect();
        let (unrecorded, reports): (Vec<_>, Vec<Report>) = group.drain(..).map(report).unzip();
        let reports: Arc<[Report]> = reports.into();
        if !reports.is_empty() && !record(&*store, &reports, &recording).await {
            return;
        }
        publisher.recorded(events, &reports);
        drop(unrecorded);
        if last {
            return;
        }
    }
}

/// The health is taken here, by the one who writes it, so that a later one is never written before an earlier.
fn report(completed: CompletedRequest) -> (Box<dyn Unrecorded>, Report) {
    let unrecorded = completed.unrecorded;
    let report = Report {
        destination: unrecorded.fingerprint(),
        fence: completed.fence,
        health: unrecorded.health_to_record(completed.fence),
        outcomes: completed.outcomes,
        revived: completed.revived,
    };
    (unrecorded, report)
}

/// Records one group, however long it takes. Says whether the store is still there.
async fn record(
    store: &dyn Queue,
    reports: &Arc<[Report]>,
    recording: &watch::Sender<Recording>,
) -> bool {
    loop {
        match store.record(Arc::clone(reports)).await {
            Ok(_recorded) => {
                if recording.send_replace(Recording::Running) == Recording::Paused {
                    tracing::info!("reports are recorded again; delivery continues");
                }
                return true;
            }
            Err(StoreError::Fatal(_) | StoreError::Stopped) => {
                recording.send_replace(Recording::Paused);
                return false;
            }
            Err(error) => {
                if recording.send_replace(Recording::Paused) == Recording::Running {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "failed to record reports; delivery is paused"
                    );
                }
                time::sleep(TRY_AGAIN).await;
            }
        }
    }
}
