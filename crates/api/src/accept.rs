//! The way into the store: alerts are matched, stored in steps, and listed for the answer.
//!
//! A request that causes many deliveries is stored in steps, each in a commit that other requests share. So none of them
//! waits for a whole fan-out, and no more than a step of it is in memory.

use std::{collections::HashSet, num::NonZeroU64, sync::Arc, time::Duration};

use alert_connectors_feed::SpaceEvent;
use alert_connectors_model::{AlertStatus, KeyId, SpaceId};
use alert_connectors_store::{
    Acceptance, Accepted, Idempotency, NewAlert, PreparedAlert, Roster, Submission,
};
use alert_connectors_traces::RequestTrace;
use jiff::Timestamp;
use tokio::time::timeout;

use crate::{ApiError, App, ErrorKind, resting_queue::Rest};

/// How often a submission is matched again because connectors or identity changed meanwhile.
const TRIES_MAX: usize = 8;
/// A step has at most this many alerts and deliveries, or one alert. It takes the store some 3 ms, which is what another
/// request may have to wait for it.
const STEP_ROWS_MAX: usize = 400;
/// A large step waits at most this long for its turn: one is stored at a time, and then others have the store for as
/// long.
const TURN_WITHIN: Duration = Duration::from_secs(5);
/// What is left to others after a large step: as long as it took, within a limit.
pub(crate) const LARGE_STEP_REST: Rest = Rest {
    times: 1,
    max: Duration::from_millis(20),
};

/// One stored alert, with as many of its deliveries as the answer lists.
pub(crate) struct Stored {
    pub(crate) accepted: Accepted,
    /// How many deliveries the answer does not list.
    pub(crate) left_out: usize,
}

impl Stored {
    fn listing(mut accepted: Accepted, listed_max: usize) -> Self {
        let left_out = accepted.deliveries.len().saturating_sub(listed_max);
        accepted.deliveries.truncate(listed_max);
        if left_out > 0 {
            accepted.deliveries.shrink_to_fit();
        }
        Self { accepted, left_out }
    }
}

/// The alerts of a request, as they are stored.
pub(crate) struct StoredAlerts {
    pub(crate) space_id: SpaceId,
    pub(crate) alerts: Vec<Stored>,
}

/// The right to post to a space, as of the moment of its grant.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) roster: Arc<Roster>,
    /// The version of identity that it rests on; `None` where identity has no versions.
    pub(crate) identity_version: Option<i64>,
    /// When it ends.
    pub(crate) expires_at: Option<Timestamp>,
    /// The API key that it was shown with.
    pub(crate) key: Option<KeyId>,
}

/// A caller, or the program itself, that posts alerts to a space.
pub(crate) trait Poster: Sync {
    /// The right to post, authorised now.
    fn grant(&self) -> impl Future<Output = Result<Grant, ApiError>> + Send;

    /// Passes a result on. Before an error is shown, the caller is authorised again, and not from memory.
    fn authorised_for_errors<T: Send>(
        &self,
        result: Result<T, ApiError>,
    ) -> impl Future<Output = Result<T, ApiError>> + Send {
        async move {
            if result.is_err() {
                self.grant().await?;
            }
            result
        }
    }
}

/// A request to store alerts.
pub(crate) struct PostRequest<'p> {
    pub(crate) alerts: &'p [PreparedAlert],
    pub(crate) idempotency: Option<Idempotency>,
    /// A `resolved` that ends no problem is left out.
    pub(crate) leaves_out_idle_ends: bool,
    /// The answer lists at most this many deliveries of each alert.
    pub(crate) listed_max: usize,
    /// The request, if it is recorded.
    pub(crate) trace: Option<RequestTrace>,
}

/// The alerts that may end a problem, but for those whose problem the same request opens or repeats.
fn ends_among(alerts: &[PreparedAlert]) -> Vec<PreparedAlert> {
    let of = |status| move |one: &&PreparedAlert| one.alert.status == status;
    let opened = alerts.iter().filter(of(AlertStatus::Active));
    let opened: HashSet<_> = opened
        .filter_map(|one| one.alert.dedup_key.as_ref())
        .collect();
    let ends = alerts.iter().filter(of(AlertStatus::Resolved));
    let ends = ends.filter(|one| {
        let key = one.alert.dedup_key.as_ref();
        key.is_some_and(|key| !opened.contains(key))
    });
    ends.cloned().collect()
}

impl App {
    /// Stores the alerts of a request, step by step. A grant that is out of date is asked for again.
    ///
    /// If a step fails, the previous ones stay stored. A repeat with the same idempotency key finds them, and stores
    /// the others.
    pub(crate) async fn accept(
        &self,
        poster: &impl Poster,
        grant: Grant,
        posting: PostRequest<'_>,
    ) -> Result<StoredAlerts, ApiError> {
        let (trace, count) = (posting.trace, posting.alerts.len());
        let space = Arc::clone(&grant.roster.space);
        let stored = self.accept_unrecorded(poster, grant, posting).await;
        if let Some(trace) = trace {
            self.record_request(trace, &space, count, stored.as_ref().err());
        }
        stored
    }

    /// The same without the request's span, for a caller who records it.
    pub(crate) async fn accept_unrecorded(
        &self,
        poster: &impl Poster,
        grant: Grant,
        posting: PostRequest<'_>,
    ) -> Result<StoredAlerts, ApiError> {
        match self.limit_if_full(&grant.roster.space).await? {
            None => self.accept_within_quota(poster, grant, posting).await,
            Some(most) => self.accept_ends(poster, grant, posting, most).await,
        }
    }

    /// Of a request to a full space, stores what ends problems, which makes room. All else is refused, and so is the request unless
    /// there was nothing else in it.
    async fn accept_ends(
        &self,
        poster: &impl Poster,
        grant: Grant,
        posting: PostRequest<'_>,
        most: NonZeroU64,
    ) -> Result<StoredAlerts, ApiError> {
        let ends = ends_among(posting.alerts);
        let is_all = ends.len() == posting.alerts.len();
        // A part of a request has no key of its own, by which a repeat could be told from another request.
        if ends.is_empty() || (!is_all && posting.idempotency.is_some()) {
            return Err(self.refused_as_full(most));
        }
        let may_leave_out = posting.leaves_out_idle_ends;
        let ends = PostRequest {
            alerts: &ends,
            // What is kept under a key is whole: a repeat is answered by it.
            leaves_out_idle_ends: may_leave_out || posting.idempotency.is_none(),
            ..posting
        };
        let stored = self.accept_within_quota(poster, grant, ends).await?;
        let is_whole = stored.alerts.iter().all(|one| one.accepted.is_stored);
        if is_all && (is_whole || may_leave_out) {
            Ok(stored)
        } else {
            Err(self.refused_as_full(most))
        }
    }

    async fn accept_within_quota(
        &self,
        poster: &impl Poster,
        grant: Grant,
        posting: PostRequest<'_>,
    ) -> Result<StoredAlerts, ApiError> {
        let (wanted, mut new) = (posting.alerts.len(), 0);
        let paid = self.within_quota(&grant, wanted).await?;
        let stored = self.store_steps(poster, grant, posting, &mut new).await;
        self.pay_back(paid, wanted.saturating_sub(new));
        stored
    }

    /// Stores the steps, and counts the alerts that were not stored before.
    async fn store_steps(
        &self,
        poster: &impl Poster,
        mut grant: Grant,
        posting: PostRequest<'_>,
        new: &mut usize,
    ) -> Result<StoredAlerts, ApiError> {
        let expiry = self.expiry();
        let mut stored = Vec::with_capacity(posting.alerts.len());
        let mut tries = 0;
        loop {
            if grant.expires_at.is_some_and(|end| end <= self.clock.now()) {
                grant = poster.grant().await?;
            }
            let from = stored.len();
            let rest = posting.alerts.get(from..).unwrap_or_default();
            let submission = Submission {
                roster: Arc::clone(&grant.roster),
                identity_version: grant.identity_version,
                idempotency: posting.idempotency.as_ref().map(|one| one.from(from)),
                expiry,
                renotify: self.renotify,
                leaves_out_idle_ends: posting.leaves_out_idle_ends,
                trace: posting.trace.map(|trace| trace.context),
                alerts: self.step(&grant.roster, rest, expiry.now),
            };
            let step = match self.store_step(submission).await? {
                Acceptance::Stored(step) => {
                    let stored = step.iter().filter(|one| one.is_stored);
                    let count = stored.clone().count();
                    self.meters.accepted(count);
                    *new += count;
                    let events = stored.flat_map(SpaceEvent::of_accepted);
                    self.feed.publish(grant.roster.space.id, events);
                    step
                }
                Acceptance::AlreadyStored(step) => step,
                Acceptance::Stale if tries < TRIES_MAX => {
                    tries += 1;
                    grant = poster.grant().await?;
                    continue;
                }
                Acceptance::Stale => return Err(changes_too_fast()),
                Acceptance::KeyReused => return Err(key_reused()),
            };
            let is_over = step.is_empty() || from + step.len() >= posting.alerts.len();
            let step = step.into_iter();
            stored.extend(step.map(|one| Stored::listing(one, posting.listed_max)));
            if is_over {
                return Ok(StoredAlerts {
                    space_id: grant.roster.space.id,
                    alerts: stored,
                });
            }
        }
    }

    /// Stores a step; a large one in its turn.
    async fn store_step(&self, step: Submission) -> Result<Acceptance, ApiError> {
        if !step.is_large() {
            return Ok(self.store.accept(step).await?);
        }
        let begun = timeout(TURN_WITHIN, self.large_steps.begin());
        let _under_way = begun.await.map_err(|_elapsed| too_many_large())?;
        Ok(self.store.accept(step).await?)
    }

    /// The next alerts, as many as a step holds.
    fn step(&self, roster: &Roster, alerts: &[PreparedAlert], now: Timestamp) -> Vec<NewAlert> {
        let mut rows = 0;
        let matched = alerts
            .iter()
            .map(|alert| alert.matched(&roster.connectors, now, &*self.random));
        let step = matched.take_while(|new| {
            let is_first = rows == 0;
            rows += 1 + new.deliveries.len();
            is_first || rows <= STEP_ROWS_MAX
        });
        step.collect()
    }
}

fn too_many_large() -> ApiError {
    ApiError::unavailable(
        "Too many requests that cause many deliveries are being stored; repeat the request.",
    )
}

fn changes_too_fast() -> ApiError {
    ApiError::unavailable("The space's connectors change too fast; repeat the request.")
}

fn key_reused() -> ApiError {
    ApiError::new(
        ErrorKind::IdempotencyConflict,
        "This Idempotency-Key was used with another body within the last 24 hours.",
    )
}
