//! Reports a condition at most once a minute, although it may occur many times a second.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How often it is reported.
const EVERY: Duration = Duration::from_mins(1);

/// Counts how often something happened since the last report.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    said_at: Option<Instant>,
    count: u64,
}

impl Seldom {
    /// Counts one more. Returns the count since the last report, if the next one is due.
    pub fn count(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        let now = Instant::now();
        let is_due = state
            .said_at
            .is_none_or(|at| now.duration_since(at) >= EVERY);
        is_due.then(|| {
            state.said_at = Some(now);
            std::mem::take(&mut state.count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_said_at_once_and_then_once_a_minute_with_its_count() {
        let seldom = Seldom::default();
        assert_eq!(seldom.count(), Some(1));
        for _ in 0..9 {
            assert_eq!(seldom.count(), None);
        }
        tokio::time::advance(EVERY).await;
        assert_eq!(seldom.count(), Some(10));
    }
}
