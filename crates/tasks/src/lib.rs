#![doc = include_str!("../README.md")]

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::watch;
use tokio_util::{
    sync::CancellationToken, task::TaskTracker, task::task_tracker::TaskTrackerWaitFuture,
};

/// How long a task runs before a test kills it.
const DOOMED_FOR: Duration = Duration::from_millis(300);

/// Runs tasks, and waits for them. Clones share the tasks.
#[derive(Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    all: Arc<All>,
}

/// What all groups of tasks share.
struct All {
    /// Cancelled once tasks are to end.
    stopping: CancellationToken,
    /// Why the service can't go on.
    failed: watch::Sender<Option<String>>,
    /// The name of the tasks that a test kills.
    doomed: Option<String>,
}

impl Tasks {
    /// No tasks yet. Until `stopping` is cancelled none of the essential ones may end. Tests name tasks that are `doomed`:
    /// they panic soon after their start.
    pub fn new(stopping: CancellationToken, doomed: Option<String>) -> Self {
        let (failed, _) = watch::channel(None);
        Self {
            tracker: TaskTracker::new(),
            all: Arc::new(All {
                stopping,
                failed,
                doomed,
            }),
        }
    }

    /// A group of tasks that is waited for on its own. A failure in it is a failure of the service, too.
    #[must_use]
    pub fn group(&self) -> Self {
        Self {
            tracker: TaskTracker::new(),
            all: Arc::clone(&self.all),
        }
    }

    /// Starts a task that the service can't do without: the service fails if it panics, or ends before it is asked to.
    pub fn essential(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let all = Arc::clone(&self.all);
        let task = self.until_doomed(name, task);
        self.tracker.spawn(async move {
            let ended = contained(task).await;
            match ended {
                Ok(()) if all.stopping.is_cancelled() => {}
                Ok(()) => all.fail(format!("the task {name} ended without being asked to")),
                Err(Panicked) => all.fail(format!("the task {name} panicked")),
            }
        });
    }

    /// Starts a task that ends by itself: the service fails only if it panics.
    pub fn worker(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let all = Arc::clone(&self.all);
        let task = self.until_doomed(name, task);
        self.tracker.spawn(async move {
            if contained(task).await.is_err() {
                all.fail(format!("the task {name} panicked"));
            }
        });
    }

    /// Starts a task that concerns one caller only: its panic is only logged.
    pub fn dispensable(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = Box::pin(task);
        self.tracker.spawn(async move {
            drop(contained(task).await);
        });
    }

    /// Waits for a failure, and returns its reason.
    pub async fn failed(&self) -> String {
        let mut failed = self.all.failed.subscribe();
        let reason = failed.wait_for(Option::is_some).await;
        let reason = reason.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_default()
    }

    /// Nothing more will be started.
    pub fn close(&self) {
        self.tracker.close();
    }

    /// Waits until all have ended, after [`Tasks::close`].
    pub fn wait(&self) -> TaskTrackerWaitFuture<'_> {
        self.tracker.wait()
    }

    /// Boxed, because each future that wraps another by value has room for it twice: as its argument and while it is awaited.
    fn until_doomed(
        &self,
        name: &str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> BoxFuture<'static, ()> {
        if self.all.doomed.as_deref() != Some(name) {
            return Box::pin(task);
        }
        Box::pin(async move {
            drop(tokio::time::timeout(DOOMED_FOR, task).await);
            std::panic::resume_unwind(Box::new("a test kills this task"));
        })
    }
}

impl All {
    /// Only the first failure is returned; all are logged.
    fn fail(&self, reason: String) {
        tracing::error!(reason, "the service can't go on");
        self.failed.send_if_modified(|failed| {
            let is_first = failed.is_none();
            failed.get_or_insert(reason);
            is_first
        });
    }
}

/// Something panicked. The panic itself is logged where it happens.
#[derive(Debug, PartialEq, Eq)]
pub struct Panicked;

/// Runs a future, and contains its panic.
pub async fn contained<T>(task: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(task)
        .catch_unwind()
        .await
        .map_err(|_payload| Panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_service_needs_fails_with_a_panic_and_with_an_end() {
        for (essential, panics, failure) in [
            (true, true, Some("the task x panicked")),
            (true, false, Some("the task x ended without being asked to")),
            (false, true, Some("the task x panicked")),
            (false, false, None),
        ] {
            let tasks = Tasks::new(CancellationToken::new(), None);
            let task = async move { assert!(!panics, "a bug") };
            let group = tasks.group();
            if essential {
                group.essential("x", task);
            } else {
                group.worker("x", task);
            }
            group.close();
            group.wait().await;
            let failed = tasks.failed().now_or_never();
            assert_eq!(failed.as_deref(), failure);
        }
    }

    #[tokio::test]
    async fn an_end_that_was_asked_for_is_none() {
        let stopping = CancellationToken::new();
        let tasks = Tasks::new(stopping.clone(), None);
        let stop = stopping.clone();
        tasks.essential("x", async move { stop.cancelled().await });
        tasks.dispensable(async { std::panic::panic_any("a bug") });
        stopping.cancel();
        tasks.close();
        tasks.wait().await;
        assert_eq!(tasks.failed().now_or_never(), None);
    }

    #[tokio::test]
    async fn watching_a_task_takes_little_memory_beside_its_own() {
        let tasks = Tasks::new(CancellationToken::new(), None);
        let large = async {
            let state = [0_u8; 10_000];
            std::future::pending::<()>().await;
            assert_ne!(state.len(), 0);
        };
        assert!(size_of_val(&tasks.until_doomed("x", large)) <= 2 * size_of::<usize>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_test_can_kill_a_task_by_its_name() {
        let tasks = Tasks::new(CancellationToken::new(), Some("x".to_owned()));
        tasks.essential("y", std::future::pending());
        tasks.essential("x", std::future::pending());
        assert_eq!(tasks.failed().await, "the task x panicked");
    }
}
