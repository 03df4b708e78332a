//! How we behave towards one destination: when it may be posted to, and what its answers do to that. It does no I/O, and
//! time comes in as a parameter.

use std::time::Duration;

use alert_connectors_model::Random;
use alert_connectors_store::{Block, Known, Standing, UNANSWERED_TOLD, Wait};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::{
    pace::{Bucket, Rate},
    retry::{RETRY_AFTER_MAX, backoff, doubled, throttle, unanswered_wait},
};

mod set_aside;

pub(crate) use set_aside::{Blame, Culprit, Failure, Turn};

/// A digest carries at most so many deliveries.
pub(crate) const DIGEST_MAX: usize = 2_000;
/// So many different messages in a row that are refused are the destination's fault.
const REFUSED_MAX: usize = 3;

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The first back-off is at most this long; each further one up to twice as long.
    pub backoff_first: Duration,
    /// No back-off is longer.
    pub backoff_max: Duration,
    /// A blocked destination is first probed after this; each further probe after twice as long.
    pub probe_first: Duration,
    /// Probes are no further apart.
    pub probe_max: Duration,
    /// After a request that left whole and was not answered the next one waits this long, after each further one twice as
    /// long.
    pub unanswered_first: Duration,
    /// No such wait is longer.
    pub unanswered_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_mins(5),
            probe_first: Duration::from_mins(1),
            probe_max: Duration::from_hours(1),
            unanswered_first: Duration::from_secs(30),
            unanswered_max: Duration::from_hours(1),
        }
    }
}

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

/// What a refused message comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has failed.
    Failed,
    /// It is the destination's fault: those that had failed are owed again.
    Blocked { revived: Vec<i64> },
    /// The destination was blocked and still is.
    StillBlocked,
}

/// How we behave towards one destination.
#[derive(Debug)]
pub(crate) struct Conduct {
    standing: Standing,
    bucket: Bucket,
    /// Nothing is posted before this.
    resume_at: Option<Instant>,
    /// The most that a digest may carry now: halved when one is refused.
    digest_max: usize,
    patience: Patience,
    /// Whether the standing differs from what is on disk.
    changed: bool,
}

impl Conduct {
    /// Takes up where an earlier program left off.
    pub(crate) fn taken_up(
        known: Known,
        rate: Option<Rate>,
        patience: Patience,
        now: Moment,
    ) -> Self {
        let mut bucket = match known.last_request_at {
            Some(at) => {
                // A clock that was set back makes no request younger than now.
                let gone = Duration::try_from(now.wall.duration_since(at)).unwrap_or_default();
                Bucket::since_request(rate, gone, now.instant)
            }
            None => Bucket::full(rate, now.instant),
        };
        let resume_at = known.standing.wait.map(|wait| now.end_of(&wait));
        if let (Some(wait), Some(until)) = (known.standing.wait, resume_at)
            && wait.asked
            && until > now.instant
        {
            bucket.empty_until(until);
        }
        Self {
            standing: known.standing,
            bucket,
            resume_at,
            digest_max: DIGEST_MAX,
            patience,
            changed: false,
        }
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.standing.block.is_some()
    }

    pub(crate) const fn standing(&self) -> &Standing {
        &self.standing
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
        self.standing.wait.filter(|wait| wait.asked)?;
        let left = self.resume_at?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// How long until the next request may be made because of what went before.
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
        self.is_blocked() || self.standing.never_answers()
    }

    /// Something arrived. Says whether that released a block.
    pub(crate) fn arrived(&mut self, now: Moment) -> bool {
        // A digest of what is left may be as large again as the one that was taken.
        self.digest_max = self.digest_max.saturating_mul(2).min(DIGEST_MAX);
        self.resume_at = None;
        let calm = self.standing.failures == 0
            && self.standing.throttles == 0
            && self.standing.unanswered == 0
            && self.standing.refused.is_empty()
            && self.standing.failing.suspect.is_none()
            && self.standing.wait.is_none()
            && self.standing.block.is_none();
        if calm {
            return false;
        }
        self.changed = true;
        let released = self.standing.block.take().is_some();
        if released {
            self.standing.repaired_at = Some(now.wall);
        }
        if self.standing.failures > 0 || released {
            self.standing.recovered_at = Some(now.wall);
        }
        (self.standing.failures, self.standing.throttles) = (0, 0);
        (self.standing.unanswered, self.standing.failing.suspect) = (0, None);
        (self.standing.failing_since, self.standing.wait) = (None, None);
        self.standing.refused.clear();
        released
    }

    /// The channel asks to wait. Says for how long nothing is posted.
    pub(crate) fn throttled(
        &mut self,
        asked: Duration,
        now: Moment,
        random: &dyn Random,
    ) -> Duration {
        self.standing.throttles += 1;
        self.was_answered();
        let wait = throttle(asked, self.standing.throttles, random);
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
            backoff(self.standing.failures, self.patience, random)
        };
        let wait = wait.max(asked.unwrap_or_default().min(RETRY_AFTER_MAX));
        self.wait(wait, false, now);
        wait
    }

    /// A request left whole, and nobody knows what came of it. `quiet` says that nobody is to be told. Says how long to wait:
    /// longer than after a failure, so that a channel that takes but never answers sees few copies.
    pub(crate) fn unanswered(
        &mut self,
        error: &str,
        quiet: bool,
        now: Moment,
        random: &dyn Random,
    ) -> Duration {
        self.fail(error, now);
        if !quiet || self.standing.unanswered < UNANSWERED_TOLD - 1 {
            self.standing.unanswered = self.standing.unanswered.saturating_add(1);
        }
        let wait = unanswered_wait(self.standing.unanswered, self.patience, random);
        let wait = if self.is_blocked() {
            wait.max(self.next_probe(random))
        } else {
            wait
        };
        self.wait(wait, false, now);
        wait
    }

    /// The destination takes nothing until it is repaired. `quiet` says that nobody is to be told. Says how long until the
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
        match &mut self.standing.block {
            Some(block) => error.clone_into(&mut block.reason),
            None => {
                self.standing.block = Some(Block {
                    reason: error.to_owned(),
                    since: now.wall,
                    probes: 0,
                    quiet,
                });
            }
        }
        self.standing.refused.clear();
        let wait = self.next_probe(random);
        self.wait(wait, false, now);
        wait
    }

    /// A message that stood alone was refused in both its forms.
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
        let mut refused = std::mem::take(&mut self.standing.refused);
        refused.retain(|known| *known != seq);
        if refused.len() + 1 < REFUSED_MAX {
            refused.push(seq);
            self.standing.refused = refused;
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
        self.standing.repair(now.wall);
        if self.standing.wait.is_none() {
            self.resume_at = None;
        }
        (self.digest_max, self.changed) = (DIGEST_MAX, true);
    }

    /// The spaces were told that it is blocked, or that it no longer is.
    pub(crate) fn told(&mut self, told: bool) {
        (self.standing.told, self.changed) = (told, true);
    }

    /// The standing, if it has to be written.
    pub(crate) fn take_changed(&mut self) -> Option<Standing> {
        std::mem::take(&mut self.changed).then(|| self.standing.clone())
    }

    /// The channel answered, though it did not take the message. Once the spaces were told, only an arrival resets the count.
    fn was_answered(&mut self) {
        if !self.standing.never_answers() {
            self.standing.unanswered = 0;
        }
    }

    fn fail(&mut self, error: &str, now: Moment) {
        self.changed = true;
        self.standing.failures += 1;
        self.standing.failing_since.get_or_insert(now.wall);
        self.standing.last_error = Some(error.to_owned());
    }

    /// After a minute, two, four … at most an hour, and up to a tenth more, so that many do not knock at once.
    fn next_probe(&mut self, random: &dyn Random) -> Duration {
        let probes = self.standing.block.as_mut().map_or(0, |block| {
            block.probes += 1;
            block.probes - 1
        });
        let Patience {
            probe_first,
            probe_max,
            ..
        } = self.patience;
        doubled(probe_first, probe_max, probes, random)
    }

    fn wait(&mut self, length: Duration, asked: bool, now: Moment) {
        self.changed = true;
        self.resume_at = Some(now.instant + length);
        self.standing.wait = Some(now.wait(length, asked));
    }
}

#[cfg(test)]
mod tests;
