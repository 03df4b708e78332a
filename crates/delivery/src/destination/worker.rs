//! The worker of a destination: decides what to do next, does it, and waits.

use std::{sync::Arc, time::Duration};

use alert_connectors_model::ConnectorType;
use alert_connectors_store::{OpeningState, StoreError};
use alert_connectors_tasks::contained;
use tokio::time::{self, Instant};

use super::{Destination, UNRECORDED_MAX, ownership::give_up, reading::REFILL, window::WINDOW_MAX};
use crate::{
    connection::{ConnectionSlot, IDLE_MAX, Permit},
    context::Context,
};

/// Below this many in memory, read ahead from disk to decide whether a digest is due. Above it, do not wait for that.
const LOOK_AHEAD: usize = 32;
/// While the message at the front is suspected, read more deliveries from disk until the window holds this many.
const READ_FOR_OTHERS: usize = WINDOW_MAX - REFILL;
/// The wait before a failed read is retried.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// How long a worker pauses after a panic, at first and at most.
const START_OVER_AFTER: Duration = Duration::from_secs(1);
const START_OVER_AFTER_MAX: Duration = Duration::from_mins(1);

/// What to do next.
enum WorkerStep {
    /// Give the destination up: it is another server's.
    GiveUp,
    Load(ConnectorType),
    Send,
    Read,
    WaitUntil(Instant),
    /// Until reports are on disk, or another destination has ended its request.
    WaitForOthers,
    Idle,
}

impl Destination {
    /// Works until nothing has waited for a while. After a panic the worker restarts, with growing
    /// pauses; other destinations are unaffected.
    pub(crate) async fn run(self: Arc<Self>, context: Arc<Context>) {
        let mut pause = START_OVER_AFTER;
        while contained(Arc::clone(&self).work(Arc::clone(&context)))
            .await
            .is_err()
        {
            self.start_over();
            tokio::select! {
                () = time::sleep(pause) => {}
                () = context.stopping.cancelled() => return,
            }
            pause = (2 * pause).min(START_OVER_AFTER_MAX);
        }
    }

    /// Reads the pending deliveries and the health from disk again.
    fn start_over(&self) {
        let mut state = self.state();
        state.policy = None;
        state.window.reset();
    }

    async fn work(self: Arc<Self>, context: Arc<Context>) {
        let mut slot = ConnectionSlot::default();
        loop {
            if context.stopping.is_cancelled() {
                return;
            }
            match self.worker_step(&context) {
                WorkerStep::GiveUp => {
                    if let Some((lease, has_work)) = self.give_up() {
                        context.lease_requests.release(lease, has_work);
                    }
                    if self.stop_if_idle(&context) {
                        return;
                    }
                }
                WorkerStep::Load(connector_type) => {
                    if let Err(error) = self.load(connector_type, &context).await {
                        self.unreadable(&error).await;
                    }
                }
                WorkerStep::Send => self.send_next(&context, &mut slot).await,
                WorkerStep::Read => self.read(&context).await,
                WorkerStep::WaitForOthers => self.wait(&context, &mut slot, None).await,
                WorkerStep::WaitUntil(until) => {
                    self.shed_until(until);
                    self.wait(&context, &mut slot, Some(until)).await;
                }
                WorkerStep::Idle if slot.is_idle_for_long() => {
                    if self.stop_if_idle(&context) {
                        return;
                    }
                }
                WorkerStep::Idle => {
                    let until = slot.idle_since() + IDLE_MAX;
                    self.wait(&context, &mut slot, Some(until)).await;
                }
            }
        }
    }

    fn worker_step(&self, context: &Context) -> WorkerStep {
        let now = Instant::now();
        let mut state = self.state();
        let may_yield = state.ownership.is_yielding() && state.unrecorded == 0;
        if may_yield || !state.ownership.is_owned(now) {
            return WorkerStep::GiveUp;
        }
        if state.ownership.is_yielding() || !state.ownership.may_send(now) {
            return WorkerStep::WaitForOthers;
        }
        if state.invalidated && state.unrecorded == 0 {
            state.invalidated = false;
            state.policy = None;
            state.window.reset();
        }
        if state.unrecorded >= UNRECORDED_MAX || state.held_back_by > 0 {
            return WorkerStep::WaitForOthers;
        }
        // A delivery that is unrecorded would be read as pending, so nothing is read or ended before it is on disk.
        let once_recorded = |step| match state.unrecorded {
            0 => step,
            _ => WorkerStep::WaitForOthers,
        };
        let set_aside = state.next_set_aside(context, now);
        if state.window.is_empty() {
            return match (&state.policy, set_aside) {
                (Some(policy), Some((_, due))) => match policy.wait_until(now).max(Some(due)) {
                    Some(until) if until > now => WorkerStep::WaitUntil(until),
                    _ => once_recorded(WorkerStep::Send),
                },
                _ => once_recorded(WorkerStep::Idle),
            };
        }
        let Some(front) = state.window.front() else {
            return once_recorded(WorkerStep::Read);
        };
        let Some(policy) = &state.policy else {
            return WorkerStep::Load(front.delivery.connector.connector_type);
        };
        if let Some(until) = policy.wait_until(now) {
            return WorkerStep::WaitUntil(until);
        }
        if state.turn_of_set_aside(set_aside, now).is_some() {
            return once_recorded(WorkerStep::Send);
        }
        let is_suspected = state.suspect_at_front().is_some();
        let may_read = state.window.has_more_on_disk() && state.window.len() <= READ_FOR_OTHERS;
        if is_suspected && may_read && context.memory.is_left() && !state.window.has_other() {
            return once_recorded(WorkerStep::Read);
        }
        if front.delivery.opening == OpeningState::Pending {
            return once_recorded(WorkerStep::Send);
        }
        match policy.tokens(now) {
            Some(tokens) if state.window.len() > tokens => once_recorded(WorkerStep::Send),
            // Whether more waits than there are tokens is only known once enough of it was read.
            Some(_) if state.window.has_more_on_disk() && state.window.len() <= LOOK_AHEAD => {
                once_recorded(WorkerStep::Read)
            }
            _ => WorkerStep::Send,
        }
    }

    /// Stops if there is nothing to do, now that the state is locked. Returns whether it did; a lease is released.
    fn stop_if_idle(&self, context: &Context) -> bool {
        let mut state = self.state();
        let is_others = !state.ownership.is_owned(Instant::now());
        let is_idle = state.window.is_empty() && state.unrecorded == 0 && !state.has_set_aside();
        if !is_others && !is_idle {
            return false;
        }
        state.running = false;
        state.used_at = Instant::now();
        if let Some((lease, has_work)) = give_up(&mut state) {
            context.lease_requests.release(lease, has_work);
        }
        true
    }

    /// Waits for something to happen, or for a time. Every arm can be cancelled: none of them takes anything.
    async fn wait(&self, context: &Context, slot: &mut ConnectionSlot, until: Option<Instant>) {
        let timer = async {
            match until {
                Some(until) => time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let permit = slot.permit.as_ref().filter(|_| slot.connection.is_some());
        let wanted = permit.map(Permit::wanted);
        let wanted = async {
            match wanted {
                Some(wanted) => wanted.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.wake.notified() => {}
            () = timer => {}
            () = context.stopping.cancelled() => {}
            () = wanted => slot.close(),
            () = slot.closed() => slot.close(),
        }
    }

    pub(super) async fn unreadable(&self, error: &StoreError) {
        tracing::warn!(
            error = error as &dyn std::error::Error, destination.fp = ?self.fingerprint,
            "failed to read pending deliveries; retrying"
        );
        time::sleep(READ_AGAIN).await;
    }
}
