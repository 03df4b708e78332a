//! Whose turn it is at a destination: the front of the queue, another in its place, or a message that is set aside.

use alert_connectors_store::{PendingDelivery, SetAside};
use tokio::time::Instant;

use super::State;
use crate::{
    context::Context,
    send_policy::{MessageRef, Moment, SendPolicy},
};

/// Whose turn it is, and what belongs to that.
#[derive(Debug, Clone, Copy)]
pub(super) enum NextMessage {
    Front,
    /// Another message goes in the place of this one, after this many that failed.
    InPlaceOf(MessageRef, u32),
    SetAside(SetAside),
}

impl State {
    /// Whether a delivery is set aside, or waits behind one that is.
    pub(super) fn is_set_aside(&self, due: &PendingDelivery) -> bool {
        let policy = self.policy.as_ref();
        policy.is_some_and(|policy| policy.is_set_aside(due.alert_id, due.connector.id))
    }

    pub(super) fn has_set_aside(&self) -> bool {
        let policy = self.policy.as_ref();
        policy.is_some_and(|policy| !policy.health().failing.set_aside.is_empty())
    }

    /// The message that was set aside and whose time comes first, and when.
    pub(super) fn next_set_aside(
        &self,
        context: &Context,
        now: Instant,
    ) -> Option<(SetAside, Instant)> {
        let policy = self.policy.as_ref()?;
        // Nearly always there is none, and no need to ask for the time.
        let moment = || Moment {
            wall: context.now(),
            instant: now,
        };
        self.has_set_aside()
            .then(|| policy.next_set_aside(moment()))?
    }

    /// The set-aside message that goes next, if it is its turn. The queue gets every other turn; while the destination is
    /// blocked, every turn, as probes.
    pub(super) fn turn_of_set_aside(
        &self,
        next: Option<(SetAside, Instant)>,
        now: Instant,
    ) -> Option<SetAside> {
        let (one, due) = next?;
        let is_blocked = self.policy.as_ref().is_some_and(SendPolicy::is_blocked);
        let is_queues_turn = self.window.front().is_some() && (self.was_set_aside || is_blocked);
        (due <= now && !is_queues_turn).then_some(one)
    }

    /// The message at the front, if it is suspected and another may go in its place; and how many went in vain.
    pub(super) fn suspect_at_front(&self) -> Option<(MessageRef, u32)> {
        let front = &self.window.front()?.delivery;
        let suspect = self.policy.as_ref()?.trial_of()?;
        (suspect.seq == front.seq).then(|| (MessageRef::of(front), suspect.trials))
    }

    /// Takes what is set aside out of the window.
    pub(super) fn remove_set_aside(&mut self) {
        let Some(policy) = &self.policy else {
            return;
        };
        let is_out = |due: &PendingDelivery| policy.is_set_aside(due.alert_id, due.connector.id);
        self.window.remove_where(is_out);
    }

    /// Whose turn it is.
    pub(super) fn next(&self, context: &Context, now: Instant) -> NextMessage {
        if let Some(one) = self.turn_of_set_aside(self.next_set_aside(context, now), now) {
            return NextMessage::SetAside(one);
        }
        match self.suspect_at_front() {
            Some((suspect, tried)) if self.window.has_other() => {
                NextMessage::InPlaceOf(suspect, tried)
            }
            _ => NextMessage::Front,
        }
    }

    /// The first delivery of the next digest and how many it holds at most; `None` if the next request is a single message.
    /// The digest begins with the delivery that would go alone, so that its connector has something to send.
    pub(super) fn digest_of(&self, next: NextMessage, now: Instant) -> Option<(i64, usize)> {
        let policy = self.policy.as_ref()?;
        let tokens = policy.tokens(now)?;
        let crowded = self.window.len() > tokens && !policy.is_blocked();
        let first = match next {
            NextMessage::InPlaceOf(..) => self.window.first_other(),
            NextMessage::Front | NextMessage::SetAside(_) => self.window.front(),
        };
        (crowded && policy.digest_max() > 1).then_some((first?.delivery.seq, policy.digest_max()))
    }
}
