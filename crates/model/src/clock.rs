//! The wall clock as a parameter, and how times are written in the API.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};

/// Tells the time of day. Used for what people read; never to order things or to measure a wait.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock. Made once, in the binary.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
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

    /// Moves the clock by so many milliseconds, forward or back.
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
    fn times_have_no_or_three_decimals_and_end_in_z() {
        let time: Timestamp = "2026-02-11T10:00:00.98765Z".parse().unwrap();
        assert_eq!(rfc3339_seconds(time), "2026-02-11T10:00:00Z");
        assert_eq!(rfc3339_millis(time), "2026-02-11T10:00:00.987Z");
    }
}
