//! What a follow-up says beyond its alert: that the problem rose, is still active, or is resolved.

use std::time::Duration;

use alert_connectors_model::{Alert, Severity};

/// What a follow-up says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUpNote {
    /// The severity rose to what it is now.
    Raised,
    /// The problem is still there, this long after it began, where that is known.
    StillThere(Option<Duration>),
    /// The problem is gone, this long after it began, where that is known.
    Resolved(Option<Duration>),
}

impl FollowUpNote {
    /// The note in words.
    pub(crate) fn text(self, alert: &Alert) -> String {
        match self {
            Self::Raised => format!("raised to {}", alert.severity.as_str()),
            Self::StillThere(Some(after)) => format!("still there after {}", span(after)),
            Self::StillThere(None) => "still there".to_owned(),
            Self::Resolved(Some(after)) => format!("resolved after {}", span(after)),
            Self::Resolved(None) => "resolved".to_owned(),
        }
    }

    /// The word that stands first in a short message.
    pub(crate) const fn word(self, severity: Severity) -> Option<&'static str> {
        match (self, severity) {
            (Self::Raised, Severity::Low) => Some("RAISED TO LOW"),
            (Self::Raised, Severity::Medium) => Some("RAISED TO MEDIUM"),
            (Self::Raised, Severity::High) => Some("RAISED TO HIGH"),
            (Self::Raised, Severity::Critical) => Some("RAISED TO CRITICAL"),
            (Self::StillThere(_), Severity::Low) => Some("STILL LOW"),
            (Self::StillThere(_), Severity::Medium) => Some("STILL MEDIUM"),
            (Self::StillThere(_), Severity::High) => Some("STILL HIGH"),
            (Self::StillThere(_), Severity::Critical) => Some("STILL CRITICAL"),
            (Self::Resolved(_), _) => None,
        }
    }
}

/// `35 s`, `42 min`, `3 h 5 min`, `2 d 4 h`: the two largest units that matter.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_two_largest_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (2_520, "42 min"),
            (3_600, "1 h"),
            (11_100, "3 h 5 min"),
            (86_400, "1 d"),
            (187_200, "2 d 4 h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
