//! What the next request of a destination carries: the message at the front, another in its place, one that was set aside, or
//! a digest.

use std::sync::Arc;

use alert_connectors_feed::SpaceEvent;
use alert_connectors_message::DIGEST_ITEMS_MAX;
use alert_connectors_model::{DeliveryKind, SpaceId};
use alert_connectors_store::{BatchQuery, DigestBatch, Form, OpeningState, Outcome, SetAside};
use tokio::time::Instant;

use super::{
    Destination,
    reading::{REFILL, queue_all},
    turn::NextMessage,
    window::{QueuedDelivery, Window},
};
use crate::{
    context::Context,
    payload::{DigestPayload, Payload, cancelled},
    recorder::CompletedRequest,
    send_policy::{MessageRef, Turn},
};

/// A request that is to be made.
pub(super) struct Planned {
    pub(super) payload: Payload,
    pub(super) turn: Turn,
    /// The window in which it was found.
    pub(super) generation: u64,
}

impl Destination {
    /// What the next request carries; nothing if it turned out that there is nothing to send.
    pub(super) async fn plan(self: &Arc<Self>, context: &Arc<Context>) -> Option<Planned> {
        let (next, digest) = {
            let now = Instant::now();
            let mut state = self.state();
            let next = state.next(context, now);
            state.was_set_aside = matches!(next, NextMessage::SetAside(_));
            (next, state.digest_of(next, now))
        };
        let suspect = match next {
            NextMessage::SetAside(one) => return self.plan_set_aside(one, context).await,
            NextMessage::InPlaceOf(suspect, _) => Some(suspect),
            NextMessage::Front => None,
        };
        if let Some((from, at_most)) = digest {
            match self.plan_digest(from, at_most, suspect, context).await {
                Digest::Planned(planned) => return Some(*planned),
                Digest::Unreadable => return None,
                Digest::TooFew => {}
            }
        }
        let (queued, generation) = match next {
            NextMessage::InPlaceOf(_, tried) => {
                self.pop_unexpired(context, |window| window.pop_other(tried))?
            }
            NextMessage::Front | NextMessage::SetAside(_) => {
                self.pop_unexpired(context, Window::pop_front)?
            }
        };
        self.plan_message(queued, generation, suspect, context)
            .await
    }

    async fn plan_digest(
        self: &Arc<Self>,
        from: i64,
        at_most: usize,
        suspect: Option<MessageRef>,
        context: &Arc<Context>,
    ) -> Digest {
        let (expiry, fingerprint) = (context.expiry(), self.fingerprint);
        let query = BatchQuery {
            from,
            at_most,
            in_full: DIGEST_ITEMS_MAX,
            expiry,
        };
        let read = context.store.digest_batch(fingerprint, query);
        let batch = match read.await {
            Ok(batch) => batch.map(|batch| self.without_failing(batch, suspect)),
            Err(error) => {
                self.unreadable(&error).await;
                return Digest::Unreadable;
            }
        };
        let Some(batch) = batch.filter(|batch| batch.entries.len() > 1) else {
            return Digest::TooFew;
        };
        let batch = DigestPayload::of(batch, context.public_url.as_deref());
        let cancelled = batch.cancelled(context.now());
        let generation = {
            let mut state = self.state();
            state.window.reset();
            state.window.generation()
        };
        if !cancelled.is_empty() {
            self.report(context, batch.space(), cancelled).await;
        }
        Digest::Planned(Box::new(Planned {
            payload: Payload::Digest(batch),
            turn: suspect.map_or(Turn::Front, Turn::Trial),
            generation,
        }))
    }

    /// What a digest may carry without the messages that fail by themselves.
    fn without_failing(&self, mut batch: DigestBatch, suspect: Option<MessageRef>) -> DigestBatch {
        let state = self.state();
        let connector_id = batch.connector.id;
        batch.entries.retain(|entry| {
            let is_suspect = suspect.is_some_and(|one| one.is_about(entry.alert_id, connector_id));
            let is_set_aside = state
                .policy
                .as_ref()
                .is_some_and(|policy| policy.is_set_aside(entry.alert_id, connector_id));
            !is_suspect && !is_set_aside
        });
        batch
    }

    async fn plan_message(
        self: &Arc<Self>,
        queued: QueuedDelivery,
        generation: u64,
        suspect: Option<MessageRef>,
        context: &Arc<Context>,
    ) -> Option<Planned> {
        if queued.delivery.kind != DeliveryKind::Opening
            && queued.delivery.opening != OpeningState::Arrived
        {
            let seq = queued.delivery.seq;
            match context.store.opening(seq, context.expiry()).await {
                Ok(OpeningState::Arrived) => {}
                Ok(OpeningState::Pending | OpeningState::Undelivered) => {
                    let outcomes = vec![cancelled(seq, context.now())];
                    let space = queued.delivery.space.id;
                    self.report(context, space, outcomes).await;
                    return None;
                }
                Err(error) => {
                    self.state().window.put_back(queued, generation);
                    self.unreadable(&error).await;
                    return None;
                }
            }
        }
        let followers = self.state().window.remove_followers(&queued.delivery);
        let mut message = vec![queued];
        message.extend(followers);
        Some(Planned {
            payload: Payload::Message(message),
            turn: suspect.map_or(Turn::Front, Turn::Trial),
            generation,
        })
    }

    /// Plans a message that was set aside, with the follow-ups behind it. It is read from disk, where it has kept its place.
    async fn plan_set_aside(
        self: &Arc<Self>,
        one: SetAside,
        context: &Arc<Context>,
    ) -> Option<Planned> {
        let read = context
            .store
            .pending(self.fingerprint, one.seq - 1, REFILL, context.expiry());
        let mut read = match read.await {
            Ok(read) => read,
            Err(error) => {
                self.unreadable(&error).await;
                return None;
            }
        };
        read.retain(|due| due.alert_id == one.alert_id && due.connector.id == one.connector_id);
        if read.first().is_none_or(|first| first.seq != one.seq) {
            // It has expired, was cancelled, or is pending for another webhook by now.
            self.update_policy(context, |policy| policy.forget_set_aside(one.seq))
                .await;
            self.state().window.reset();
            return None;
        }
        for due in &mut read {
            due.form = Form::Plain;
        }
        Some(Planned {
            payload: Payload::Message(queue_all(context, read)),
            turn: Turn::SetAside,
            generation: self.state().window.generation(),
        })
    }

    /// The first delivery that `next` takes out and whose time is not up.
    fn pop_unexpired(
        &self,
        context: &Context,
        next: impl Fn(&mut Window) -> Option<(QueuedDelivery, u64)>,
    ) -> Option<(QueuedDelivery, u64)> {
        let expiry = context.expiry();
        let mut state = self.state();
        let repaired_at = state
            .policy
            .as_ref()
            .and_then(|policy| policy.health().repaired_at);
        while let Some((queued, generation)) = next(&mut state.window) {
            if !expiry.is_up(queued.delivery.queued_at, repaired_at) {
                return Some((queued, generation));
            }
        }
        None
    }

    /// Reports outcomes of deliveries that were not sent. Without a lease they are dropped: the new holder decides
    /// the same.
    async fn report(self: &Arc<Self>, context: &Context, space: SpaceId, outcomes: Vec<Outcome>) {
        let (fence, unrecorded) = {
            let mut state = self.state();
            let Some(fence) = state.ownership.fence() else {
                return;
            };
            (fence, Box::new(self.unrecorded(&mut state)))
        };
        let cancelled = CompletedRequest {
            unrecorded,
            fence,
            outcomes,
            revived: Vec::new(),
            // They are known by their places only.
            events: vec![(space, SpaceEvent::Resync)],
        };
        drop(context.recorder.send(cancelled).await);
    }
}

/// The result of planning a digest.
enum Digest {
    Planned(Box<Planned>),
    /// There is one delivery or none.
    TooFew,
    /// The store could not be read.
    Unreadable,
}
