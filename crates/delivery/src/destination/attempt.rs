//! One attempt: the request to the webhook, and the report of its outcome.

use std::{sync::Arc, time::Duration};

use alert_connectors_feed::SpaceEvent;
use alert_connectors_model::{Attempt, AttemptId, Connector, DeliveryState, SpaceId};
use alert_connectors_store::{Disposition, Fence};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Destination, State, planning::Planned};
use crate::{
    Family, RequestError, Verdict,
    announcement::Announcement,
    answer::{Sending, blame, classify_result, outcome_of, reason_of},
    connection::{ConnectionSlot, Permit, WebhookResponse},
    context::Context,
    next_step::{NextStep, Request, next_step},
    payload::Payload,
    recorder::{CompletedRequest, Recording},
    send_policy::{Blame, Turn},
    space_events::SpaceEvents,
    spans,
};

/// A request that was made: what it carried and for whom, by which right, and whose fault it may be if it failed.
struct Sent {
    planned: Planned,
    fence: Fence,
    blame: Blame,
}

impl Destination {
    /// Makes one attempt with what is planned, once reports can be recorded and there is a connection for it.
    pub(super) async fn send_next(
        self: &Arc<Self>,
        context: &Arc<Context>,
        slot: &mut ConnectionSlot,
    ) {
        if *context.recording.borrow() == Recording::Paused {
            let mut recording = context.recording.subscribe();
            tokio::select! {
                // A wait that is cancelled loses nothing.
                _running = recording.wait_for(|state| *state == Recording::Running) => {}
                () = context.stopping.cancelled() => return,
            }
        }
        if slot.permit.is_none() {
            let space = self.next_space();
            slot.permit = context.connections.acquire(space, &context.stopping).await;
            if slot.permit.is_none() {
                return;
            }
        }
        let _until_it_ends = self.begin_request();
        self.attempt(context, slot).await;
    }

    /// The space whose message goes next. Messages that are set aside are read when they are sent: destinations that have only
    /// those count as one space.
    fn next_space(&self) -> SpaceId {
        let state = self.state();
        let front = state.window.front();
        front.map_or(SpaceId::from_bytes([0; 16]), |queued| {
            queued.delivery.space.id
        })
    }

    /// Plans a payload, posts it, and passes on what came of it.
    async fn attempt(self: &Arc<Self>, context: &Arc<Context>, slot: &mut ConnectionSlot) {
        let Some(planned) = self.plan(context).await else {
            return;
        };
        let Some(connector) = planned.payload.connector().map(Arc::clone) else {
            return;
        };
        slot.prepare(&connector.webhook_url);
        let (started_at, started) = (context.now(), Instant::now());
        let Some(fence) = self.begin(started) else {
            // It is still pending, and is read again by the server that holds the lease then.
            return;
        };
        let result = post(context, slot, &connector, &planned.payload, started).await;
        let took = started.elapsed();
        slot.used(started + took);
        if slot.connection.is_none() || slot.permit.as_ref().is_some_and(Permit::is_wanted) {
            slot.close();
        }
        let sent = Sent {
            fence,
            blame: blame(&result),
            planned,
        };
        let (verdict, attempt) = classified(
            context,
            &connector,
            &sent.planned.payload,
            &result,
            started_at,
            took,
        );
        let is_news = attempt.error.is_some() && self.state().is_news(started);
        log(&sent.planned.payload, &attempt, is_news);
        let size = sent.planned.payload.size();
        context
            .meters
            .attempted(connector.connector_type, attempt.outcome, size, took);
        self.conclude(context, sent, &verdict, attempt).await;
    }

    /// Counts a request that begins. Returns the right by which it is made, if this server still has one.
    fn begin(&self, now: Instant) -> Option<Fence> {
        let mut state = self.state();
        if !state.ownership.may_send(now) {
            return None;
        }
        if let Some(policy) = &mut state.policy {
            policy.posted(now);
        }
        state.ownership.fence()
    }

    /// Decides the next step, reports the outcome, and puts back what is retried.
    async fn conclude(
        self: &Arc<Self>,
        context: &Arc<Context>,
        sent: Sent,
        verdict: &Verdict,
        attempt: Attempt,
    ) {
        let Sent {
            planned,
            fence,
            blame,
        } = sent;
        let request = Request::of(&planned.payload, planned.turn, blame);
        let (now, random) = (context.moment(), &*context.random);
        let next_step = next_step(self.state().policy.as_mut(), &request, verdict, now, random);
        if let Disposition::End { state, at, .. } = next_step.disposition {
            context
                .meters
                .ended(state, planned.payload.created_at(), at);
        }
        if let Some(tracer) = &context.tracer {
            spans::record(tracer, &planned.payload, &attempt, next_step.disposition);
        }
        let attempt = Arc::new(attempt);
        let mut outcomes = planned.payload.outcomes(&attempt, next_step.disposition);
        outcomes.extend(next_step.set_aside.clone());
        let events = if context.feed.is_watched() {
            events_of(&planned.payload, &next_step)
        } else {
            Vec::new()
        };
        let unrecorded = {
            let mut state = self.state();
            // It is put back before it can be recorded, so that the window never looks empty.
            state.put_back(planned, &next_step);
            Box::new(self.unrecorded(&mut state))
        };
        let completed = CompletedRequest {
            unrecorded,
            fence,
            outcomes,
            revived: next_step.revived,
            events,
        };
        // The recorder ends only with the store. What it did not record is sent again after the next start.
        drop(context.recorder.send(completed).await);
        if next_step.turned {
            let health = Announcement::Health(self.fingerprint);
            context.announce(health).await;
        }
    }
}

/// A failing webhook is logged as a warning this often.
const WARN_EVERY: Duration = Duration::from_mins(1);

impl State {
    /// Whether a failed attempt is worth a warning now.
    fn is_news(&mut self, now: Instant) -> bool {
        let is_news = self
            .warned_at
            .is_none_or(|last| now.duration_since(last) >= WARN_EVERY);
        if is_news {
            self.warned_at = Some(now);
        }
        is_news
    }

    /// Puts a message that is retried back in its place. All else leaves memory, and is read from disk where it is still
    /// pending.
    fn put_back(&mut self, planned: Planned, next_step: &NextStep) {
        let (generation, turn) = (planned.generation, planned.turn);
        let is_retried = matches!(next_step.disposition, Disposition::Retry { .. });
        let alone = planned.payload.size() == 1;
        let has_place = alone && is_retried && turn != Turn::SetAside;
        if let Payload::Message(message) = planned.payload {
            for mut queued in message {
                if let Disposition::Retry { form, .. } = next_step.disposition {
                    queued.delivery.form = form;
                    queued.delivery.attempts += 1;
                }
                if has_place {
                    self.window.put_back(queued, generation);
                }
            }
        }
        let is_on_disk = match turn {
            // The follow-ups behind a message that is set aside are only on disk.
            Turn::SetAside => !is_retried,
            Turn::Front | Turn::Trial(_) => !alone && is_retried,
        };
        if is_on_disk || !next_step.revived.is_empty() {
            self.window.reset();
        }
        if matches!(turn, Turn::Trial(_)) && !is_retried {
            self.remove_set_aside();
        }
    }
}

/// Posts a payload over the kept connection, or over a new one.
async fn post(
    context: &Context,
    slot: &mut ConnectionSlot,
    connector: &Connector,
    payload: &Payload,
    now: Instant,
) -> Result<WebhookResponse, RequestError> {
    slot.close_if_idle_for_long(now);
    let Some((url, head)) = &slot.head else {
        return Err(RequestError::NotConnected);
    };
    debug_assert_eq!(url, &connector.webhook_url, "the head is of this webhook");
    let limit = context.sender.limits.request;
    context
        .sender
        .post(url, head, &mut slot.connection, payload.body(), limit)
        .await
}

/// Returns what a result means, and the attempt to record.
fn classified(
    context: &Context,
    connector: &Connector,
    payload: &Payload,
    result: &Result<WebhookResponse, RequestError>,
    started_at: Timestamp,
    took: Duration,
) -> (Verdict, Attempt) {
    let url = &connector.webhook_url;
    let sending = Sending {
        form: payload.form(),
        attempts: payload.attempts(),
        url,
    };
    let family = Family::of(connector.connector_type, url.host());
    let (verdict, status_code) = classify_result(family, result, &sending, context.now());
    let attempt = Attempt {
        id: AttemptId::new(started_at, &*context.random),
        started_at,
        duration_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
        outcome: outcome_of(&verdict),
        status_code,
        error: reason_of(&verdict).map(ToString::to_string),
        digest_size: u32::try_from(payload.size()).unwrap_or(u32::MAX),
    };
    (verdict, attempt)
}

/// Logs an attempt at `debug`; of those of one webhook that fail, one a minute as a warning.
fn log(payload: &Payload, attempt: &Attempt, is_news: bool) {
    let (Some((alert, delivery, _)), Some(connector)) = (payload.first(), payload.connector())
    else {
        return;
    };
    let (connector, carried) = (connector.id, attempt.digest_size);
    match &attempt.error {
        None => tracing::debug!(
            alert.id = %alert, connector.id = %connector, delivery.id = %delivery,
            attempt.no = payload.attempts() + 1, carried, duration_ms = attempt.duration_ms, "delivered"
        ),
        Some(error) if is_news => tracing::warn!(
            alert.id = %alert, connector.id = %connector, delivery.id = %delivery,
            attempt.no = payload.attempts() + 1, carried, duration_ms = attempt.duration_ms,
            outcome = attempt.outcome.as_str(), status = attempt.status_code, reason = error, "not delivered"
        ),
        Some(error) => tracing::debug!(
            alert.id = %alert, connector.id = %connector, delivery.id = %delivery,
            attempt.no = payload.attempts() + 1, carried, duration_ms = attempt.duration_ms,
            outcome = attempt.outcome.as_str(), status = attempt.status_code, reason = error, "not delivered"
        ),
    }
}

/// The events of a request that ended.
fn events_of(payload: &Payload, next_step: &NextStep) -> SpaceEvents {
    let state = match next_step.disposition {
        Disposition::Retry { .. } => DeliveryState::Pending,
        Disposition::End { state, .. } => state,
    };
    let mut events = payload.events(state);
    if !next_step.revived.is_empty()
        && let Some((space, _)) = events.first()
    {
        // Others are pending again, and are known by their places only.
        events.push((*space, SpaceEvent::Resync));
    }
    events
}
