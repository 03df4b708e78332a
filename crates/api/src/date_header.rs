//! The header `Date` of answers, written once a second. The server below writes one too where there is none, but keeps it until the
//! clock has passed it: after a clock that was years ahead, for years.

use std::sync::{Mutex, PoisonError};

use http::HeaderValue;
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};

/// The header of the second in which it was asked for last.
#[derive(Debug, Default)]
pub(crate) struct DateHeader(Mutex<Option<(i64, HeaderValue)>>);

impl DateHeader {
    pub(crate) fn at(&self, now: Timestamp) -> Option<HeaderValue> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((second, header)) = &*last
            && *second == now.as_second()
        {
            return Some(header.clone());
        }
        let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
        let header = HeaderValue::try_from(text.ok()?).ok()?;
        *last = Some((now.as_second(), header.clone()));
        Some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_the_clock_backwards_too() {
        let date = DateHeader::default();
        for (time, expected) in [
            ("9995-08-13T08:18:17.9Z", "Sun, 13 Aug 9995 08:18:17 GMT"),
            ("2026-11-28T10:00:00Z", "Sat, 28 Nov 2026 10:00:00 GMT"),
            ("2026-11-28T10:00:00.5Z", "Sat, 28 Nov 2026 10:00:00 GMT"),
        ] {
            assert_eq!(date.at(time.parse().unwrap()).unwrap(), expected);
        }
    }
}
