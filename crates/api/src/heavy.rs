//! Work that keeps a core busy for milliseconds: it runs on threads of its own, which give way to those that answer requests.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    thread,
};

use tokio::sync::{mpsc, oneshot};

/// How many threads there are: one sign-in does not wait for one large body.
const THREADS: usize = 2;
/// At most this many pieces of work wait for a thread; the senders of further ones wait for room.
const WAITING_MAX: usize = 64;
/// How much these threads give way, on the scale of `nice`.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

static WORK: LazyLock<mpsc::Sender<Work>> = LazyLock::new(|| {
    let (work, waiting) = mpsc::channel::<Work>(WAITING_MAX);
    let waiting = Arc::new(Mutex::new(waiting));
    for number in 0..THREADS {
        let waiting = Arc::clone(&waiting);
        let thread = thread::Builder::new().name(format!("heavy-{number}"));
        // If no thread starts, the channel closes and `run` returns nothing.
        drop(thread.spawn(move || run_all(&waiting)));
    }
    work
});

/// Runs a piece of work; `None` if it panicked, which is logged.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    let work: Work = Box::new(move || drop(answer.send(work())));
    WORK.send(work).await.ok()?;
    answered.await.ok()
}

fn run_all(waiting: &Mutex<mpsc::Receiver<Work>>) {
    // On Linux this is about the calling thread alone. One that can't give way does the same work.
    #[cfg(target_os = "linux")]
    let _as_good = rustix::process::setpriority_process(None, NICENESS);
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        let Some(work) = next else { return };
        drop(catch_unwind(AssertUnwindSafe(work)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_own_work_alone() {
        for _ in 0..2 * THREADS {
            assert_eq!(run(|| -> u8 { unreachable!("a bug") }).await, None);
        }
        assert_eq!(run(|| 7).await, Some(7));
    }
}
