//! How often a space may test webhooks that no connector has. Each of them could be another address, so the limit of one
//! webhook does not bound them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use alert_connectors_model::SpaceId;
use tokio::time::Instant;

/// At most this many tests in one window.
const TESTS_MAX: u32 = 20;
/// How long a window is.
const WINDOW: Duration = Duration::from_mins(1);

/// The tests of each space in its current window. Only spaces that tested within the last window are kept.
#[derive(Default)]
pub(crate) struct TestLimit {
    windows: Mutex<HashMap<SpaceId, (Instant, u32)>>,
}

impl TestLimit {
    /// Counts a test, or says how long the space waits for the next one.
    pub(crate) fn count(&self, space: SpaceId) -> Result<(), Duration> {
        let now = Instant::now();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|_, (began, _)| now.duration_since(*began) < WINDOW);
        let (began, count) = windows.entry(space).or_insert((now, 0));
        if *count >= TESTS_MAX {
            return Err(WINDOW.saturating_sub(now.duration_since(*began)));
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alert_connectors_model::SeededRandom;
    use jiff::Timestamp;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_space_tests_so_often_and_then_waits_for_the_next_window() {
        let random = SeededRandom::new(1);
        let space = || SpaceId::new(Timestamp::UNIX_EPOCH, &random);
        let (one, other) = (space(), space());
        let limit = TestLimit::default();
        for _ in 0..TESTS_MAX {
            assert_eq!(limit.count(one), Ok(()));
        }
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(limit.count(one), Err(Duration::from_secs(40)));
        assert_eq!(limit.count(other), Ok(()));
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(limit.count(one), Ok(()));
    }
}
