//! One message does not stop the others: which message goes next where one keeps failing, and what its failures mean.
//!
//! ```text
//!             fails                    fails 3 times in a row, others wait
//!   front ───────────► suspect ──────────────────────────────────────────► trial: another message goes first
//!     ▲                   │                                                   │
//!     │  arrives          │ arrives                          fails, too       │ arrives
//!     └───────────────────┘        ◄──── the channel is at fault ─────────────┤
//!                                        (the suspect goes on in its place)   ▼
//!                                                             the suspect is set aside: it is tried on a schedule of its
//!                                                             own, in its plain form, until it arrives or its time is up
//! ```

use std::time::Duration;

use alert_connectors_model::{AlertId, ConnectorId, Random};
use alert_connectors_store::{PendingDelivery, SET_ASIDE_MAX, SetAside, Suspect};
use tokio::time::Instant;

use super::{Moment, SendPolicy};
use crate::backoff::{RETRY_AFTER_MAX, backoff, unanswered_wait};

/// After this many failures in a row another message is tried in its place.
const TRIAL_AFTER: u32 = 3;

/// In whose place a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The message at the front of the queue.
    Front,
    /// Another message in the place of this one, which stands at the front and is suspected.
    Trial(MessageRef),
    /// A message that is set aside.
    SetAside,
}

/// Identifies a message: its place, its alert and its connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageRef {
    pub(crate) seq: i64,
    pub(crate) alert_id: AlertId,
    pub(crate) connector_id: ConnectorId,
}

impl MessageRef {
    pub(crate) fn of(due: &PendingDelivery) -> Self {
        Self {
            seq: due.seq,
            alert_id: due.alert_id,
            connector_id: due.connector.id,
        }
    }

    /// Returns whether a delivery is for the same alert and connector.
    pub(crate) fn is_about(&self, alert_id: AlertId, connector_id: ConnectorId) -> bool {
        self.alert_id == alert_id && self.connector_id == connector_id
    }
}

/// Whose fault a failure may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The channel's: nothing of the message was sent.
    Channel,
    /// The message's or the channel's.
    Either,
}

/// How a message that is set aside failed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetAsideFailure {
    /// It was sent whole, and its result is unknown.
    Unanswered,
    /// The attempt failed in another way. The next one waits at least `asked`, as the channel asks.
    Other { asked: Duration },
}

impl SendPolicy {
    /// The suspect, where it is time to try another message in its place; with the number of trials before.
    pub(crate) fn trial_of(&self) -> Option<Suspect> {
        let may_set_aside = self.health.failing.set_aside.len() < SET_ASIDE_MAX;
        self.health
            .failing
            .suspect
            .filter(|suspect| suspect.failures >= TRIAL_AFTER && may_set_aside)
    }

    /// Whether a delivery is set aside, or waits behind one that is.
    pub(crate) fn is_set_aside(&self, alert_id: AlertId, connector_id: ConnectorId) -> bool {
        self.health.failing.contains(alert_id, connector_id)
    }

    /// The message that was set aside and whose time comes first, and when.
    pub(crate) fn next_set_aside(&self, now: Moment) -> Option<(SetAside, Instant)> {
        let all = self.health.failing.set_aside.iter();
        all.map(|one| (*one, now.end_of(&one.wait)))
            .min_by_key(|(_, due)| *due)
    }

    /// A message that was set aside is no longer pending.
    pub(crate) fn forget_set_aside(&mut self, seq: i64) {
        self.health.failing.set_aside.retain(|one| one.seq != seq);
        self.changed = true;
    }

    /// Counts a failure of the suspect, or of the trial that was made in its place.
    pub(crate) fn suspect(&mut self, seq: i64, blame: Blame, turn: Turn) {
        let failing = &mut self.health.failing;
        let known = failing.suspect;
        failing.suspect = match (turn, blame) {
            // The other failed likewise, so it is the channel's fault; the next trial is made with yet another message.
            (Turn::Trial(_), _) => known.map(|suspect| Suspect {
                failures: 0,
                trials: suspect.trials.saturating_add(1),
                ..suspect
            }),
            (_, Blame::Channel) => known,
            (_, Blame::Either) => match known {
                Some(suspect) if suspect.seq == seq => Some(Suspect {
                    failures: suspect.failures.saturating_add(1),
                    ..suspect
                }),
                _ => Some(Suspect {
                    seq,
                    failures: 1,
                    trials: 0,
                }),
            },
        };
    }

    /// Another message arrived in the place of the suspect: the fault was the suspect's, which is set aside.
    pub(crate) fn set_aside(
        &mut self,
        culprit: MessageRef,
        now: Moment,
        random: &dyn Random,
    ) -> Option<SetAside> {
        let suspect = self.health.failing.suspect.take()?;
        let wait = match self.health.unanswered {
            0 => backoff(suspect.failures, self.backoff, random),
            _ => unanswered_wait(suspect.failures, self.backoff, random),
        };
        let one = SetAside {
            seq: culprit.seq,
            alert_id: culprit.alert_id,
            connector_id: culprit.connector_id,
            failures: suspect.failures,
            wait: now.wait(wait, false),
        };
        self.health.failing.set_aside.push(one);
        self.changed = true;
        Some(one)
    }

    /// A message that was set aside failed again, which says nothing of the channel. Says how long it is left alone.
    pub(crate) fn failed_again(
        &mut self,
        seq: i64,
        failure: SetAsideFailure,
        now: Moment,
        random: &dyn Random,
    ) -> Duration {
        let config = self.backoff;
        let mut all = self.health.failing.set_aside.iter_mut();
        let Some(one) = all.find(|one| one.seq == seq) else {
            return Duration::ZERO;
        };
        one.failures = one.failures.saturating_add(1);
        let wait = match failure {
            SetAsideFailure::Unanswered => unanswered_wait(one.failures, config, random),
            SetAsideFailure::Other { asked } => {
                backoff(one.failures, config, random).max(asked.min(RETRY_AFTER_MAX))
            }
        };
        one.wait = now.wait(wait, false);
        self.changed = true;
        wait
    }
}
