//! When pending deliveries expire. It is computed from times at every read; upkeep writes it down only once no repair
//! can change it.

use alert_connectors_model::{DeliveryState, EndReason};
use jiff::{SignedDuration, Timestamp};

/// A clock may have stepped by about this much, so a time only says to within this span where a row is in the order.
pub const CLOCK_STEP: SignedDuration = SignedDuration::from_hours(2);

/// The rule of expiry at one moment: counted from acceptance, a retry or the destination's last repair, whichever is
/// latest, and never more than seven days from acceptance or a retry.
#[derive(Debug, Clone, Copy)]
pub struct Expiry {
    /// The present time.
    pub now: Timestamp,
    /// How long a delivery is tried.
    pub retry_for: SignedDuration,
}

impl Expiry {
    /// No repair brings back what was accepted longer ago than this.
    pub const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

    /// The same in milliseconds.
    pub const LONGEST_MS: i64 = Self::LONGEST.as_secs() * 1_000;

    /// When a delivery expires that was queued at a time and whose destination was repaired at another.
    pub fn deadline(&self, queued_at: Timestamp, repaired_at: Option<Timestamp>) -> Timestamp {
        let from = repaired_at.map_or(queued_at, |repaired_at| repaired_at.max(queued_at));
        let deadline = from.checked_add(self.retry_for).unwrap_or(Timestamp::MAX);
        let longest = queued_at
            .checked_add(Self::LONGEST)
            .unwrap_or(Timestamp::MAX);
        deadline.min(longest)
    }

    /// Whether its time is up.
    pub fn is_up(&self, queued_at: Timestamp, repaired_at: Option<Timestamp>) -> bool {
        self.now >= self.deadline(queued_at, repaired_at)
    }

    /// The last time for which [`Expiry::is_up`] holds: if the destination was repaired at `repaired_at`, all that was
    /// queued at this time or before has expired.
    pub fn cutoff(&self, repaired_at: Option<Timestamp>) -> Timestamp {
        let before = |span| self.now.checked_sub(span).unwrap_or(Timestamp::MIN);
        let longest = before(Self::LONGEST);
        let short = before(self.retry_for);
        match repaired_at {
            Some(repaired_at) if repaired_at > short => longest,
            _ => short.max(longest),
        }
    }
}

/// A delivery as it is kept, with what its end depends on.
#[derive(Debug, Clone, Copy)]
pub struct StoredState {
    /// The state that was written.
    pub state: DeliveryState,
    /// The reason that was written.
    pub reason: Option<EndReason>,
    /// The end that was written.
    pub ended_at: Option<Timestamp>,
    /// When it was accepted or, later, retried.
    pub queued_at: Timestamp,
    /// When its connector was deleted.
    pub deleted_at: Option<Timestamp>,
    /// Since when its connector is switched off.
    pub inactive_since: Option<Timestamp>,
    /// When its destination was repaired last.
    pub repaired_at: Option<Timestamp>,
}

impl StoredState {
    /// Its state now: a delivery that is written as pending may have ended with its connector or with its time.
    pub fn now(&self, expiry: Expiry) -> (DeliveryState, Option<EndReason>, Option<Timestamp>) {
        if self.state != DeliveryState::Pending {
            return (self.state, self.reason, self.ended_at);
        }
        let cancelled = |reason, at| (DeliveryState::Cancelled, Some(reason), Some(at));
        if let Some(at) = self.deleted_at {
            return cancelled(EndReason::ConnectorDeleted, at);
        }
        if let Some(at) = self.inactive_since {
            return cancelled(EndReason::ConnectorInactive, at);
        }
        if expiry.is_up(self.queued_at, self.repaired_at) {
            let at = expiry.deadline(self.queued_at, self.repaired_at);
            return (DeliveryState::Expired, Some(EndReason::TimeUp), Some(at));
        }
        (DeliveryState::Pending, None, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + hour * 3_600).unwrap()
    }

    fn rule(now: i64) -> Expiry {
        Expiry {
            now: at(now),
            retry_for: SignedDuration::from_hours(24),
        }
    }

    #[test]
    fn time_is_counted_from_acceptance_or_repair_and_ends_after_seven_days() {
        for (now, queued, repaired, up) in [
            (23, 0, None, false),
            (24, 0, None, true),
            (40, 0, Some(20), false),
            (44, 0, Some(20), true),
            (30, 10, Some(0), false),
            (168, 0, Some(160), true),
            (167, 0, Some(160), false),
        ] {
            let (queued, repaired) = (at(queued), repaired.map(at));
            assert_eq!(
                rule(now).is_up(queued, repaired),
                up,
                "{now} {queued} {repaired:?}"
            );
            assert_eq!(
                queued <= rule(now).cutoff(repaired),
                up,
                "{now} {queued} {repaired:?}"
            );
        }
    }

    #[test]
    fn a_connector_that_is_gone_or_off_ends_what_waited_for_it() {
        let kept = StoredState {
            state: DeliveryState::Pending,
            reason: None,
            ended_at: None,
            queued_at: at(0),
            deleted_at: None,
            inactive_since: None,
            repaired_at: None,
        };
        assert_eq!(kept.now(rule(1)), (DeliveryState::Pending, None, None));
        let off = StoredState {
            inactive_since: Some(at(1)),
            ..kept
        };
        let (state, reason, ended_at) = off.now(rule(2));
        assert_eq!(
            (state, reason, ended_at),
            (
                DeliveryState::Cancelled,
                Some(EndReason::ConnectorInactive),
                Some(at(1))
            )
        );
        let expired = kept.now(rule(100));
        assert_eq!(
            (expired.0, expired.2),
            (DeliveryState::Expired, Some(at(24)))
        );
    }
}
