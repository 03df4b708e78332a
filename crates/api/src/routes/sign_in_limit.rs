//! How often a sign-in may fail: ten times for each e-mail and address in five minutes.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alert_connectors_model::Email;
use ring::digest;
use tokio::time::Instant;

const FAILURES_MAX: usize = 10;
const WITHIN: Duration = Duration::from_mins(5);
/// Failures that are remembered, some 150 bytes each; past that the oldest is forgotten. More passwords than this can't be
/// checked in five minutes, one at a time and some 20 ms each.
const REMEMBERED_MAX: usize = 50_000;
/// The IPv6 network of one customer, who can use all its addresses.
const IPV6_NETWORK_BITS: u32 = 64;

/// Counts failed sign-ins.
#[derive(Default)]
pub(crate) struct SignInLimit(Mutex<Pairs>);

/// A hash of an e-mail and an address, so callers can't choose its size.
type Pair = [u8; 16];

#[derive(Default)]
struct Pairs {
    failures: HashMap<Pair, VecDeque<Instant>>,
    /// Every failure with its pair, oldest first.
    order: VecDeque<(Instant, Pair)>,
}

/// A sign-in that counts as failed until it is known to have succeeded.
#[derive(Debug)]
#[must_use]
pub(crate) struct Try {
    pair: Pair,
    at: Instant,
}

impl SignInLimit {
    /// Begins a sign-in, or returns how long to wait. It counts as failed until it succeeds, so simultaneous ones count
    /// each other.
    pub(crate) fn begin(&self, email: &Email, client: Option<IpAddr>) -> Result<Try, Duration> {
        let (pair, at) = (pair(email, client), Instant::now());
        let mut pairs = self.pairs();
        pairs.forget_old(at);
        let failed = pairs.failures.entry(pair).or_default();
        if failed.len() >= FAILURES_MAX {
            let oldest = failed.front().copied().unwrap_or(at);
            return Err(WITHIN.saturating_sub(at.duration_since(oldest)));
        }
        failed.push_back(at);
        pairs.order.push_back((at, pair));
        Ok(Try { pair, at })
    }

    /// Forgets the failures of a caller who has signed in.
    pub(crate) fn succeeded(&self, tried: &Try) {
        self.pairs().failures.remove(&tried.pair);
    }

    /// Takes back a sign-in whose password was not checked, which is no failure.
    pub(crate) fn not_checked(&self, tried: &Try) {
        let mut pairs = self.pairs();
        // It was begun a moment ago, so it stands near the end.
        let this = (tried.at, tried.pair);
        if let Some(place) = pairs.order.iter().rposition(|one| *one == this) {
            pairs.order.remove(place);
        }
        if let Some(failed) = pairs.failures.get_mut(&tried.pair)
            && let Some(place) = failed.iter().rposition(|at| *at == tried.at)
        {
            failed.remove(place);
        }
        pairs.drop_if_empty(&tried.pair);
    }

    fn pairs(&self) -> MutexGuard<'_, Pairs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pairs {
    /// Forgets failures that are too old, and the oldest ones where too many are remembered.
    fn forget_old(&mut self, now: Instant) {
        while let Some((at, pair)) = self.order.front().copied()
            && (now.duration_since(at) >= WITHIN || self.order.len() >= REMEMBERED_MAX)
        {
            self.order.pop_front();
            if let Some(failed) = self.failures.get_mut(&pair) {
                failed.retain(|other| *other > at);
            }
            self.drop_if_empty(&pair);
        }
    }

    fn drop_if_empty(&mut self, pair: &Pair) {
        if self.failures.get(pair).is_some_and(VecDeque::is_empty) {
            self.failures.remove(pair);
        }
    }
}

fn pair(email: &Email, client: Option<IpAddr>) -> Pair {
    let mut context = digest::Context::new(&digest::SHA256);
    match client.map(|address| address.to_canonical()) {
        None => {}
        Some(IpAddr::V4(address)) => context.update(&address.octets()),
        Some(IpAddr::V6(address)) => {
            let network = address.to_bits() >> (u128::BITS - IPV6_NETWORK_BITS);
            context.update(&network.to_be_bytes());
        }
    }
    context.update(b"\n");
    context.update(email.as_str().as_bytes());
    let mut pair = [0; 16];
    pair.copy_from_slice(&context.finish().as_ref()[..16]);
    pair
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Email {
        Email::parse(text).unwrap()
    }

    fn fails(limit: &SignInLimit, of: &str, from: &str) -> bool {
        let client = from.parse().ok();
        limit.begin(&email(of), client).is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn ten_failures_lock_one_pair_for_five_minutes() {
        let limit = SignInLimit::default();
        for _ in 0..FAILURES_MAX {
            assert!(fails(&limit, "a@b.c", ""));
        }
        assert!(!fails(&limit, "a@b.c", ""));
        assert!(fails(&limit, "other@b.c", ""));
        assert!(fails(&limit, "a@b.c", "127.0.0.1"));
        tokio::time::advance(WITHIN).await;
        assert!(fails(&limit, "a@b.c", ""));
        assert_eq!(limit.pairs().failures.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_in_or_was_not_checked_has_not_failed() {
        let limit = SignInLimit::default();
        for _ in 0..2 * FAILURES_MAX {
            let tried = limit.begin(&email("a@b.c"), None).unwrap();
            limit.not_checked(&tried);
        }
        assert_eq!(limit.pairs().failures.len(), 0);
        assert_eq!(limit.pairs().order.len(), 0);
        for _ in 0..FAILURES_MAX - 1 {
            assert!(fails(&limit, "a@b.c", ""));
        }
        let tried = limit.begin(&email("a@b.c"), None).unwrap();
        limit.succeeded(&tried);
        assert!(fails(&limit, "a@b.c", ""));
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_with_ipv6_is_its_network() {
        let limit = SignInLimit::default();
        for last in 0..FAILURES_MAX {
            assert!(fails(&limit, "a@b.c", &format!("2001:db8::{last:x}")));
        }
        assert!(!fails(&limit, "a@b.c", "2001:db8::ffff:1"));
        assert!(fails(&limit, "a@b.c", "2001:db8:0:1::1"));
        // The same caller, however the system writes the address.
        for _ in 0..FAILURES_MAX {
            assert!(fails(&limit, "a@b.c", "::ffff:192.0.2.1"));
        }
        assert!(!fails(&limit, "a@b.c", "192.0.2.1"));
    }

    #[tokio::test(start_paused = true)]
    async fn invented_addresses_push_out_the_oldest_only() {
        let limit = SignInLimit::default();
        for number in 0..2 * REMEMBERED_MAX {
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(fails(&limit, &format!("{number}@b.c"), ""));
            if number == REMEMBERED_MAX + FAILURES_MAX {
                for _ in 0..FAILURES_MAX {
                    assert!(fails(&limit, "guessed@b.c", ""));
                }
            }
        }
        assert!(!fails(&limit, "guessed@b.c", ""));
        assert!(limit.pairs().failures.len() <= REMEMBERED_MAX);
        assert!(limit.pairs().order.len() <= REMEMBERED_MAX);
    }
}
