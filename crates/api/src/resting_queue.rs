//! Work that runs one piece at a time, with a rest after each in proportion to its length, up to a limit.

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
    rest: Rest,
}

/// How long a rest lasts.
#[derive(Clone, Copy)]
pub(crate) struct Rest {
    /// How many times as long as the work before it.
    pub(crate) times: u32,
    /// At most this long: work that waited for a slow disk, or for a core, used little meanwhile.
    pub(crate) max: Duration,
}

/// A piece of work under way. The rest begins when it is dropped.
pub(crate) struct UnderWay {
    queue: RestingQueue,
    began: Instant,
    _one: OwnedSemaphorePermit,
}

impl RestingQueue {
    pub(crate) fn new(rest: Rest) -> Self {
        Self {
            one: Arc::new(Semaphore::new(1)),
            rested_at: Arc::new(Mutex::new(Instant::now())),
            rest,
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
        let Rest { times, max } = self.queue.rest;
        let rest = ended.duration_since(self.began).saturating_mul(times);
        *self.queue.lock() = ended + rest.min(max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_rests_in_proportion_to_its_length() {
        let queue = RestingQueue::new(Rest {
            times: 3,
            max: Duration::from_secs(1),
        });
        let began = Instant::now();
        for (work, next_begins_after) in [(100, 400), (50, 600), (5_000, 6_600)] {
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
        let queue = RestingQueue::new(Rest {
            times: 1,
            max: Duration::ZERO,
        });
        let first = queue.begin().await;
        let mut second = std::pin::pin!(queue.begin());
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        drop(first);
        drop(second.await);
    }
}
