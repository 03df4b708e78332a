//! How often a sign-in may fail: ten times for each e-mail and address in five minutes.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

const FAILURES_MAX: usize = 10;
const WITHIN: Duration = Duration::from_mins(5);
/// E-mail and address pairs that are remembered; past that the old ones are forgotten.
const PAIRS_MAX: usize = 10_000;

type Pair = (String, Option<IpAddr>);

/// Counts failed sign-ins.
#[derive(Default)]
pub(crate) struct SignInLimit(Mutex<HashMap<Pair, Vec<Instant>>>);

impl SignInLimit {
    /// Counts a try as failed until it is known to have succeeded, so that tries at the same moment see each other; or says
    /// how long to wait.
    pub(crate) fn begin(&self, email: &str, client: Option<IpAddr>) -> Result<(), Duration> {
        let now = Instant::now();
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= PAIRS_MAX {
            failures.retain(|_, failed| {
                failed
                    .last()
                    .is_some_and(|at| now.duration_since(*at) < WITHIN)
            });
        }
        if failures.len() >= PAIRS_MAX {
            failures.clear();
        }
        let failed = failures.entry((email.to_owned(), client)).or_default();
        failed.retain(|at| now.duration_since(*at) < WITHIN);
        if failed.len() >= FAILURES_MAX {
            return Err(WITHIN.saturating_sub(now.duration_since(failed[0])));
        }
        failed.push(now);
        Ok(())
    }

    /// Forgets the failures of someone who is in.
    pub(crate) fn succeeded(&self, email: &str, client: Option<IpAddr>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&(email.to_owned(), client));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_failures_lock_one_pair_for_five_minutes() {
        let limit = SignInLimit::default();
        for _ in 0..FAILURES_MAX {
            assert!(limit.begin("a@b.c", None).is_ok());
        }
        assert!(limit.begin("a@b.c", None).is_err());
        assert!(limit.begin("other@b.c", None).is_ok());
        assert!(limit.begin("a@b.c", Some([127, 0, 0, 1].into())).is_ok());
        tokio::time::advance(WITHIN).await;
        assert!(limit.begin("a@b.c", None).is_ok());
    }
}
