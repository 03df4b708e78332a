//! One request of a destination: what it carries, whether it may still be made, and what came of it.

use std::sync::{Arc, atomic::Ordering};

use alert_connectors_message::DIGEST_ITEMS_MAX;
use alert_connectors_model::{Attempt, AttemptId, DeliveryKind};
use alert_connectors_store::{NextStep, Opening, Outcome};
use tokio::time::Instant;

use super::{Destination, forget};
use crate::{
    Family, PostError, Verdict,
    decide::decide,
    engine::Inner,
    judge::{judge, outcome_of, reason_of, tell},
    line::Line,
    load::{Batch, Load, cancelled},
    record::Ended,
    window::Waiting,
};

/// What a request carried, in which window it was found, and under which lease it was made.
struct Sent {
    load: Load,
    generation: u64,
    lease: Option<i64>,
}

impl Destination {
    /// Makes one attempt with the oldest delivery, or with a digest of what waits for its connector.
    pub(super) async fn send_next(self: &Arc<Self>, inner: &Arc<Inner>, line: &mut Line) {
        let mut sending = inner.held.subscribe();
        tokio::select! {
            // Nothing is sent that could not be recorded. Cancelling this loses nothing.
            _free = sending.wait_for(|held| !held) => {}
            () = inner.stopping.cancelled() => return,
        }
        if line.permit.is_none() {
            line.permit = inner.connections.take(&inner.stopping).await;
            if line.permit.is_none() {
                return;
            }
        }
        self.state().under_way = true;
        self.send(inner, line).await;
        self.state().under_way = false;
        self.calm.notify_waiters();
    }

    /// Makes the request, if there is anything to send.
    async fn send(self: &Arc<Self>, inner: &Arc<Inner>, line: &mut Line) {
        let Some((load, generation)) = self.plan(inner).await else {
            return;
        };
        let Some(connector) = load.connector().map(Arc::clone) else {
            return;
        };
        let url = &connector.webhook_url;
        line.prepare(url);
        let body = load.body();
        let lease = {
            let state = self.state();
            if !state.tenure.holds(Instant::now()) {
                drop(state);
                put_down(load, inner);
                return;
            }
            state.tenure.lease().map(|lease| lease.number)
        };
        let (started_at, started) = (inner.now(), Instant::now());
        if let Some(conduct) = &mut self.state().conduct {
            conduct.posted(started);
        }
        let outcome = match &line.head {
            Some((_, head)) => inner.sender.post(url, head, &mut line.link, body).await,
            None => Err(PostError::Broken),
        };
        let family = Family::of(connector.connector_type, url.host());
        let (verdict, status_code) =
            judge(family, &outcome, load.form(), load.attempts(), started_at);
        let took = started.elapsed();
        line.used();
        if line.link.is_none() || inner.connections.are_wanted() {
            line.hang_up();
        }
        let attempt = Attempt {
            id: AttemptId::new(started_at, &*inner.random),
            started_at,
            duration_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
            outcome: outcome_of(&verdict),
            status_code,
            error: reason_of(&verdict).map(ToString::to_string),
            digest_size: u32::try_from(load.size()).unwrap_or(u32::MAX),
        };
        tell(&load, &attempt);
        inner
            .meters
            .attempted(connector.connector_type, attempt.outcome, load.size(), took);
        let sent = Sent {
            load,
            generation,
            lease,
        };
        self.conclude(inner, sent, &verdict, attempt).await;
    }

    /// What the next request carries; nothing if it turned out that there is nothing to send.
    async fn plan(self: &Arc<Self>, inner: &Arc<Inner>) -> Option<(Load, u64)> {
        let at_most = self.state().digest_of();
        if let Some(at_most) = at_most {
            let (expiry, fingerprint) = (inner.expiry(), self.fingerprint);
            let bundle = inner
                .store
                .bundle(fingerprint, at_most, DIGEST_ITEMS_MAX, expiry);
            match bundle.await {
                Ok(Some(bundle)) if bundle.parcels.len() > 1 => {
                    let batch = Batch::of(bundle, inner.public_url.as_deref());
                    let cancelled = batch.cancelled(inner.now());
                    let generation = {
                        let mut state = self.state();
                        forget(&mut state.window, inner);
                        state.window.generation()
                    };
                    if !cancelled.is_empty() {
                        self.report(inner, cancelled, Vec::new()).await;
                    }
                    return Some((Load::Digest(batch), generation));
                }
                Ok(_few) => {}
                Err(error) => {
                    self.unreadable(&error).await;
                    return None;
                }
            }
        }
        let (waiting, generation) = self.take(inner)?;
        if waiting.due.kind != DeliveryKind::Opening && waiting.due.opening != Opening::Arrived {
            let seq = waiting.due.seq;
            match inner.store.opening(seq, inner.expiry()).await {
                Ok(Opening::Arrived) => {}
                Ok(Opening::Waits | Opening::Missed) => {
                    let outcomes = vec![cancelled(seq, inner.now())];
                    inner
                        .weight
                        .fetch_sub(waiting.letter.weight(), Ordering::Relaxed);
                    self.report(inner, outcomes, Vec::new()).await;
                    return None;
                }
                Err(error) => {
                    self.put_back(waiting, generation, inner);
                    self.unreadable(&error).await;
                    return None;
                }
            }
        }
        let mut load = vec![waiting];
        let followers = load
            .first()
            .map(|first| self.state().window.take_followers(&first.due));
        load.extend(followers.unwrap_or_default());
        Some((Load::Message(load), generation))
    }

    /// The oldest delivery whose time is not up.
    fn take(&self, inner: &Inner) -> Option<(Waiting, u64)> {
        let expiry = inner.expiry();
        let mut state = self.state();
        let repaired_at = state
            .conduct
            .as_ref()
            .and_then(|conduct| conduct.standing().repaired_at);
        while let Some((waiting, generation)) = state.window.take() {
            if !expiry.is_up(waiting.due.queued_at, repaired_at) {
                return Some((waiting, generation));
            }
            inner
                .weight
                .fetch_sub(waiting.letter.weight(), Ordering::Relaxed);
        }
        None
    }

    fn put_back(&self, waiting: Waiting, generation: u64, inner: &Inner) {
        let weight = waiting.letter.weight();
        if !self.state().window.put_back(waiting, generation) {
            inner.weight.fetch_sub(weight, Ordering::Relaxed);
        }
    }

    /// Passes outcomes on to be recorded.
    async fn report(self: &Arc<Self>, inner: &Inner, outcomes: Vec<Outcome>, revived: Vec<i64>) {
        self.state().unrecorded += 1;
        let ended = Ended {
            destination: Arc::clone(self),
            lease: self.lease_number(),
            outcomes,
            revived,
        };
        // The recorder ends only with the store; what it did not record is sent again after the next start.
        drop(inner.recorder.send(ended).await);
    }

    /// Decides how it goes on, passes the outcome on to be recorded, and puts back what is to be tried again.
    async fn conclude(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        sent: Sent,
        verdict: &Verdict,
        attempt: Attempt,
    ) {
        let Sent {
            load,
            generation,
            lease,
        } = sent;
        let now = inner.moment();
        let decided = decide(
            self.state().conduct.as_mut(),
            &load,
            verdict,
            now,
            &*inner.random,
        );
        let attempt = Arc::new(attempt);
        let outcomes = load.outcomes(&attempt, decided.next);
        let waits = matches!(decided.next, NextStep::Again { .. });
        // It is put back before it can be recorded, so that the queue never looks empty.
        {
            let mut state = self.state();
            state.unrecorded += 1;
            let alone = load.size() == 1;
            if let Load::Message(load) = load {
                for mut waiting in load {
                    let weight = waiting.letter.weight();
                    if let NextStep::Again { form, .. } = decided.next {
                        (waiting.due.form, waiting.due.attempts) = (form, waiting.due.attempts + 1);
                    }
                    if !(alone && waits && state.window.put_back(waiting, generation)) {
                        inner.weight.fetch_sub(weight, Ordering::Relaxed);
                    }
                }
            }
            if !alone && waits || !decided.revived.is_empty() {
                forget(&mut state.window, inner);
            }
        }
        let ended = Ended {
            destination: Arc::clone(self),
            lease,
            outcomes,
            revived: decided.revived,
        };
        drop(inner.recorder.send(ended).await);
        if decided.turned {
            inner.settle(Arc::clone(self)).await;
        }
    }
}

/// Lets go of what was to be sent: it is still owed, and read again by whoever sends it.
fn put_down(load: Load, inner: &Inner) {
    if let Load::Message(load) = load {
        for waiting in load {
            let weight = waiting.letter.weight();
            inner.weight.fetch_sub(weight, Ordering::Relaxed);
        }
    }
}
