//! The loop of a destination: what to do next, reading what is owed, and waiting.

use std::{sync::Arc, time::Duration};

use alert_connectors_model::ConnectorType;
use alert_connectors_store::{Opening, StoreError};
use alert_connectors_tasks::contained;
use tokio::time::{self, Instant};

use super::{Destination, UNRECORDED_MAX, tenure::give_up};
use crate::{
    engine::Inner,
    line::{IDLE_MAX, Line},
    window::WINDOW_MAX,
};

/// So many deliveries are read from disk at once.
pub(super) const REFILL: usize = 128;
/// With no more than this at hand it is looked for what else waits on disk. Beyond it a pace is no reason to wait.
const LOOK_AHEAD: usize = 32;
/// While the message at the front is suspected, more deliveries are read from disk until the window holds this many.
const READ_FOR_OTHERS: usize = WINDOW_MAX - REFILL;
/// Whoever waits for at least so long keeps only a few in memory.
const SHED_FOR: Duration = Duration::from_secs(5);
const KEPT: usize = 8;
/// How long to wait before a failed reading is tried again.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// How long a destination pauses after it met a bug, at first and at most.
const START_OVER_AFTER: Duration = Duration::from_secs(1);
const START_OVER_AFTER_MAX: Duration = Duration::from_mins(1);

/// What to do next.
enum Step {
    /// It is another server's.
    Leave,
    TakeUp(ConnectorType),
    Send,
    Read,
    WaitUntil(Instant),
    /// For the disk, or for another destination.
    WaitForDisk,
    Idle,
}

impl Destination {
    /// Works until nothing has waited for a while. A bug that one destination meets is no reason to stop for the others: it
    /// starts over, ever more rarely.
    pub(crate) async fn run(self: Arc<Self>, inner: Arc<Inner>) {
        let mut pause = START_OVER_AFTER;
        while contained(Arc::clone(&self).work(Arc::clone(&inner)))
            .await
            .is_err()
        {
            self.start_over();
            tokio::select! {
                () = time::sleep(pause) => {}
                () = inner.stopping.cancelled() => return,
            }
            pause = (2 * pause).min(START_OVER_AFTER_MAX);
        }
    }

    /// What is owed, and how the destination stands, is read anew from disk.
    fn start_over(&self) {
        let mut state = self.state();
        state.conduct = None;
        state.under_way = false;
        state.window.forget();
        drop(state);
        self.calm.notify_waiters();
    }

    async fn work(self: Arc<Self>, inner: Arc<Inner>) {
        let mut line = Line::default();
        loop {
            if inner.stopping.is_cancelled() {
                return;
            }
            match self.next_step(&inner) {
                Step::Leave => {
                    if let Some((lease, has_work)) = self.give_up() {
                        inner.keeper.hand_on(lease, has_work);
                    }
                    if self.stop_if_idle(&inner) {
                        return;
                    }
                }
                Step::TakeUp(connector_type) => {
                    if let Err(error) = self.take_up(connector_type, &inner).await {
                        self.unreadable(&error).await;
                    }
                }
                Step::Send => self.send_next(&inner, &mut line).await,
                Step::Read => self.read(&inner).await,
                Step::WaitForDisk => self.wait(&inner, &mut line, None).await,
                Step::WaitUntil(until) => {
                    self.shed_until(until);
                    self.wait(&inner, &mut line, Some(until)).await;
                }
                Step::Idle if line.is_idle_for_long() => {
                    if self.stop_if_idle(&inner) {
                        return;
                    }
                }
                Step::Idle => {
                    let until = line.idle_since() + IDLE_MAX;
                    self.wait(&inner, &mut line, Some(until)).await;
                }
            }
        }
    }

    fn next_step(&self, inner: &Inner) -> Step {
        let now = Instant::now();
        let mut state = self.state();
        let may_leave = state.tenure.is_leaving() && state.unrecorded == 0;
        if may_leave || !state.tenure.holds(now) {
            return Step::Leave;
        }
        if state.tenure.is_leaving() {
            return Step::WaitForDisk;
        }
        if state.touched && state.unrecorded == 0 {
            state.touched = false;
            state.conduct = None;
            state.window.forget();
        }
        if state.unrecorded >= UNRECORDED_MAX || state.holds > 0 {
            return Step::WaitForDisk;
        }
        // What is not recorded yet would be read as still owed, and whoever has something unrecorded is not done.
        let once_recorded = |step| match state.unrecorded {
            0 => step,
            _ => Step::WaitForDisk,
        };
        let set_aside = state.next_set_aside(inner, now);
        if state.window.is_empty() {
            return match (&state.conduct, set_aside) {
                (Some(conduct), Some((_, due))) => match conduct.wait_until(now).max(Some(due)) {
                    Some(until) if until > now => Step::WaitUntil(until),
                    _ => once_recorded(Step::Send),
                },
                _ => once_recorded(Step::Idle),
            };
        }
        let Some(front) = state.window.front() else {
            return once_recorded(Step::Read);
        };
        let Some(conduct) = &state.conduct else {
            return Step::TakeUp(front.due.connector.connector_type);
        };
        if let Some(until) = conduct.wait_until(now) {
            return Step::WaitUntil(until);
        }
        if state.turn_of_set_aside(set_aside, now).is_some() {
            return once_recorded(Step::Send);
        }
        let is_suspected = state.suspect_at_front().is_some();
        let may_read = state.window.goes_on() && state.window.len() <= READ_FOR_OTHERS;
        if is_suspected && may_read && inner.room.is_left() && !state.window.has_other() {
            return once_recorded(Step::Read);
        }
        if front.due.opening == Opening::Waits {
            return once_recorded(Step::Send);
        }
        match conduct.tokens(now) {
            Some(tokens) if state.window.len() > tokens => once_recorded(Step::Send),
            // Whether more waits than there are tokens is only known once enough of it was read.
            Some(_) if state.window.goes_on() && state.window.len() <= LOOK_AHEAD => {
                once_recorded(Step::Read)
            }
            _ => Step::Send,
        }
    }

    /// Stops if there is nothing to do here, now that the state is looked at again. Says whether it did; what it held is
    /// handed on.
    fn stop_if_idle(&self, inner: &Inner) -> bool {
        let mut state = self.state();
        let is_others = !state.tenure.holds(Instant::now());
        let is_idle = state.window.is_empty() && state.unrecorded == 0 && !state.has_set_aside();
        if !is_others && !is_idle {
            return false;
        }
        state.running = false;
        state.used_at = Instant::now();
        if let Some((lease, has_work)) = give_up(&mut state) {
            inner.keeper.hand_on(lease, has_work);
        }
        true
    }

    /// Whoever waits for long leaves its room to others.
    fn shed_until(&self, until: Instant) {
        if until.saturating_duration_since(Instant::now()) >= SHED_FOR {
            self.state().window.shed(KEPT);
        }
    }

    /// Waits for something to happen, or for a time. Every arm can be cancelled: none of them takes anything.
    async fn wait(&self, inner: &Inner, line: &mut Line, until: Option<Instant>) {
        let timer = async {
            match until {
                Some(until) => time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.wake.notified() => {}
            () = timer => {}
            () = inner.stopping.cancelled() => {}
            () = inner.connections.wanted_by_others(), if line.link.is_some() => line.hang_up(),
            () = line.closed() => line.hang_up(),
        }
    }

    pub(super) async fn unreadable(&self, error: &StoreError) {
        tracing::warn!(
            error = error as &dyn std::error::Error, destination.fp = ?self.fingerprint,
            "what is owed can't be read; trying again"
        );
        time::sleep(READ_AGAIN).await;
    }

    /// Reads the next few deliveries from disk.
    async fn read(&self, inner: &Inner) {
        let Some(refill) = self.state().window.begin_refill(inner.epoch()) else {
            return;
        };
        let at_most = if inner.room.is_left() { REFILL } else { 1 };
        let due = inner
            .store
            .due(self.fingerprint, refill.after, at_most, inner.expiry());
        let read = match due.await {
            Ok(read) => read,
            Err(error) => return self.unreadable(&error).await,
        };
        let found = read.len();
        let mut waiting = inner.letters_within_room(read);
        let complete = found < at_most && waiting.len() == found;
        let last = waiting.last().map(|waiting| waiting.due.seq);
        let mut state = self.state();
        waiting.retain(|waiting| !state.is_set_aside(&waiting.due));
        state.window.end_refill(refill, waiting, last, complete);
        debug_assert!(
            state.window.len() <= WINDOW_MAX,
            "a refill and what is looked ahead are smaller than the window"
        );
    }
}
