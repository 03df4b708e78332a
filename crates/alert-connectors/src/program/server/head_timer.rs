//! How long a connection waits for the head of a request. A caller who has shown a token keeps it between two requests
//! for longer than proxies and clients do: no request then meets a connection that the server is closing.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use hyper::rt::{Sleep, Timer};
use tokio::time::{self, Instant};

/// The head of a request must have arrived this long after its first byte; and a stranger's first byte, after the connection
/// was opened or the previous answer was sent.
pub(super) const HEAD_MAX: Duration = Duration::from_secs(10);
/// A known caller's next request must have begun this long after the previous answer. Proxies keep idle connections for up to
/// 600 s (Google's load balancers, the longest of the common ones), and the server must not be the first to close one.
const IDLE_MAX: Duration = Duration::from_secs(620);

/// What a connection waits for. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct HeadWait(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_known: bool,
    /// When the arriving head began.
    began: Option<Instant>,
}

impl HeadWait {
    /// The caller has shown a valid token.
    pub(super) fn is_known(&self) {
        self.state().is_known = true;
    }

    /// Notes that more bytes were read, and whether they end inside a head.
    pub(super) fn read(&self, in_head: bool) {
        let mut state = self.state();
        state.began = match state.began {
            _ if !in_head => None,
            None => Some(Instant::now()),
            began => began,
        };
    }

    fn deadline(&self, waits_since: Instant) -> Instant {
        let state = self.state();
        match state.began {
            Some(began) => began.max(waits_since) + HEAD_MAX,
            None if state.is_known => waits_since + IDLE_MAX,
            None => waits_since + HEAD_MAX,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The library uses it only to wait for a head. The time that it passes is ignored: it is our own `HEAD_MAX`.
impl Timer for HeadWait {
    fn sleep(&self, _duration: Duration) -> Pin<Box<dyn Sleep>> {
        let since = Instant::now();
        let sleep = Box::pin(time::sleep_until(self.deadline(since)));
        Box::pin(Waiting {
            wait: self.clone(),
            since,
            sleep,
        })
    }

    fn sleep_until(&self, _deadline: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(HEAD_MAX)
    }
}

/// Ends when the head has taken too long. The library polls it again whenever a part of the head arrives.
struct Waiting {
    wait: HeadWait,
    since: Instant,
    sleep: Pin<Box<time::Sleep>>,
}

impl Future for Waiting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let deadline = this.wait.deadline(this.since);
        if this.sleep.deadline() != deadline {
            this.sleep.as_mut().reset(deadline);
        }
        this.sleep.as_mut().poll(context)
    }
}

impl Sleep for Waiting {}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a connection is kept that gets the first byte of a head after this time, or none.
    async fn kept(is_known: bool, first_byte_after: Option<Duration>) -> Duration {
        let (wait, since) = (HeadWait::default(), Instant::now());
        if is_known {
            wait.is_known();
        }
        let mut waiting = wait.sleep(HEAD_MAX);
        if let Some(after) = first_byte_after {
            assert!(time::timeout(after, waiting.as_mut()).await.is_err());
            wait.read(true);
        }
        waiting.await;
        since.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_has_ten_seconds_and_a_caller_longer_than_proxies_wait() {
        assert_eq!(kept(false, None).await, HEAD_MAX);
        assert_eq!(kept(true, None).await, IDLE_MAX);
        for (is_known, after) in [(false, 9), (true, 9), (true, 600)] {
            let after = Duration::from_secs(after);
            assert_eq!(kept(is_known, Some(after)).await, after + HEAD_MAX);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_came_before_its_turn_has_ten_seconds_from_its_turn() {
        let wait = HeadWait::default();
        wait.read(true);
        time::advance(2 * HEAD_MAX).await;
        let since = Instant::now();
        wait.sleep(HEAD_MAX).await;
        assert_eq!(since.elapsed(), HEAD_MAX);
        wait.read(false);
        assert_eq!(wait.deadline(since), since + HEAD_MAX);
    }
}
