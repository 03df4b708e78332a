//! The events of a space that are kept, within bounds.

use std::collections::VecDeque;

use crate::SpaceEvent;

/// How many events of a space are kept.
pub(crate) const EVENTS_MAX: usize = 1_000;
/// How long an event is kept, in milliseconds: who reconnects within this time misses nothing.
pub(crate) const KEPT_MS: i64 = 5 * 60 * 1_000;
/// By how much the clocks of two servers may differ, the time included that an event takes from one to the other; in milliseconds.
const CLOCKS_DIFFER_MS: i64 = 2_000;

/// The newest events of a space, oldest first, each with the time when it was published in milliseconds.
pub(crate) struct Recent {
    events: VecDeque<(i64, SpaceEvent)>,
    /// The number of the first of them.
    first: u64,
    /// Since when no event is missing here.
    complete_since_ms: i64,
}

impl Recent {
    /// Nothing yet. From now on no event is missing.
    pub(crate) fn new(now_ms: i64) -> Self {
        Self::starting_at(0, now_ms)
    }

    /// Nothing yet; the next event has this number.
    pub(crate) fn starting_at(number: u64, now_ms: i64) -> Self {
        Self {
            events: VecDeque::new(),
            first: number,
            complete_since_ms: now_ms,
        }
    }

    /// The number of the next event.
    pub(crate) fn next(&self) -> u64 {
        self.first + u64::try_from(self.events.len()).unwrap_or(u64::MAX)
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// Adds an event. `has_room` says whether the feed has room for one more; where it has none, the oldest makes room.
    pub(crate) fn push(&mut self, now_ms: i64, event: SpaceEvent, has_room: bool) {
        let is_full = self.events.len() >= EVENTS_MAX || !has_room;
        if is_full && !self.forget_first() {
            // The event takes a number, but is not kept: a stream that needs it gets a resync.
            self.first += 1;
            self.complete_since_ms = now_ms + 1;
            return;
        }
        self.events.push_back((now_ms, event));
    }

    /// Returns whether there was one.
    fn forget_first(&mut self) -> bool {
        let Some((at_ms, _)) = self.events.pop_front() else {
            return false;
        };
        self.first += 1;
        self.complete_since_ms = at_ms + 1;
        true
    }

    /// Forgets what is too old.
    pub(crate) fn forget_old(&mut self, now_ms: i64) {
        while self
            .events
            .front()
            .is_some_and(|(at_ms, _)| at_ms + KEPT_MS < now_ms)
        {
            self.forget_first();
        }
    }

    /// The events from a number on, each with its number and time; `None` if some of them are not kept any more.
    pub(crate) fn from(&self, number: u64) -> Option<impl Iterator<Item = (u64, i64, SpaceEvent)>> {
        let skipped = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let events = self.events.iter().skip(skipped);
        Some(
            (number..)
                .zip(events)
                .map(|(number, (at_ms, event))| (number, *at_ms, *event)),
        )
    }

    /// The number from which on everything happened after a time that another server tells; `None` if that is not known.
    pub(crate) fn after(&self, at_ms: i64) -> Option<u64> {
        let at_ms = at_ms.saturating_sub(CLOCKS_DIFFER_MS);
        if at_ms < self.complete_since_ms {
            return None;
        }
        let before = self
            .events
            .iter()
            .take_while(|(event_ms, _)| *event_ms < at_ms);
        Some(self.first + u64::try_from(before.count()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use alert_connectors_model::AlertId;

    use super::*;

    fn event(number: u8) -> SpaceEvent {
        SpaceEvent::Alert(AlertId::from_bytes([number; 16]))
    }

    fn numbers(recent: &Recent, from: u64) -> Option<Vec<u64>> {
        let events = recent.from(from)?;
        Some(events.map(|(number, _, _)| number).collect())
    }

    #[test]
    fn what_is_kept_is_found_by_its_number() {
        let mut recent = Recent::new(0);
        for number in 0..3 {
            recent.push(i64::from(number), event(number), true);
        }
        assert_eq!(numbers(&recent, 0).unwrap(), [0, 1, 2]);
        assert_eq!(numbers(&recent, 2).unwrap(), [2]);
        assert_eq!(numbers(&recent, 3).unwrap(), [0; 0]);
        recent.forget_old(KEPT_MS + 2);
        assert_eq!((recent.len(), recent.next()), (1, 3));
        assert_eq!(numbers(&recent, 2).unwrap(), [2]);
        assert!(numbers(&recent, 1).is_none());
    }

    #[test]
    fn there_are_never_more_than_the_maximum() {
        let mut recent = Recent::new(0);
        for _ in 0..EVENTS_MAX + 5 {
            recent.push(0, event(0), true);
        }
        assert_eq!(recent.len(), EVENTS_MAX);
        assert!(numbers(&recent, 4).is_none());
        assert_eq!(numbers(&recent, 5).unwrap().len(), EVENTS_MAX);
    }

    #[test]
    fn without_room_an_event_counts_and_is_missed() {
        let mut recent = Recent::new(0);
        recent.push(5, event(0), false);
        assert_eq!((recent.len(), recent.next()), (0, 1));
        assert!(numbers(&recent, 0).is_none());
        recent.push(6, event(1), true);
        recent.push(7, event(2), false);
        assert_eq!((recent.len(), recent.next()), (1, 3));
        assert_eq!(numbers(&recent, 2).unwrap(), [2]);
    }

    #[test]
    fn a_time_of_another_server_is_good_where_everything_since_is_kept() {
        let mut recent = Recent::new(10_000);
        recent.push(11_000, event(0), true);
        recent.push(20_000, event(1), true);
        assert_eq!(recent.after(11_999), None);
        assert_eq!(recent.after(12_000), Some(0));
        assert_eq!(recent.after(14_000), Some(1));
        assert_eq!(recent.after(30_000), Some(2));
        assert_eq!(recent.after(i64::MIN), None);
    }
}
