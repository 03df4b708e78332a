//! Back-off: when to retry, by how often it failed or by what the channel asked for (429, `Retry-After`). Pure, with time and randomness as parameters.

use std::time::{Duration, SystemTime};

use alert_connectors_model::Random;
use jiff::Timestamp;

/// The waits after failures.
#[derive(Debug, Clone, Copy)]
pub struct BackoffConfig {
    /// The first back-off is at most this long; each further one up to twice as long.
    pub backoff_first: Duration,
    /// No back-off is longer.
    pub backoff_max: Duration,
    /// A blocked destination is first probed after this; each further probe after twice as long.
    pub probe_first: Duration,
    /// Probes are no further apart.
    pub probe_max: Duration,
    /// After a request that left whole and was not answered the next one waits this long, after each further one twice as
    /// long.
    pub unanswered_first: Duration,
    /// No such wait is longer.
    pub unanswered_max: Duration,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self {
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_mins(5),
            probe_first: Duration::from_mins(1),
            probe_max: Duration::from_hours(1),
            unanswered_first: Duration::from_secs(30),
            unanswered_max: Duration::from_hours(1),
        }
    }
}

/// The longest requested wait that is honoured.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);
/// A wait is not doubled beyond this.
const DOUBLED_MAX: Duration = Duration::from_hours(1);

/// Exponential back-off with full jitter: after the first failure up to a second, after each further one up to twice as
/// long, up to five minutes, if [`BackoffConfig`] is as usual.
pub(crate) fn backoff(failures: u32, config: BackoffConfig, random: &dyn Random) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let ceiling = config.backoff_first.saturating_mul(2_u32.pow(doublings));
    let ceiling = ceiling.min(config.backoff_max);
    let ceiling = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(1 + random.below(ceiling))
}

/// How long to wait after a request that left whole and was not answered: half a minute, then a minute, two, four … at most an
/// hour, and up to a tenth more.
pub(crate) fn unanswered_wait(
    in_a_row: u32,
    config: BackoffConfig,
    random: &dyn Random,
) -> Duration {
    let doublings = in_a_row.saturating_sub(1);
    doubled(
        config.unanswered_first,
        config.unanswered_max,
        doublings,
        random,
    )
}

/// Returns `first`, doubled this often, at most `max`, and up to a tenth more, so that many retries do not coincide.
pub(crate) fn doubled(
    first: Duration,
    max: Duration,
    doublings: u32,
    random: &dyn Random,
) -> Duration {
    let wait = first.saturating_mul(2_u32.pow(doublings.min(16))).min(max);
    let tenth = u64::try_from(wait.as_millis() / 10).unwrap_or(u64::MAX);
    wait + Duration::from_millis(random.below(tenth.max(1)))
}

/// How long to keep away after a 429: what was asked for, at least a second and at most a day; twice as long for each further
/// one in a row, up to an hour; and up to a second more so that many do not come back at the same moment.
pub(crate) fn throttle(asked: Duration, in_a_row: u32, random: &dyn Random) -> Duration {
    let asked = asked.clamp(Duration::from_secs(1), RETRY_AFTER_MAX);
    let doubled = asked.saturating_mul(2_u32.pow(in_a_row.saturating_sub(1).min(12)));
    let wait = doubled.min(DOUBLED_MAX).max(asked);
    wait + Duration::from_millis(random.below(1_000))
}

/// What a `Retry-After` header asks for: seconds, or a date, of which one in the past means now.
pub fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    let date = httpdate::parse_http_date(header).ok()?;
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.as_second()).ok()?);
    Some(
        date.duration_since(now)
            .unwrap_or_default()
            .min(RETRY_AFTER_MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use alert_connectors_model::SeededRandom;

    #[test]
    fn back_off_doubles_up_to_five_minutes_with_full_jitter() {
        let random = SeededRandom::new(1);
        for (failures, most) in [
            (1, 1_000),
            (2, 2_000),
            (5, 16_000),
            (9, 256_000),
            (10, 300_000),
            (1_000, 300_000),
        ] {
            let waits: Vec<_> = (0..200)
                .map(|_| backoff(failures, BackoffConfig::default(), &random).as_millis())
                .collect();
            assert!(
                waits.iter().all(|wait| (1..=most).contains(wait)),
                "{failures}"
            );
            assert!(
                waits.iter().any(|wait| *wait > most / 2)
                    && waits.iter().any(|wait| *wait < most / 2)
            );
        }
    }

    #[test]
    fn what_is_not_answered_is_sent_again_ever_more_rarely() {
        let random = SeededRandom::new(1);
        for (in_a_row, seconds) in [
            (1, 30),
            (2, 60),
            (3, 120),
            (7, 1_920),
            (8, 3_600),
            (99, 3_600),
        ] {
            let wait = unanswered_wait(in_a_row, BackoffConfig::default(), &random).as_secs();
            assert!(
                (seconds..=seconds + seconds / 10).contains(&wait),
                "{in_a_row} {wait}"
            );
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        for (header, seconds) in [
            ("30", Some(30)),
            (" 0 ", Some(0)),
            ("Mon, 23 Nov 2026 12:01:30 GMT", Some(90)),
            ("Mon, 23 Nov 2026 11:00:00 GMT", Some(0)),
            ("7200", Some(7_200)),
            ("999999", Some(86_400)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(
                retry_after(header, now),
                seconds.map(Duration::from_secs),
                "{header}"
            );
        }
    }

    #[test]
    fn a_second_429_in_a_row_doubles_the_wait() {
        let random = SeededRandom::new(1);
        let seconds = |in_a_row| throttle(Duration::from_secs(30), in_a_row, &random).as_secs();
        assert!((30..=31).contains(&seconds(1)));
        assert!((60..=61).contains(&seconds(2)));
        assert!((3_600..=3_601).contains(&seconds(40)));
        let long = throttle(Duration::from_hours(6), 3, &random);
        assert!((21_600..=21_601).contains(&long.as_secs()));
        assert!(throttle(Duration::ZERO, 1, &random) >= Duration::from_secs(1));
    }
}
