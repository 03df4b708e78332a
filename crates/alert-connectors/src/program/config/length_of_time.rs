//! Lengths of time as people write them.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// Reads `30s`, `15m`, `24h` or `30d`.
pub(crate) fn length_of_time(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(duration).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_a_unit() {
        for (text, seconds) in [
            ("30s", Some(30)),
            ("15m", Some(900)),
            ("24h", Some(86_400)),
            ("30d", Some(2_592_000)),
            ("30", None),
            ("soon", None),
            ("-1h", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(length_of_time(text), expected, "{text}");
        }
    }
}
