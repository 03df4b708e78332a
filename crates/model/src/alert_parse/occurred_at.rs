//! Reads when an alert happened, in the ways in which producers write it.

use jiff::{Timestamp, civil::DateTime, tz::Offset};

use crate::Json;

/// A larger number counts milliseconds: as seconds it would lie beyond the year 5000.
const SECONDS_MAX: f64 = 1e11;

/// A time that was read, and whether its zone had to be guessed.
pub(super) struct Read {
    pub(super) time: Timestamp,
    pub(super) zone_was_missing: bool,
}

/// RFC 3339, with a zone or without one, or Unix seconds or milliseconds; nothing if it is none of these.
pub(super) fn read(json: &Json<'_>) -> Option<Read> {
    let with_zone = |time| Read {
        time,
        zone_was_missing: false,
    };
    let read = match json {
        Json::Number(number) => with_zone(unix(&number.to_string())?),
        Json::Text(text) => {
            let text = text.trim();
            match text.parse::<Timestamp>().ok().or_else(|| unix(text)) {
                Some(time) => with_zone(time),
                None => Read {
                    time: Offset::UTC
                        .to_timestamp(text.parse::<DateTime>().ok()?)
                        .ok()?,
                    zone_was_missing: true,
                },
            }
        }
        _ => return None,
    };
    // Years beyond four digits can't be shown by either platform.
    (0..253_402_300_800)
        .contains(&read.time.as_second())
        .then_some(read)
}

fn unix(digits: &str) -> Option<Timestamp> {
    let number: f64 = digits
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())?;
    let seconds = if number.abs() > SECONDS_MAX {
        number / 1_000.0
    } else {
        number
    };
    // Milliseconds of any year up to 9999 are exact in a float.
    let millis = (seconds * 1_000.0).round();
    let is_in_range = (0.0..253_402_300_800_000.0).contains(&millis);
    let millis = is_in_range.then(|| format!("{millis:.0}"))?;
    Timestamp::from_millisecond(millis.parse().ok()?).ok()
}
