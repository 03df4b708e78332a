//! What the next request of a destination carries: the message at the front, another in its place, one that was set aside, or
//! a digest.

use std::sync::Arc;

use alert_connectors_message::DIGEST_ITEMS_MAX;
use alert_connectors_model::DeliveryKind;
use alert_connectors_store::{Bundle, Form, Opening, Outcome, SetAside};
use tokio::time::Instant;

use super::{Destination, turn::Next, work::REFILL};
use crate::{
    conduct::{Culprit, Turn},
    engine::Inner,
    load::{Batch, Load, cancelled},
    record::Ended,
    window::{Waiting, Window},
};

/// A request that is to be made.
pub(super) struct Planned {
    pub(super) load: Load,
    pub(super) turn: Turn,
    /// The window in which it was found.
    pub(super) generation: u64,
}

impl Destination {
    /// What the next request carries; nothing if it turned out that there is nothing to send.
    pub(super) async fn plan(self: &Arc<Self>, inner: &Arc<Inner>) -> Option<Planned> {
        let (next, digest) = {
            let now = Instant::now();
            let mut state = self.state();
            let next = state.next(inner, now);
            state.was_set_aside = matches!(next, Next::SetAside(_));
            (next, state.digest_of(next, now))
        };
        let suspect = match next {
            Next::SetAside(one) => return self.plan_set_aside(one, inner).await,
            Next::InPlaceOf(suspect, _) => Some(suspect),
            Next::Front => None,
        };
        if let Some((from, at_most)) = digest {
            match self.plan_digest(from, at_most, suspect, inner).await {
                Digest::Planned(planned) => return Some(*planned),
                Digest::Unreadable => return None,
                Digest::TooFew => {}
            }
        }
        let (waiting, generation) = match next {
            Next::InPlaceOf(_, tried) => self.take(inner, |window| window.take_other(tried))?,
            _ => self.take(inner, Window::take)?,
        };
        self.plan_message(waiting, generation, suspect, inner).await
    }

    async fn plan_digest(
        self: &Arc<Self>,
        from: i64,
        at_most: usize,
        suspect: Option<Culprit>,
        inner: &Arc<Inner>,
    ) -> Digest {
        let (expiry, fingerprint) = (inner.expiry(), self.fingerprint);
        let read = inner
            .store
            .bundle(fingerprint, from, at_most, DIGEST_ITEMS_MAX, expiry);
        let bundle = match read.await {
            Ok(bundle) => bundle.map(|bundle| self.without_failing(bundle, suspect)),
            Err(error) => {
                self.unreadable(&error).await;
                return Digest::Unreadable;
            }
        };
        let Some(bundle) = bundle.filter(|bundle| bundle.parcels.len() > 1) else {
            return Digest::TooFew;
        };
        let batch = Batch::of(bundle, inner.public_url.as_deref());
        let cancelled = batch.cancelled(inner.now());
        let generation = {
            let mut state = self.state();
            state.window.forget();
            state.window.generation()
        };
        if !cancelled.is_empty() {
            self.report(inner, cancelled).await;
        }
        Digest::Planned(Box::new(Planned {
            load: Load::Digest(batch),
            turn: suspect.map_or(Turn::Front, Turn::Trial),
            generation,
        }))
    }

    /// What a digest may carry without the messages that fail by themselves.
    fn without_failing(&self, mut bundle: Bundle, suspect: Option<Culprit>) -> Bundle {
        let state = self.state();
        let connector_id = bundle.connector.id;
        bundle.parcels.retain(|parcel| {
            let is_suspect = suspect.is_some_and(|one| one.is_about(parcel.alert_id, connector_id));
            let is_set_aside = state
                .conduct
                .as_ref()
                .is_some_and(|conduct| conduct.is_set_aside(parcel.alert_id, connector_id));
            !is_suspect && !is_set_aside
        });
        bundle
    }

    async fn plan_message(
        self: &Arc<Self>,
        waiting: Waiting,
        generation: u64,
        suspect: Option<Culprit>,
        inner: &Arc<Inner>,
    ) -> Option<Planned> {
        if waiting.due.kind != DeliveryKind::Opening && waiting.due.opening != Opening::Arrived {
            let seq = waiting.due.seq;
            match inner.store.opening(seq, inner.expiry()).await {
                Ok(Opening::Arrived) => {}
                Ok(Opening::Waits | Opening::Missed) => {
                    let outcomes = vec![cancelled(seq, inner.now())];
                    self.report(inner, outcomes).await;
                    return None;
                }
                Err(error) => {
                    self.state().window.put_back(waiting, generation);
                    self.unreadable(&error).await;
                    return None;
                }
            }
        }
        let followers = self.state().window.take_followers(&waiting.due);
        let mut load = vec![waiting];
        load.extend(followers);
        Some(Planned {
            load: Load::Message(load),
            turn: suspect.map_or(Turn::Front, Turn::Trial),
            generation,
        })
    }

    /// A message that was set aside, with the follow-ups that wait behind it. It is read from disk, where it stands in its
    /// place as if nothing had happened.
    async fn plan_set_aside(
        self: &Arc<Self>,
        one: SetAside,
        inner: &Arc<Inner>,
    ) -> Option<Planned> {
        let read = inner
            .store
            .due(self.fingerprint, one.seq - 1, REFILL, inner.expiry());
        let mut read = match read.await {
            Ok(read) => read,
            Err(error) => {
                self.unreadable(&error).await;
                return None;
            }
        };
        read.retain(|due| due.alert_id == one.alert_id && due.connector.id == one.connector_id);
        if read.first().is_none_or(|first| first.seq != one.seq) {
            // It has expired, was cancelled, or is owed to another webhook by now.
            self.conduct(inner, |conduct| conduct.forget_set_aside(one.seq))
                .await;
            self.state().window.forget();
            return None;
        }
        for due in &mut read {
            due.form = Form::Plain;
        }
        Some(Planned {
            load: Load::Message(inner.letters(read)),
            turn: Turn::SetAside,
            generation: self.state().window.generation(),
        })
    }

    /// The first delivery that `next` takes out and whose time is not up.
    fn take(
        &self,
        inner: &Inner,
        next: impl Fn(&mut Window) -> Option<(Waiting, u64)>,
    ) -> Option<(Waiting, u64)> {
        let expiry = inner.expiry();
        let mut state = self.state();
        let repaired_at = state
            .conduct
            .as_ref()
            .and_then(|conduct| conduct.standing().repaired_at);
        while let Some((waiting, generation)) = next(&mut state.window) {
            if !expiry.is_up(waiting.due.queued_at, repaired_at) {
                return Some((waiting, generation));
            }
        }
        None
    }

    /// Passes outcomes on to be recorded. After a lost lease they are dropped: the server that holds it now reaches the same ones.
    async fn report(self: &Arc<Self>, inner: &Inner, outcomes: Vec<Outcome>) {
        let fence = {
            let mut state = self.state();
            let Some(fence) = state.tenure.fence() else {
                return;
            };
            state.unrecorded += 1;
            fence
        };
        let ended = Ended {
            destination: Arc::clone(self),
            fence,
            outcomes,
            revived: Vec::new(),
        };
        // The recorder ends only with the store; what it did not record is sent again after the next start.
        drop(inner.recorder.send(ended).await);
    }
}

/// What became of planning a digest.
enum Digest {
    Planned(Box<Planned>),
    /// There is one delivery or none.
    TooFew,
    /// The store could not be read.
    Unreadable,
}
