//! What spaces and keys have posted lately, and how much spaces store. A request pays before its alerts are stored, gets back what it paid for alerts that were not
//! stored, and may overdraw what is left: a batch is taken whole, however small the limit, and its space then waits until the debt is
//! paid.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use alert_connectors_model::{KeyId, SpaceId};
use alert_connectors_store::Storage;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Day, Limit, Quota, day_of};

/// The count of a day is read from the store again after this time.
const COUNTED_EVERY: Duration = Duration::from_mins(1);
/// How much a space stores is read from the store again after this time.
const LOOKED_EVERY: Duration = Duration::from_secs(10);
/// Spaces and keys that have not posted lately are forgotten once there are more than this many.
const KEPT_MIN: usize = 1_024;

/// What was posted. A server counts what it takes itself.
#[derive(Default)]
pub(crate) struct QuotaUse(Mutex<Uses>);

#[derive(Default)]
struct Uses {
    spaces: Recent<SpaceId>,
    keys: Recent<KeyId>,
    days: HashMap<SpaceId, DayCount>,
    storages: HashMap<SpaceId, (Storage, Instant)>,
}

/// The alerts of a day: as the store counted them, and those that were let in since the store was asked.
#[derive(Debug, Clone, Copy)]
struct DayCount {
    day: Day,
    stored: u64,
    /// All that were let in here, on any day, and how many of them when the store was asked.
    let_in: u64,
    let_in_when_asked: u64,
    asked_at: Instant,
}

/// What a request has paid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paid {
    space: SpaceId,
    key: Option<KeyId>,
    quota: Quota,
}

impl QuotaUse {
    /// Lets alerts in, or says which limit is met, and how long to wait.
    pub(super) fn post(
        &self,
        space: SpaceId,
        key: Option<KeyId>,
        quota: Quota,
        alerts: usize,
        now: Timestamp,
    ) -> Result<Option<Paid>, (Limit, Duration)> {
        let has_limit = quota.alerts_per_second.is_some()
            || quota.key_alerts_per_second.is_some()
            || quota.alerts_per_day.is_some();
        if !has_limit || alerts == 0 {
            return Ok(None);
        }
        let at = Instant::now();
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_key = key.zip(quota.key_alerts_per_second);
        if let Some(most) = quota.alerts_per_second {
            let waits = |wait| (Limit::SpacePerSecond(most), wait);
            uses.spaces.check(&space, most, at).map_err(waits)?;
        }
        if let Some((key, most)) = of_key {
            let waits = |wait| (Limit::KeyPerSecond(most), wait);
            uses.keys.check(&key, most, at).map_err(waits)?;
        }
        if let Some(most) = quota.alerts_per_day {
            uses.check_day(space, most, now)?;
        }
        if let Some(most) = quota.alerts_per_second {
            uses.spaces.pay(space, most, alerts, at);
        }
        if let Some((key, most)) = of_key {
            uses.keys.pay(key, most, alerts, at);
        }
        if let Some(day) = uses.days.get_mut(&space) {
            day.let_in += alerts as u64;
        }
        Ok(Some(Paid { space, key, quota }))
    }

    /// Gives back what was paid for alerts that were not stored.
    pub(super) fn pay_back(&self, paid: Paid, alerts: usize) {
        let Paid { space, key, quota } = paid;
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(most) = quota.alerts_per_second {
            uses.spaces.pay_back(&space, most, alerts);
        }
        if let Some((key, most)) = key.zip(quota.key_alerts_per_second) {
            uses.keys.pay_back(&key, most, alerts);
        }
        if let Some(day) = uses.days.get_mut(&space) {
            day.let_in = day.let_in.saturating_sub(alerts as u64);
        }
    }

    /// How many alerts a space has posted today. Once a minute it fails for one caller, who counts again in the store; the error is how
    /// many alerts were let in before that. The other callers go on with the count that there is.
    pub(super) fn today(&self, space: SpaceId, now: Timestamp) -> Result<u64, u64> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = uses.days.get_mut(&space) else {
            return Err(0);
        };
        if count.is_current(day_of(now)) {
            return Ok(count.alerts());
        }
        count.asked_at = Instant::now();
        Err(count.let_in)
    }

    /// How much a space stores, unless the store is to be asked. One caller asks; the others go on with what is known, which is nothing
    /// at first.
    pub(super) fn storage(&self, space: SpaceId) -> Option<Storage> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((storage, looked_at)) = uses.storages.get_mut(&space) else {
            uses.storages
                .insert(space, (Storage::default(), Instant::now()));
            return None;
        };
        if looked_at.elapsed() < LOOKED_EVERY {
            return Some(*storage);
        }
        *looked_at = Instant::now();
        None
    }

    /// What is known of a space may be wrong.
    pub(super) fn forget_storage(&self, space: SpaceId) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uses.storages.remove(&space);
    }

    /// How much the store said that a space stores.
    pub(super) fn looked(&self, space: SpaceId, storage: Storage) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.storages.len() >= KEPT_MIN {
            uses.storages
                .retain(|_, (_, looked_at)| looked_at.elapsed() < LOOKED_EVERY);
        }
        uses.storages.insert(space, (storage, Instant::now()));
    }

    /// How many the store counted, which was asked when so many had been let in.
    pub(super) fn counted(
        &self,
        space: SpaceId,
        stored: u64,
        let_in_when_asked: u64,
        now: Timestamp,
    ) {
        let day = day_of(now);
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.days.len() >= KEPT_MIN {
            uses.days.retain(|_, count| count.is_current(day));
        }
        let let_in = uses.days.get(&space).map_or(0, |count| count.let_in);
        let count = DayCount {
            day,
            stored,
            let_in: let_in.max(let_in_when_asked),
            let_in_when_asked,
            asked_at: Instant::now(),
        };
        uses.days.insert(space, count);
    }
}

impl Uses {
    fn check_day(
        &self,
        space: SpaceId,
        most: NonZeroU32,
        now: Timestamp,
    ) -> Result<(), (Limit, Duration)> {
        let day = day_of(now);
        let posted = self.days.get(&space).filter(|count| count.day == day);
        if posted.is_none_or(|count| count.alerts() < u64::from(most.get())) {
            return Ok(());
        }
        let wait = Duration::try_from(day.ends.duration_since(now)).unwrap_or_default();
        Err((Limit::SpacePerDay(most), wait))
    }
}

impl DayCount {
    fn is_current(&self, day: Day) -> bool {
        self.day == day && self.asked_at.elapsed() < COUNTED_EVERY
    }

    fn alerts(&self) -> u64 {
        self.stored + self.let_in.saturating_sub(self.let_in_when_asked)
    }
}

/// Those who have posted lately, each with the time by which what they posted is paid off at their limit a second.
struct Recent<K> {
    paid_off: HashMap<K, Instant>,
    /// How many there are when those who owe nothing are forgotten.
    forgets_at: usize,
}

impl<K> Default for Recent<K> {
    fn default() -> Self {
        Self {
            paid_off: HashMap::new(),
            forgets_at: KEPT_MIN,
        }
    }
}

/// As many alerts as a second allows may come at once.
const BURST: Duration = Duration::from_secs(1);

impl<K: Eq + std::hash::Hash> Recent<K> {
    /// Whether one more alert may come, or how long it waits.
    fn check(&self, of: &K, most: NonZeroU32, at: Instant) -> Result<(), Duration> {
        let debt = self.paid_off.get(of).map_or(Duration::ZERO, |paid_off| {
            paid_off.saturating_duration_since(at)
        });
        let wait = (debt + BURST / most.get()).saturating_sub(BURST);
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    fn pay(&mut self, of: K, most: NonZeroU32, alerts: usize, at: Instant) {
        if self.paid_off.len() >= self.forgets_at {
            self.paid_off.retain(|_, paid_off| *paid_off > at);
            self.forgets_at = KEPT_MIN.max(2 * self.paid_off.len());
        }
        let paid_off = self.paid_off.entry(of).or_insert(at);
        *paid_off = (*paid_off).max(at) + price(most, alerts);
    }

    fn pay_back(&mut self, of: &K, most: NonZeroU32, alerts: usize) {
        if let Some(paid_off) = self.paid_off.get_mut(of) {
            *paid_off = paid_off
                .checked_sub(price(most, alerts))
                .unwrap_or(*paid_off);
        }
    }
}

fn price(most: NonZeroU32, alerts: usize) -> Duration {
    Duration::from_secs(alerts as u64) / most.get()
}

#[cfg(test)]
mod tests {
    use alert_connectors_model::SeededRandom;

    use super::*;

    struct Posting {
        uses: QuotaUse,
        space: SpaceId,
        key: KeyId,
        quota: Quota,
        now: Timestamp,
    }

    impl Posting {
        fn new(quota: Quota) -> Self {
            let random = SeededRandom::new(1);
            Self {
                uses: QuotaUse::default(),
                space: SpaceId::new(Timestamp::UNIX_EPOCH, &random),
                key: KeyId::new(Timestamp::UNIX_EPOCH, &random),
                quota,
                now: Timestamp::UNIX_EPOCH,
            }
        }

        /// The limit that is met and the wait in milliseconds, if one is.
        fn post(&self, alerts: usize) -> Option<(&'static str, u128)> {
            let posted = self
                .uses
                .post(self.space, Some(self.key), self.quota, alerts, self.now);
            posted
                .err()
                .map(|(limit, wait)| (limit.name(), wait.as_millis()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_space_posts_so_many_a_second_and_a_batch_is_taken_whole_and_paid_off() {
        let posting = Posting::new(Quota {
            alerts_per_second: NonZeroU32::new(10),
            ..Quota::default()
        });
        for _ in 0..10 {
            assert_eq!(posting.post(1), None);
        }
        assert_eq!(posting.post(1), Some(("alerts-per-second", 100)));
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(posting.post(31), None);
        assert_eq!(posting.post(1), Some(("alerts-per-second", 3_100)));
        tokio::time::advance(Duration::from_millis(3_100)).await;
        assert_eq!(posting.post(1), None);
        // What was not used is not saved up.
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(posting.post(10), None);
        assert_eq!(posting.post(1), Some(("alerts-per-second", 100)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_stored_is_paid_back_and_nothing_costs_nothing() {
        let posting = Posting::new(Quota {
            alerts_per_second: NonZeroU32::new(1),
            ..Quota::default()
        });
        let (uses, quota) = (&posting.uses, posting.quota);
        for _ in 0..3 {
            let paid = uses.post(posting.space, None, quota, 5, posting.now);
            uses.pay_back(paid.unwrap().unwrap(), 5);
        }
        assert_eq!(posting.post(5), None);
        assert_eq!(posting.post(0), None);
        assert_eq!(posting.post(1), Some(("alerts-per-second", 5_000)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_has_a_limit_of_its_own_and_what_is_refused_costs_nothing() {
        let posting = Posting::new(Quota {
            alerts_per_second: NonZeroU32::new(3),
            key_alerts_per_second: NonZeroU32::new(2),
            ..Quota::default()
        });
        assert_eq!(posting.post(2), None);
        assert_eq!(posting.post(1), Some(("key-alerts-per-second", 500)));
        let without = posting
            .uses
            .post(posting.space, None, posting.quota, 1, posting.now);
        assert!(without.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_ends_at_midnight_and_is_counted_again_after_a_minute() {
        let mut posting = Posting::new(Quota {
            alerts_per_day: NonZeroU32::new(5),
            ..Quota::default()
        });
        posting.now = "2026-01-01T23:59:00Z".parse().unwrap();
        posting.uses.counted(posting.space, 4, 0, posting.now);
        assert_eq!(posting.post(2), None);
        assert_eq!(posting.uses.today(posting.space, posting.now), Ok(6));
        assert_eq!(posting.post(1), Some(("alerts-per-day", 60_000)));
        tokio::time::advance(COUNTED_EVERY).await;
        // One asks the store, and what is let in meanwhile is not forgotten.
        assert_eq!(posting.uses.today(posting.space, posting.now), Err(2));
        assert_eq!(posting.uses.today(posting.space, posting.now), Ok(6));
        posting.uses.counted(posting.space, 3, 2, posting.now);
        assert_eq!(posting.post(1), None);
        assert_eq!(posting.uses.today(posting.space, posting.now), Ok(4));
        posting.now = "2026-01-02T00:00:00Z".parse().unwrap();
        assert_eq!(posting.post(1), None);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_not_posted_lately_is_forgotten() {
        let (random, most) = (SeededRandom::new(2), NonZeroU32::MIN);
        let mut recent = Recent::default();
        for _ in 0..KEPT_MIN {
            let at = Instant::now();
            recent.pay(KeyId::new(Timestamp::UNIX_EPOCH, &random), most, 1, at);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        recent.pay(
            KeyId::new(Timestamp::UNIX_EPOCH, &random),
            most,
            1,
            Instant::now(),
        );
        assert_eq!(recent.paid_off.len(), 1);
    }
}
