//! The wall clock as a parameter, and how times are written in the API.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::SystemTime,
};

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};

/// Tells the time of day. Used for what people read and for what expires; never to order things or to measure a wait.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The first second of 9999: the API can't write all times that are computed from later ones.
const LATEST_SECOND: i64 = 253_370_764_800;

impl SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn read() -> SystemTime {
        SystemTime::now()
    }

    /// Whether the machine's clock shows a possible time: from 1970 to the end of 9998.
    pub fn is_sound() -> bool {
        within_bounds(Self::read()).is_ok()
    }
}

impl Clock for SystemClock {
    /// The nearest possible time, where the machine's clock shows an impossible one.
    fn now(&self) -> Timestamp {
        within_bounds(Self::read()).unwrap_or_else(|nearest| nearest)
    }
}

/// The time by which TLS checks certificates. The library's own way panics before 1970.
#[cfg(feature = "tls")]
impl rustls::time_provider::TimeProvider for SystemClock {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let seconds = self.now().as_second().try_into().ok()?;
        let since = std::time::Duration::from_secs(seconds);
        Some(rustls::pki_types::UnixTime::since_unix_epoch(since))
    }
}

/// A time from 1970 to the end of 9998, or the nearest of these.
fn within_bounds(time: SystemTime) -> Result<Timestamp, Timestamp> {
    let latest = Timestamp::from_second(LATEST_SECOND).unwrap_or(Timestamp::MAX);
    match Timestamp::try_from(time) {
        Ok(time) if time < Timestamp::UNIX_EPOCH => Err(Timestamp::UNIX_EPOCH),
        Ok(time) if time < latest => Ok(time),
        Err(_far) if time < SystemTime::UNIX_EPOCH => Err(Timestamp::UNIX_EPOCH),
        _ => Err(latest),
    }
}

/// A clock that a test moves by hand.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at the given time, kept to the millisecond.
    pub fn at(time: Timestamp) -> Self {
        Self(AtomicI64::new(time.as_millisecond()))
    }

    /// Moves the clock by this many milliseconds, forward or back.
    pub fn step_ms(&self, by: i64) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// `2026-02-11T10:00:00Z`: how the given contract writes a time.
pub fn rfc3339_seconds(time: Timestamp) -> String {
    DateTimePrinter::new()
        .precision(Some(0))
        .timestamp_to_string(&time)
}

/// `2026-02-11T10:00:00.000Z`: how the wider API writes a time.
pub fn rfc3339_millis(time: Timestamp) -> String {
    DateTimePrinter::new()
        .precision(Some(3))
        .timestamp_to_string(&time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_says_what_cannot_be_says_the_nearest_time() {
        let at = |seconds: i64| match u64::try_from(seconds) {
            Ok(seconds) => SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds),
            Err(_before) => {
                SystemTime::UNIX_EPOCH - std::time::Duration::from_secs(seconds.unsigned_abs())
            }
        };
        for (seconds, expected) in [
            (0, Ok("1970-01-01T00:00:00Z")),
            (-1, Err("1970-01-01T00:00:00Z")),
            (-400_000_000_000, Err("1970-01-01T00:00:00Z")),
            (LATEST_SECOND - 1, Ok("9998-12-31T23:59:59Z")),
            (LATEST_SECOND, Err("9999-01-01T00:00:00Z")),
            (400_000_000_000, Err("9999-01-01T00:00:00Z")),
        ] {
            let read = within_bounds(at(seconds));
            let read = read.map(rfc3339_seconds).map_err(rfc3339_seconds);
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(read, expected, "{seconds}");
        }
        assert!(SystemClock::is_sound());
    }

    #[test]
    fn times_have_no_or_three_decimals_and_end_in_z() {
        let time: Timestamp = "2026-02-11T10:00:00.98765Z".parse().unwrap();
        assert_eq!(rfc3339_seconds(time), "2026-02-11T10:00:00Z");
        assert_eq!(rfc3339_millis(time), "2026-02-11T10:00:00.987Z");
    }
}
