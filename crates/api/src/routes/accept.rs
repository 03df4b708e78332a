//! The way into the store: who posts is let in, alerts are matched, and what was stored is listed for the answer.
//!
//! A request that causes many deliveries is stored in steps, each in a commit that other requests share. So none of them
//! waits for a whole fan-out, and no more than a step of it is in memory.

use std::{sync::Arc, time::Duration};

use alert_connectors_model::{Alert, AlertId, DeliveryId, Matched, ParsedAlert, SpaceId, Warning};
use alert_connectors_store::{Acceptance, Accepted, Idempotency, NewAlert, Roster, Submission};
use http::HeaderMap;
use jiff::Timestamp;
use tokio::time::timeout;

use crate::{
    App, Freshness, Problem, ProblemKind,
    entry::{Entry, Wanted, enter},
    serialised::serialised,
};

/// How often a submission is matched again because connectors or identity changed meanwhile.
const TRIES_MAX: usize = 8;
/// A step has at most this many alerts and deliveries, or one alert. It takes the store some 3 ms, which is what another
/// request may have to wait for it.
const STEP_ROWS_MAX: usize = 400;
/// One large step is stored at a time, and others have the store for as long afterwards. This is how long it waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);
/// The longest time that is left to others after a large step.
pub(crate) const LARGE_STEP_REST_MAX: Duration = Duration::from_millis(20);

/// An alert that was parsed, and its JSON.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) alert: Arc<Alert>,
    has_own_time: bool,
    pub(super) json: Arc<str>,
    pub(super) warnings: Arc<[Warning]>,
}

impl Prepared {
    pub(super) fn of(parsed: ParsedAlert) -> Self {
        let json = serialised(&parsed.alert);
        Self {
            alert: Arc::new(parsed.alert),
            has_own_time: parsed.has_own_time,
            json: json.into(),
            warnings: parsed.warnings.into(),
        }
    }
}

/// What became of one alert, with as many of its deliveries as the answer lists.
pub(super) struct Stored {
    pub(super) accepted: Accepted,
    /// How many deliveries the answer does not list.
    pub(super) left_out: usize,
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

/// What became of a request.
pub(super) struct StoredAlerts {
    pub(super) space_id: SpaceId,
    pub(super) alerts: Vec<Stored>,
}

/// Authorizes a caller who posts alerts to a space, and stores the alerts.
pub(super) struct Gate<'r> {
    app: &'r App,
    headers: &'r HeaderMap,
    slug: &'r str,
}

impl<'r> Gate<'r> {
    pub(super) const fn new(app: &'r App, headers: &'r HeaderMap, slug: &'r str) -> Self {
        Self { app, headers, slug }
    }

    pub(super) async fn enter(&self, freshness: Freshness) -> Result<Entry, Problem> {
        let enter = |freshness| enter(self.app, self.headers, self.slug, Wanted::Send, freshness);
        match (enter(freshness).await, freshness) {
            // A refusal that rests on memory is not given before it was checked.
            (Err(_refused), Freshness::Cached) => enter(Freshness::Now).await,
            (entered, _) => entered,
        }
    }

    /// Passes a result on; before an error, the caller must still be who memory says.
    pub(super) async fn held<T>(&self, result: Result<T, Problem>) -> Result<T, Problem> {
        if result.is_err() {
            self.enter(Freshness::Now).await?;
        }
        result
    }

    /// Stores the alerts of a request, step by step, and keeps the first `listed_max` deliveries of each for the answer.
    ///
    /// Where a step fails, those before it stay. A repeat with the same idempotency key finds them, and stores the others.
    pub(super) async fn accept(
        &self,
        mut entry: Entry,
        idempotency: Option<Idempotency>,
        alerts: &[Prepared],
        listed_max: usize,
    ) -> Result<StoredAlerts, Problem> {
        let expiry = self.app.expiry();
        let mut stored = Vec::with_capacity(alerts.len());
        let mut tries = 0;
        loop {
            let from = stored.len();
            let rest = alerts.get(from..).unwrap_or_default();
            let submission = Submission {
                roster: Arc::clone(&entry.roster),
                identity_version: entry.caller.version,
                idempotency: idempotency.as_ref().map(|one| one.from(from)),
                expiry,
                renotify: self.app.renotify,
                alerts: self.step(&entry.roster, rest, expiry.now),
            };
            let step = match self.store(submission).await? {
                Acceptance::Stored(step) => {
                    self.app.meters.accepted(step.len());
                    step
                }
                Acceptance::Repeated(step) => step,
                Acceptance::Stale if tries < TRIES_MAX => {
                    tries += 1;
                    entry = self.enter(Freshness::Now).await?;
                    continue;
                }
                Acceptance::Stale => return Err(changes_too_fast()),
                Acceptance::KeyReused => return Err(key_reused()),
            };
            let is_over = step.is_empty() || from + step.len() >= alerts.len();
            stored.extend(step.into_iter().map(|one| Stored::listing(one, listed_max)));
            if is_over {
                return Ok(StoredAlerts {
                    space_id: entry.space().id,
                    alerts: stored,
                });
            }
        }
    }

    /// Stores a step; a large one in its turn.
    async fn store(&self, step: Submission) -> Result<Acceptance, Problem> {
        let store = &self.app.store;
        if !step.is_large() {
            return Ok(store.accept(step).await?);
        }
        let turn = timeout(TURN_WITHIN, self.app.large_steps.take());
        let _turn = turn.await.map_err(|_elapsed| too_many_large())?;
        Ok(store.accept(step).await?)
    }

    /// The next alerts, as many as a step holds.
    fn step(&self, roster: &Roster, alerts: &[Prepared], now: Timestamp) -> Vec<NewAlert> {
        let mut rows = 0;
        let matched = alerts.iter().map(|alert| self.matched(roster, alert, now));
        let step = matched.take_while(|new| {
            let is_first = rows == 0;
            rows += 1 + new.deliveries.len();
            is_first || rows <= STEP_ROWS_MAX
        });
        step.collect()
    }

    /// An alert with a delivery for each connector that hears of it.
    fn matched(&self, roster: &Roster, prepared: &Prepared, now: Timestamp) -> NewAlert {
        let hears = roster
            .connectors
            .iter()
            .filter(|connector| connector.matches(&prepared.alert) == Matched::Matched);
        let random = &*self.app.random;
        let id = AlertId::new(now, random);
        NewAlert {
            id,
            alert: Arc::clone(&prepared.alert),
            has_own_time: prepared.has_own_time,
            json: Arc::clone(&prepared.json),
            warnings: Arc::clone(&prepared.warnings),
            deliveries: hears
                .map(|connector| (DeliveryId::of(id, random), Arc::clone(connector)))
                .collect(),
        }
    }
}

fn too_many_large() -> Problem {
    Problem::unavailable(
        "Too many requests that cause many deliveries are being stored; repeat the request.",
    )
}

fn changes_too_fast() -> Problem {
    Problem::unavailable("The space's connectors change too fast; repeat the request.")
}

fn key_reused() -> Problem {
    Problem::new(
        ProblemKind::IdempotencyConflict,
        "This Idempotency-Key was used with another body within the last 24 hours.",
    )
}
