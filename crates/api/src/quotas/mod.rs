//! How much spaces and API keys may post, and how much a space may have and store: the trait that a platform implements to bring
//! its own limits, and what becomes of a request beyond them.

mod use_count;

use std::{
    collections::HashMap,
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use alert_connectors_model::{Slug, Space};
use alert_connectors_store::Storage;
use jiff::Timestamp;

pub(crate) use use_count::{Paid, QuotaUse};

use crate::{ApiError, App, accept::Grant};

/// How much a space may have. What is `None` has no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Alerts a second of all callers together, repeats of a problem included.
    pub alerts_per_second: Option<NonZeroU32>,
    /// Alerts a second of each API key.
    pub key_alerts_per_second: Option<NonZeroU32>,
    /// Alerts a day, by UTC. A repeat of a problem counts until the store is asked again, which it is once a minute.
    pub alerts_per_day: Option<NonZeroU32>,
    /// Connectors, beside the limit of 500 that every space has.
    pub connectors: Option<NonZeroU32>,
    /// Bytes of stored alerts, by the measure of [`Storage`]. Beyond them the space loses its oldest history; alerts are refused once
    /// nothing can be removed: open problems and alerts with pending deliveries stay. What ends a problem is stored all the same, unless
    /// it comes with others under an idempotency key.
    pub stored_bytes: Option<NonZeroU64>,
}

/// Says how much each space may have.
pub trait Quotas: Send + Sync {
    /// That of a space. It is asked for each request, and answers from memory.
    fn of(&self, space: &Space) -> Quota;
}

/// One quota for all spaces, and others for some.
#[derive(Debug, Clone, Default)]
pub struct FixedQuotas {
    /// That of the spaces that have none of their own.
    pub usual: Quota,
    /// Those of some spaces, whole.
    pub exceptions: HashMap<Slug, Quota>,
}

impl Quotas for FixedQuotas {
    fn of(&self, space: &Space) -> Quota {
        *self.exceptions.get(&space.slug).unwrap_or(&self.usual)
    }
}

/// A limit that a request has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Limit {
    SpacePerSecond(NonZeroU32),
    KeyPerSecond(NonZeroU32),
    SpacePerDay(NonZeroU32),
    StoredBytes(NonZeroU64),
}

impl Limit {
    /// All names.
    pub(crate) const NAMES: [&str; 4] = [
        Self::SpacePerSecond(NonZeroU32::MIN).name(),
        Self::KeyPerSecond(NonZeroU32::MIN).name(),
        Self::SpacePerDay(NonZeroU32::MIN).name(),
        Self::StoredBytes(NonZeroU64::MIN).name(),
    ];

    /// Its name in settings, metrics and errors.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SpacePerSecond(_) => "alerts-per-second",
            Self::KeyPerSecond(_) => "key-alerts-per-second",
            Self::SpacePerDay(_) => "alerts-per-day",
            Self::StoredBytes(_) => "stored-bytes",
        }
    }

    fn refusal(self, wait: Duration) -> ApiError {
        let name = self.name();
        let what = match self {
            Self::SpacePerSecond(most) | Self::SpacePerDay(most) => {
                format!(
                    "The space has posted as many alerts as it may: the limit {name} is {most}."
                )
            }
            Self::KeyPerSecond(most) => {
                format!(
                    "This API key has posted as many alerts as it may: the limit {name} is {most}."
                )
            }
            Self::StoredBytes(most) => format!(
                "The space stores as much as it may: the limit {name} is {most}, and all that is left are open problems and alerts \
                 with pending deliveries. Resolve the problems, and repair or switch off the connectors. What ends a problem is stored, but not as \
                 part of a request with an Idempotency-Key."
            ),
        };
        let detail = format!("{what} Repeat the request after the time in Retry-After.");
        ApiError::too_many(detail, wait)
    }
}

impl App {
    /// Lets some alerts in, unless their space or key has posted as much as it may. Returns what was paid, if there is a limit.
    pub(crate) async fn within_quota(
        &self,
        grant: &Grant,
        alerts: usize,
    ) -> Result<Option<Paid>, ApiError> {
        let space = &grant.roster.space;
        let quota = self.quotas.of(space);
        if quota.alerts_per_day.is_some() {
            self.alerts_today(space).await?;
        }
        let posted = self
            .quota_use
            .post(space.id, grant.key, quota, alerts, self.clock.now());
        posted.map_err(|(limit, wait)| {
            self.meters.over_quota(limit.name());
            limit.refusal(wait)
        })
    }

    /// How many bytes a space may store, where it is full.
    pub(crate) async fn limit_if_full(
        &self,
        space: &Space,
    ) -> Result<Option<NonZeroU64>, ApiError> {
        let Some(most) = self.quotas.of(space).stored_bytes else {
            return Ok(None);
        };
        Ok(self.storage(space).await?.is_full.then_some(most))
    }

    /// Refuses a request to a full space.
    pub(crate) fn refused_as_full(&self, most: NonZeroU64) -> ApiError {
        let limit = Limit::StoredBytes(most);
        self.meters.over_quota(limit.name());
        limit.refusal(FULL_FOR)
    }

    /// Gives back what a request paid for alerts that were not stored: the store failed, or has had them already.
    pub(crate) fn pay_back(&self, paid: Option<Paid>, alerts: usize) {
        if let Some(paid) = paid.filter(|_| alerts > 0) {
            self.quota_use.pay_back(paid, alerts);
        }
    }

    /// How much a space stores. The store is asked every few seconds.
    pub(crate) async fn storage(&self, space: &Space) -> Result<Storage, ApiError> {
        if let Some(storage) = self.quota_use.storage(space.id) {
            return Ok(storage);
        }
        match self.store.storage(space.id).await {
            Ok(storage) => {
                self.quota_use.looked(space.id, storage);
                Ok(storage)
            }
            Err(error) => {
                // The next one asks again.
                self.quota_use.forget_storage(space.id);
                Err(error.into())
            }
        }
    }

    /// How many alerts a space has posted today. They are counted in the store once a minute, since other servers may take some of
    /// them.
    pub(crate) async fn alerts_today(&self, space: &Space) -> Result<u64, ApiError> {
        let now = self.clock.now();
        let let_in = match self.quota_use.today(space.id, now) {
            Ok(count) => return Ok(count),
            Err(let_in) => let_in,
        };
        let summary = self.store.summary(space.id, day_of(now).began).await?;
        let kinds: u64 = summary.kinds.iter().map(|kind| kind.count).sum();
        let count = kinds + summary.other;
        self.quota_use.counted(space.id, count, let_in, now);
        Ok(count)
    }
}

/// `Retry-After` of a request to a full space. Upkeep looks for room more often.
const FULL_FOR: Duration = Duration::from_mins(1);

/// A day by UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) began: Timestamp,
    pub(crate) ends: Timestamp,
}

/// The day of a time.
pub(crate) fn day_of(now: Timestamp) -> Day {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let began = now.as_millisecond().div_euclid(DAY_MS) * DAY_MS;
    let time = |ms| Timestamp::from_millisecond(ms).unwrap_or(now);
    Day {
        began: time(began),
        ends: time(began.saturating_add(DAY_MS)),
    }
}
