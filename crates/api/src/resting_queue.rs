//! Work that goes one piece at a time, and after each a rest of the same length, up to a limit.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

/// Lets work begin in the order in which it was asked for. Clones share it.
#[derive(Clone)]
pub(crate) struct RestingQueue {
    one: Arc<Semaphore>,
    /// When the rest after the previous piece of work ends.
    rested_at: Arc<Mutex<Instant>>,
    rest_max: Duration,
}

/// A piece of work under way. The rest begins when it is dropped.
pub(crate) struct UnderWay {
    queue: RestingQueue,
    began: Instant,
    _one: OwnedSemaphorePermit,
}

impl RestingQueue {
    /// A rest lasts as long as the previous work, and at most `rest_max`: work that waited for a slow disk used little meanwhile.
    pub(crate) fn new(rest_max: Duration) -> Self {
        Self {
            one: Arc::new(Semaphore::new(1)),
            rested_at: Arc::new(Mutex::new(Instant::now())),
            rest_max,
        }
    }

    /// Waits until the next piece may begin.
    pub(crate) async fn begin(&self) -> UnderWay {
        let one = Arc::clone(&self.one).acquire_owned().await;
        let one = one.expect("nobody closes the semaphore");
        let rested_at = *self.lock();
        sleep_until(rested_at).await;
        UnderWay {
            queue: self.clone(),
            began: Instant::now(),
            _one: one,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.rested_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let ended = Instant::now();
        let rest = ended.duration_since(self.began).min(self.queue.rest_max);
        *self.queue.lock() = ended + rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_rests_for_as_long_as_it_took() {
        let queue = RestingQueue::new(Duration::from_secs(1));
        let began = Instant::now();
        for (work, next_begins_after) in [(100, 200), (50, 300), (5_000, 6_300)] {
            let under_way = queue.begin().await;
            tokio::time::advance(Duration::from_millis(work)).await;
            drop(under_way);
            drop(queue.begin().await);
            let after = Duration::from_millis(next_begins_after);
            assert_eq!(began.elapsed(), after);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_works_at_a_time() {
        let queue = RestingQueue::new(Duration::ZERO);
        let first = queue.begin().await;
        let mut second = std::pin::pin!(queue.begin());
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        drop(first);
        drop(second.await);
    }
}
