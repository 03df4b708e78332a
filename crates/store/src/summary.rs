//! How many alerts came, by type and severity: counted hour by hour, so that no question walks over the alerts.

use alert_connectors_model::{AlertType, Severity};
use jiff::{SignedDuration, Timestamp};

use crate::{
    StoreError,
    stored::{Columns, unreadable},
};

/// How many alerts of a space came since a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertSummary {
    /// The beginning of the hour from which they are counted.
    pub since: Timestamp,
    /// The most frequent kinds, most frequent first.
    pub kinds: Vec<KindCount>,
    /// How many alerts are of other kinds.
    pub other: u64,
}

/// How many alerts of a type and severity came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindCount {
    /// The type.
    pub alert_type: AlertType,
    /// The severity.
    pub severity: Severity,
    /// How many.
    pub count: u64,
}

/// An hour in milliseconds.
pub const HOUR_MS: i64 = 60 * 60 * 1_000;
/// A step of counting counts at most this many alerts, and a summary looks at no more of those that are not counted yet.
pub const COUNTED_A_STEP: i64 = 2_000;

impl AlertSummary {
    /// No summary reaches back further than this, and counts are forgotten a little later.
    pub const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);
    /// At most this many kinds are named.
    pub const KINDS_MAX: i64 = 200;

    /// The number of the hour in which a summary since a time begins.
    pub fn first_hour(since: Timestamp) -> i64 {
        since.as_millisecond().div_euclid(HOUR_MS)
    }

    /// The hours before this one are forgotten.
    pub fn forgotten_before(now: Timestamp) -> i64 {
        let longest = now.checked_sub(Self::LONGEST).unwrap_or(Timestamp::MIN);
        Self::first_hour(longest) - 24
    }

    /// A summary from the most frequent kinds, each with the count of all kinds beside it.
    pub fn of(first_hour: i64, counted: Vec<(KindCount, u64)>) -> Self {
        let all = counted.first().map_or(0, |(_, all)| *all);
        let kinds: Vec<_> = counted.into_iter().map(|(kind, _)| kind).collect();
        let named: u64 = kinds.iter().map(|kind| kind.count).sum();
        Self {
            since: crate::stored::time(first_hour.saturating_mul(HOUR_MS)),
            kinds,
            other: all.saturating_sub(named),
        }
    }
}

/// A kind with its count and the count of all kinds, from a row of type, severity and both.
pub fn kind_count(row: &dyn Columns) -> Result<(KindCount, u64), StoreError> {
    let text = row.text(0)?;
    let bad = |column| unreadable("alert_counts", column, &text);
    let kind = KindCount {
        alert_type: AlertType::parse(&text).ok_or_else(|| bad("alert_type"))?,
        severity: Severity::from_code(row.code(1)?).ok_or_else(|| bad("severity"))?,
        count: row.count(2)?,
    };
    Ok((kind, row.count(3)?))
}
