//! One request of a destination: whether it may still be made, and what came of it.

use std::sync::Arc;

use alert_connectors_model::{Attempt, AttemptId, SpaceId};
use alert_connectors_store::{Fence, NextStep};
use tokio::time::Instant;

use super::{Destination, planning::Planned};
use crate::{
    Family, PostError, Verdict,
    conduct::{Blame, Turn},
    decide::{Decided, Request, decide},
    engine::Inner,
    judge::{Sending, blame, judge, outcome_of, reason_of, tell},
    line::Line,
    load::Load,
    record::Ended,
};

/// A request that was made: what it carried and for whom, by which right, and whose fault it may be if it failed.
struct Sent {
    planned: Planned,
    fence: Fence,
    blame: Blame,
}

impl Destination {
    /// Makes one attempt with the oldest delivery, or with a digest of what waits for its connector.
    pub(super) async fn send_next(self: &Arc<Self>, inner: &Arc<Inner>, line: &mut Line) {
        // Nothing is sent that could not be recorded. Cancelling the wait loses nothing.
        if *inner.held.borrow() {
            let mut sending = inner.held.subscribe();
            tokio::select! {
                _free = sending.wait_for(|held| !held) => {}
                () = inner.stopping.cancelled() => return,
            }
        }
        if line.permit.is_none() {
            let space = self.next_space();
            line.permit = inner.connections.take(space, &inner.stopping).await;
            if line.permit.is_none() {
                return;
            }
        }
        self.state().under_way = true;
        self.send(inner, line).await;
        self.state().under_way = false;
        self.calm.notify_waiters();
    }

    /// The space whose message goes next. Where only messages wait that are set aside, which are read when they are sent, all
    /// such destinations count as one space.
    fn next_space(&self) -> SpaceId {
        let state = self.state();
        let front = state.window.front();
        front.map_or(SpaceId::from_bytes([0; 16]), |waiting| waiting.due.space.id)
    }

    /// Makes the request, if there is anything to send.
    async fn send(self: &Arc<Self>, inner: &Arc<Inner>, line: &mut Line) {
        let Some(planned) = self.plan(inner).await else {
            return;
        };
        let load = &planned.load;
        let Some(connector) = load.connector().map(Arc::clone) else {
            return;
        };
        let url = &connector.webhook_url;
        line.prepare(url);
        let body = load.body();
        let (started_at, started) = (inner.now(), Instant::now());
        line.close_if_idle_for_long(started);
        let Some(fence) = self.begin(started) else {
            // It is still owed, and read again by whoever may send it.
            return;
        };
        let (sender, limit) = (&inner.sender, inner.sender.limits.request);
        let outcome = match &line.head {
            Some((_, head)) => sender.post(url, head, &mut line.link, body, limit).await,
            None => Err(PostError::NotConnected),
        };
        let family = Family::of(connector.connector_type, url.host());
        let sending = Sending {
            form: load.form(),
            attempts: load.attempts(),
            url,
        };
        let (verdict, status_code) = judge(family, &outcome, &sending, started_at);
        let took = started.elapsed();
        line.used(started + took);
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
        tell(load, &attempt);
        inner
            .meters
            .attempted(connector.connector_type, attempt.outcome, load.size(), took);
        let sent = Sent {
            planned,
            fence,
            blame: blame(&outcome),
        };
        self.conclude(inner, sent, &verdict, attempt).await;
    }

    /// Counts a request that begins; the right by which it is made, if this server still has one.
    fn begin(&self, now: Instant) -> Option<Fence> {
        let mut state = self.state();
        if !state.tenure.holds(now) {
            return None;
        }
        if let Some(conduct) = &mut state.conduct {
            conduct.posted(now);
        }
        state.tenure.fence()
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
            planned,
            fence,
            blame,
        } = sent;
        let request = Request {
            load: &planned.load,
            turn: planned.turn,
            blame,
        };
        let (now, random) = (inner.moment(), &*inner.random);
        let decided = decide(
            self.state().conduct.as_mut(),
            &request,
            verdict,
            now,
            random,
        );
        let attempt = Arc::new(attempt);
        let mut outcomes = planned.load.outcomes(&attempt, decided.next);
        outcomes.extend(decided.set_aside.clone());
        // It is put back before it can be recorded, so that the queue never looks empty.
        self.put_back(planned, &decided);
        let ended = Ended {
            destination: Arc::clone(self),
            fence,
            outcomes,
            revived: decided.revived,
        };
        drop(inner.recorder.send(ended).await);
        if decided.turned {
            inner.settle(Arc::clone(self)).await;
        }
    }

    /// Puts a message back that is to be tried again from its place; all else is let go of, and read from disk again where
    /// it is still owed.
    fn put_back(&self, planned: Planned, decided: &Decided) {
        let mut state = self.state();
        state.unrecorded += 1;
        let (generation, turn) = (planned.generation, planned.turn);
        let waits = matches!(decided.next, NextStep::Again { .. });
        let alone = planned.load.size() == 1;
        let has_place = alone && waits && turn != Turn::SetAside;
        if let Load::Message(load) = planned.load {
            for mut waiting in load {
                if let NextStep::Again { form, .. } = decided.next {
                    (waiting.due.form, waiting.due.attempts) = (form, waiting.due.attempts + 1);
                }
                if has_place {
                    state.window.put_back(waiting, generation);
                }
            }
        }
        // The follow-ups behind a set-aside message are only on disk.
        let was_set_aside = turn == Turn::SetAside && !waits;
        if turn != Turn::SetAside && !alone && waits || was_set_aside || !decided.revived.is_empty()
        {
            state.window.forget();
        }
        if matches!(turn, Turn::Trial(_)) && !waits {
            state.take_out_set_aside();
        }
    }
}
