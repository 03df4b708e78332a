//! The rate limit of a destination: a token bucket.

use std::time::Duration;

use alert_connectors_model::ConnectorType;
use tokio::time::Instant;

/// How often a destination may be posted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The minimum interval between requests, on average.
    every: Duration,
    /// Requests that may be sent back to back after an idle period.
    burst: u32,
}

/// The rates of both platforms; nothing where there is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    slack: Option<Rate>,
    teams: Option<Rate>,
}

impl Default for Rates {
    /// Slack: one a second, "short bursts" allowed (<https://docs.slack.dev/apis/web-api/rate-limits>). Teams: a workflow's
    /// connection takes about 25 posts in five minutes, of which this uses 20.
    fn default() -> Self {
        let rate = |seconds, burst| {
            Some(Rate {
                every: Duration::from_secs(seconds),
                burst,
            })
        };
        Self {
            slack: rate(1, 4),
            teams: rate(15, 5),
        }
    }
}

impl Rates {
    /// The rate of a platform.
    pub fn of(&self, connector_type: ConnectorType) -> Option<Rate> {
        match connector_type {
            ConnectorType::Slack => self.slack,
            ConnectorType::Teams => self.teams,
        }
    }

    /// The same with another rate of a platform; `None` for no limit, and no digests.
    #[must_use]
    pub const fn with(mut self, connector_type: ConnectorType, rate: Option<Rate>) -> Self {
        match connector_type {
            ConnectorType::Slack => self.slack = rate,
            ConnectorType::Teams => self.teams = rate,
        }
        self
    }
}

impl Rate {
    /// The largest burst, and the largest number of requests in a unit of time: more is taken for a typing error.
    pub const MOST: u32 = 10_000;

    /// At most `count` requests in a length of time, on average, and `burst` at once. `None` where a number is zero or more than
    /// [`Rate::MOST`].
    pub fn new(count: u32, within: Duration, burst: u32) -> Option<Self> {
        let every = within.checked_div(count)?;
        let is_sound = (1..=Self::MOST).contains(&burst) && count <= Self::MOST && !every.is_zero();
        is_sound.then_some(Self { every, burst })
    }
}

/// Tokens, of which each request takes one.
#[derive(Debug, Clone)]
pub(crate) struct TokenBucket {
    rate: Option<Rate>,
    tokens: f64,
    /// When `tokens` was true.
    at: Instant,
}

impl TokenBucket {
    pub(crate) fn full(rate: Option<Rate>, now: Instant) -> Self {
        Self {
            rate,
            tokens: rate.map_or(0.0, |rate| rate.burst.into()),
            at: now,
        }
    }

    /// The bucket this long after a request, which is assumed to have left it empty: too small a burst costs a wait, too large a
    /// burst costs a 429.
    pub(crate) fn since_request(rate: Option<Rate>, gone: Duration, now: Instant) -> Self {
        let mut bucket = Self::full(rate, now);
        bucket.tokens = 0.0;
        bucket.refill(gone);
        bucket
    }

    fn refill(&mut self, gone: Duration) {
        if let Some(rate) = self.rate {
            let more = gone.as_secs_f64() / rate.every.as_secs_f64();
            self.tokens = (self.tokens + more).min(rate.burst.into());
        }
    }

    fn at(&self, now: Instant) -> Self {
        let mut bucket = self.clone();
        bucket.refill(now.saturating_duration_since(self.at));
        bucket.at = now.max(self.at);
        bucket
    }

    /// How many requests may be made at once; nothing where there is no limit.
    pub(crate) fn whole(&self, now: Instant) -> Option<usize> {
        self.rate?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a burst is at most 10,000, and below zero is none"
        )]
        Some(self.at(now).tokens.max(0.0) as usize)
    }

    /// When the next request may be made.
    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        let rate = self.rate?;
        let bucket = self.at(now);
        let missing = 1.0 - bucket.tokens;
        (missing > 0.0).then(|| bucket.at + rate.every.mul_f64(missing))
    }

    /// A request is made. A test may take a token that is not there yet, which then is owed.
    pub(crate) fn take(&mut self, now: Instant) {
        if let Some(rate) = self.rate {
            *self = self.at(now);
            self.tokens = (self.tokens - 1.0).max(-f64::from(rate.burst));
        }
    }

    /// The channel asks to wait: afterwards there is one token, not a burst.
    pub(crate) fn empty_until(&mut self, until: Instant) {
        (self.tokens, self.at) = (1.0, until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn slack() -> Option<Rate> {
        Rates::default().of(ConnectorType::Slack)
    }

    #[test]
    fn a_burst_after_a_calm_then_one_a_second() {
        let start = Instant::now();
        let mut bucket = TokenBucket::full(slack(), start);
        assert_eq!(bucket.whole(start), Some(4));
        for _ in 0..4 {
            assert_eq!(bucket.next(start), None);
            bucket.take(start);
        }
        assert_eq!(bucket.whole(start), Some(0));
        let next = bucket.next(start).unwrap();
        assert!((next - start).abs_diff(SECOND) < Duration::from_millis(1));
        assert_eq!(bucket.whole(start + 100 * SECOND), Some(4));
    }

    #[test]
    fn after_a_wait_there_is_no_burst() {
        let start = Instant::now();
        let mut bucket = TokenBucket::full(slack(), start);
        bucket.empty_until(start + 30 * SECOND);
        assert_eq!(bucket.whole(start + 30 * SECOND), Some(1));
        bucket.take(start + 30 * SECOND);
        assert_eq!(bucket.whole(start + 30 * SECOND), Some(0));
    }

    #[test]
    fn a_restart_makes_no_burst() {
        let now = Instant::now();
        for (seconds, whole) in [(0, 0), (1, 1), (2, 2), (90, 4)] {
            let bucket = TokenBucket::since_request(slack(), Duration::from_secs(seconds), now);
            assert_eq!(bucket.whole(now), Some(whole), "{seconds}");
        }
    }

    #[test]
    fn without_a_limit_there_is_nothing_to_wait_for() {
        let now = Instant::now();
        let mut bucket = TokenBucket::full(None, now);
        bucket.take(now);
        assert_eq!((bucket.whole(now), bucket.next(now)), (None, None));
    }

    #[test]
    fn a_rate_has_sound_numbers() {
        let minute = Duration::from_mins(1);
        let rate = Rate::new(10, minute, 3).unwrap();
        assert_eq!((rate.every, rate.burst), (6 * SECOND, 3));
        for (count, within, burst) in [
            (0, minute, 1),
            (1, Duration::ZERO, 1),
            (1, minute, 0),
            (10_001, minute, 1),
            (1, minute, 10_001),
        ] {
            assert_eq!(Rate::new(count, within, burst), None);
        }
    }
}
