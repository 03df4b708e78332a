//! The send policy of one destination: its rate limit, its back-off and its circuit breaker. It does no I/O, and time comes in
//! as a parameter.
//!
//! A *block* is an open circuit and a *probe* a half-open one. A destination is Healthy, Failing (it backs off), Waiting (as the
//! channel asked, with a 429) or Blocked:
//!
//! ```text
//! Healthy -> Healthy  arrived, repaired
//! Healthy -> Failing  failed, unanswered, refused: a message, in both its forms
//! Healthy -> Waiting  throttled
//! Healthy -> Blocked  condemned
//! Failing -> Healthy  arrived, repaired
//! Failing -> Failing  failed, unanswered, refused
//! Failing -> Waiting  throttled
//! Failing -> Blocked  condemned, third refused: the third message in a row
//! Waiting -> Healthy  arrived
//! Waiting -> Failing  failed, unanswered, refused
//! Waiting -> Waiting  throttled, repaired: the channel still asks for it
//! Waiting -> Blocked  condemned, third refused
//! Blocked -> Healthy  arrived, repaired
//! Blocked -> Blocked  failed, unanswered, refused, condemned: the next probe waits longer
//! Blocked -> Blocked  throttled: the next probe waits as long as the channel asks
//! ```

use std::time::Duration;

use alert_connectors_model::Random;
use alert_connectors_store::{Block, DestinationHealth, DestinationState, UNANSWERED_TOLD, Wait};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::{
    backoff::{BackoffConfig, RETRY_AFTER_MAX, backoff, doubled, throttle, unanswered_wait},
    rate_limit::{Rate, TokenBucket},
};

mod set_aside;

pub(crate) use set_aside::{Blame, MessageRef, SetAsideFailure, Turn};

/// The maximum number of deliveries in one digest.
pub(crate) const DIGEST_MAX: usize = 2_000;
/// This many different messages refused in a row are the destination's fault.
const REFUSED_MAX: usize = 3;

/// One moment, by both clocks: the wall's for people and for what is kept, the monotonic one for waiting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) wall: Timestamp,
    pub(crate) instant: Instant,
}

impl Moment {
    /// A wait that begins now.
    fn wait(self, length: Duration, asked: bool) -> Wait {
        let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
        Wait {
            set_at: self.wall,
            length,
            asked,
        }
    }

    /// When a wait ends.
    fn end_of(self, wait: &Wait) -> Instant {
        self.instant + Duration::try_from(wait.left(self.wall)).unwrap_or_default()
    }
}

/// The consequence of a refused message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has failed.
    Failed,
    /// It is the destination's fault: those that had failed are pending again.
    Blocked { revived: Vec<i64> },
    /// The destination was blocked and still is.
    StillBlocked,
}

/// The send policy of one destination.
#[derive(Debug)]
pub(crate) struct SendPolicy {
    health: DestinationHealth,
    bucket: TokenBucket,
    /// Nothing is posted before this.
    resume_at: Option<Instant>,
    /// The maximum number of deliveries in the next digest: halved when a digest fails.
    digest_max: usize,
    backoff: BackoffConfig,
    /// Whether the health differs from what is on disk.
    changed: bool,
}

impl SendPolicy {
    /// Restores the policy from its stored state.
    pub(crate) fn restore(
        known: DestinationState,
        rate: Option<Rate>,
        backoff: BackoffConfig,
        now: Moment,
    ) -> Self {
        let mut bucket = match known.last_request_at {
            Some(at) => {
                // A clock that was set back makes no request younger than now.
                let gone = Duration::try_from(now.wall.duration_since(at)).unwrap_or_default();
                TokenBucket::since_request(rate, gone, now.instant)
            }
            None => TokenBucket::full(rate, now.instant),
        };
        let resume_at = known.health.wait.map(|wait| now.end_of(&wait));
        if let (Some(wait), Some(until)) = (known.health.wait, resume_at)
            && wait.asked
            && until > now.instant
        {
            bucket.empty_until(until);
        }
        Self {
            health: known.health,
            bucket,
            resume_at,
            digest_max: DIGEST_MAX,
            backoff,
            changed: false,
        }
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.health.block.is_some()
    }

    pub(crate) const fn health(&self) -> &DestinationHealth {
        &self.health
    }

    pub(crate) const fn digest_max(&self) -> usize {
        self.digest_max
    }

    /// Until when to wait before the next request, if at all.
    pub(crate) fn wait_until(&self, now: Instant) -> Option<Instant> {
        let paced = self.bucket.next(now);
        self.resume_at.max(paced).filter(|until| *until > now)
    }

    /// How many may go each on its own; nothing where there is no limit.
    pub(crate) fn tokens(&self, now: Instant) -> Option<usize> {
        self.bucket.whole(now)
    }

    /// How long nothing may be posted, tests included, because the channel asked for it.
    pub(crate) fn asked_to_wait(&self, now: Instant) -> Option<Duration> {
        self.health.wait.filter(|wait| wait.asked)?;
        let left = self.resume_at?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Returns how long until the next request may be made because of an earlier failure or 429.
    pub(crate) fn wait_left(&self, now: Instant) -> Duration {
        self.resume_at
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// A request is being made.
    pub(crate) fn posted(&mut self, now: Instant) {
        self.bucket.take(now);
    }

    /// Whether the spaces are to know that something is wrong: it is blocked, or it never answers.
    pub(crate) fn is_troubled(&self) -> bool {
        self.is_blocked() || self.health.never_answers()
    }

    /// Something arrived. Says whether that released a block.
    pub(crate) fn arrived(&mut self, now: Moment) -> bool {
        // A digest of what is left may be as large again as the one that was taken.
        self.digest_max = self.digest_max.saturating_mul(2).min(DIGEST_MAX);
        self.resume_at = None;
        let calm = self.health.failures == 0
            && self.health.throttles == 0
            && self.health.unanswered == 0
            && self.health.refused.is_empty()
            && self.health.failing.suspect.is_none()
            && self.health.wait.is_none()
            && self.health.block.is_none();
        if calm {
            return false;
        }
        self.changed = true;
        let released = self.health.block.take().is_some();
        if released {
            self.health.repaired_at = Some(now.wall);
        }
        if self.health.failures > 0 || released {
            self.health.recovered_at = Some(now.wall);
        }
        (self.health.failures, self.health.throttles) = (0, 0);
        (self.health.unanswered, self.health.failing.suspect) = (0, None);
        (self.health.failing_since, self.health.wait) = (None, None);
        self.health.refused.clear();
        released
    }

    /// The channel asks to wait. Says for how long nothing is posted.
    pub(crate) fn throttled(
        &mut self,
        asked: Duration,
        now: Moment,
        random: &dyn Random,
    ) -> Duration {
        self.health.throttles += 1;
        self.was_answered();
        let wait = throttle(asked, self.health.throttles, random);
        self.wait(wait, true, now);
        self.bucket.empty_until(now.instant + wait);
        wait
    }

    /// An attempt failed in a way that may pass. Says how long to back off: as long as the channel asks at the least.
    pub(crate) fn failed(
        &mut self,
        error: &str,
        asked: Option<Duration>,
        now: Moment,
        random: &dyn Random,
    ) -> Duration {
        self.fail(error, now);
        self.was_answered();
        let wait = if self.is_blocked() {
            self.next_probe(random)
        } else {
            backoff(self.health.failures, self.backoff, random)
        };
        let wait = wait.max(asked.unwrap_or_default().min(RETRY_AFTER_MAX));
        self.wait(wait, false, now);
        wait
    }

    /// A request left whole and was not answered. With `quiet` no space is notified. Returns how long to wait: longer than after a
    /// failure, so that a channel that takes messages and never answers gets few duplicates.
    pub(crate) fn unanswered(
        &mut self,
        error: &str,
        quiet: bool,
        now: Moment,
        random: &dyn Random,
    ) -> Duration {
        self.fail(error, now);
        if !quiet || self.health.unanswered < UNANSWERED_TOLD - 1 {
            self.health.unanswered = self.health.unanswered.saturating_add(1);
        }
        let wait = unanswered_wait(self.health.unanswered, self.backoff, random);
        let wait = if self.is_blocked() {
            wait.max(self.next_probe(random))
        } else {
            wait
        };
        self.wait(wait, false, now);
        wait
    }

    /// The destination refuses everything until it is repaired. With `quiet` no space is notified. Returns how long until the
    /// next probe.
    pub(crate) fn condemned(
        &mut self,
        error: &str,
        quiet: bool,
        now: Moment,
        random: &dyn Random,
    ) -> Duration {
        self.fail(error, now);
        self.was_answered();
        self.block(error, quiet, now, random)
    }

    fn block(&mut self, error: &str, quiet: bool, now: Moment, random: &dyn Random) -> Duration {
        match &mut self.health.block {
            Some(block) => error.clone_into(&mut block.reason),
            None => {
                self.health.block = Some(Block {
                    reason: error.to_owned(),
                    since: now.wall,
                    probes: 0,
                    quiet,
                });
            }
        }
        self.health.refused.clear();
        let wait = self.next_probe(random);
        self.wait(wait, false, now);
        wait
    }

    /// A single message was refused in both its forms or, while the destination is blocked, in its first.
    pub(crate) fn refused(
        &mut self,
        seq: i64,
        error: &str,
        quiet: bool,
        now: Moment,
        random: &dyn Random,
    ) -> Refusal {
        self.digest_max = DIGEST_MAX;
        if self.is_blocked() {
            self.condemned(error, quiet, now, random);
            return Refusal::StillBlocked;
        }
        self.fail(error, now);
        self.was_answered();
        let mut refused = std::mem::take(&mut self.health.refused);
        refused.retain(|known| *known != seq);
        if refused.len() + 1 < REFUSED_MAX {
            refused.push(seq);
            self.health.refused = refused;
            return Refusal::Failed;
        }
        let error = format!("{REFUSED_MAX} different messages in a row were refused: {error}");
        self.block(&error, quiet, now, random);
        Refusal::Blocked { revived: refused }
    }

    /// A digest was refused as a message: the next one carries half of it.
    pub(crate) fn refused_digest(&mut self, carried: usize, error: &str, now: Moment) {
        self.fail(error, now);
        self.was_answered();
        self.halve(carried);
    }

    /// A digest failed: the next one carries half of it.
    pub(crate) fn halve(&mut self, carried: usize) {
        self.digest_max = carried.div_ceil(2);
    }

    /// Someone repaired it.
    pub(crate) fn repaired(&mut self, now: Moment) {
        self.health.repair(now.wall);
        if self.health.wait.is_none() {
            self.resume_at = None;
        }
        (self.digest_max, self.changed) = (DIGEST_MAX, true);
    }

    /// The spaces were notified that it is blocked or never answers, or that it works again.
    pub(crate) fn announced(&mut self, announced: bool) {
        (self.health.announced, self.changed) = (announced, true);
    }

    /// The health, if it has to be written.
    pub(crate) fn take_changed(&mut self) -> Option<DestinationHealth> {
        std::mem::take(&mut self.changed).then(|| self.health.clone())
    }

    /// The channel answered, although it did not accept the message. Once the spaces were notified, only a delivery resets the count.
    fn was_answered(&mut self) {
        if !self.health.never_answers() {
            self.health.unanswered = 0;
        }
    }

    fn fail(&mut self, error: &str, now: Moment) {
        self.changed = true;
        self.health.failures += 1;
        self.health.failing_since.get_or_insert(now.wall);
        self.health.last_error = Some(error.to_owned());
    }

    /// One minute, then two, four … up to an hour, and up to a tenth more, so that many destinations are not probed at once.
    fn next_probe(&mut self, random: &dyn Random) -> Duration {
        let probes = self.health.block.as_mut().map_or(0, |block| {
            block.probes += 1;
            block.probes - 1
        });
        let BackoffConfig {
            probe_first,
            probe_max,
            ..
        } = self.backoff;
        doubled(probe_first, probe_max, probes, random)
    }

    fn wait(&mut self, length: Duration, asked: bool, now: Moment) {
        self.changed = true;
        self.resume_at = Some(now.instant + length);
        self.health.wait = Some(now.wait(length, asked));
    }
}

#[cfg(test)]
mod tests;
