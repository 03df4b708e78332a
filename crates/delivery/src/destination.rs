//! One destination at work: its queue, one request in flight, oldest first, at the pace that its channel takes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alert_connectors_model::{ConnectorType, Fingerprint};
use alert_connectors_store::{Fence, Standing, StoreError};
use tokio::{sync::Notify, time::Instant};

mod planning;
mod sending;
mod tenure;
mod turn;
mod work;

use tenure::Tenure;

use crate::{
    conduct::Conduct,
    engine::Inner,
    record::Ended,
    window::{Waiting, Window},
};

/// After a crash at most so many requests are repeated; at so many unrecorded ones the destination waits for the disk.
const UNRECORDED_MAX: usize = 4;
/// At most five test calls of one destination in ten seconds.
const TESTS_MAX: usize = 5;
const TESTS_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Destination {
    pub(crate) fingerprint: Fingerprint,
    state: Mutex<State>,
    wake: Notify,
    /// Told when nothing is under way or unrecorded any more.
    calm: Notify,
}

struct State {
    tenure: Tenure,
    window: Window,
    /// Whether a task works on it.
    running: bool,
    /// Whether a request is being made.
    under_way: bool,
    /// Requests whose outcomes are on their way to the disk.
    unrecorded: usize,
    /// Others that must have ended first: nothing is sent while there are any.
    holds: usize,
    /// Nothing until the destination was taken up.
    conduct: Option<Conduct>,
    /// Whether another server changed what is owed to it or how it stands: it is taken up anew.
    touched: bool,
    /// Whether the last request was that of a message that is set aside.
    was_set_aside: bool,
    /// When the last few test calls were made.
    tests: Vec<Instant>,
    /// When there was something to do last.
    used_at: Instant,
}

/// What must be done so that something is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// A task must be started for it.
    Start,
    /// A task is at it.
    Running,
    /// It must be leased first.
    NotHeld,
}

impl Destination {
    pub(crate) fn new(fingerprint: Fingerprint, shared: bool) -> Self {
        let state = State {
            tenure: Tenure::of(shared),
            window: Window::default(),
            running: false,
            under_way: false,
            unrecorded: 0,
            holds: 0,
            conduct: None,
            touched: false,
            was_set_aside: false,
            tests: Vec::new(),
            used_at: Instant::now(),
        };
        Self {
            fingerprint,
            state: Mutex::new(state),
            wake: Notify::new(),
            calm: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a delivery that was just queued.
    pub(crate) fn queued(&self, waiting: Waiting, inner: &Inner) -> Wake {
        let mut state = self.state();
        if !state.tenure.holds(Instant::now()) {
            return Wake::NotHeld;
        }
        // What waits behind a message that is set aside is left on disk; whoever reads there leaves it out.
        let has_room = inner.room.is_left() && !state.is_set_aside(&waiting.due);
        state.window.queued(waiting, has_room, inner.epoch());
        self.start_or_wake(state)
    }

    /// What is owed is read anew.
    pub(crate) fn read_anew(&self) -> Wake {
        let mut state = self.state();
        if !state.tenure.holds(Instant::now()) {
            return Wake::NotHeld;
        }
        state.window.forget();
        self.start_or_wake(state)
    }

    /// More may be owed than is known here.
    pub(crate) fn called(&self) -> Wake {
        let mut state = self.state();
        if !state.tenure.holds(Instant::now()) {
            return Wake::NotHeld;
        }
        state.window.called();
        self.start_or_wake(state)
    }

    /// Another server changed what is owed, or how it stands.
    pub(crate) fn touched(&self) -> Wake {
        let mut state = self.state();
        if !state.tenure.holds(Instant::now()) {
            return Wake::NotHeld;
        }
        state.touched = true;
        state.window.called();
        self.start_or_wake(state)
    }

    fn start_or_wake(&self, mut state: MutexGuard<'_, State>) -> Wake {
        let start = !state.running;
        state.running = true;
        drop(state);
        if start {
            return Wake::Start;
        }
        self.wake.notify_one();
        Wake::Running
    }

    /// A report is on disk.
    pub(crate) fn recorded(&self) {
        let mut state = self.state();
        let before = state.unrecorded;
        state.unrecorded = before.saturating_sub(1);
        // Whatever waits for the disk waits for all of it, or for one of too many.
        let may_matter = before >= UNRECORDED_MAX || state.unrecorded == 0;
        drop(state);
        if may_matter {
            self.wake.notify_one();
            self.calm.notify_waiters();
        }
    }

    /// Waits until nothing is under way or unrecorded.
    pub(crate) async fn quiet(&self) {
        loop {
            // Made before the look, so that no word of it is missed.
            let calm = self.calm.notified();
            {
                let state = self.state();
                if !state.under_way && state.unrecorded == 0 {
                    return;
                }
            }
            calm.await;
        }
    }

    /// Sends nothing until it is released.
    pub(crate) fn hold(&self) {
        self.state().holds += 1;
    }

    /// Ends a hold.
    pub(crate) fn release(&self) {
        let mut state = self.state();
        state.holds = state.holds.saturating_sub(1);
        drop(state);
        self.wake.notify_one();
    }

    /// Whether a test call may be made now; if not, how long to wait. An allowed one is counted.
    pub(crate) fn allow_test(&self) -> Result<(), Duration> {
        let now = Instant::now();
        let mut state = self.state();
        state
            .tests
            .retain(|made| now.duration_since(*made) < TESTS_WITHIN);
        if state.tests.len() >= TESTS_MAX {
            return Err(TESTS_WITHIN.saturating_sub(now.duration_since(state.tests[0])));
        }
        state.tests.push(now);
        state.used_at = now;
        Ok(())
    }

    /// Whether a task works on it and may go on.
    pub(crate) fn is_at_work(&self) -> bool {
        let state = self.state();
        state.running && state.tenure.holds(Instant::now())
    }

    /// Whether it had nothing to do for so long: nothing is held or under way, and the channel did not ask us to wait.
    pub(crate) fn was_idle_for(&self, long: Duration, now: Instant) -> bool {
        let state = self.state();
        let waits = |conduct: &Conduct| conduct.wait_until(now).is_some();
        let is_idle = !state.running
            && !state.under_way
            && state.unrecorded == 0
            && state.holds == 0
            && state.tenure.lease().is_none()
            && !state.conduct.as_ref().is_some_and(waits);
        is_idle && now.duration_since(state.used_at) >= long
    }

    /// Takes the destination up where it was left, if that was not done yet.
    pub(crate) async fn take_up(
        &self,
        connector_type: ConnectorType,
        inner: &Inner,
    ) -> Result<(), StoreError> {
        if self.state().conduct.is_some() {
            return Ok(());
        }
        let rate = inner.rates.of(connector_type);
        let known = inner.store.known(self.fingerprint, inner.now()).await?;
        let conduct = Conduct::taken_up(known, rate, inner.patience, inner.moment());
        let mut state = self.state();
        state.conduct.get_or_insert(conduct);
        state.take_out_set_aside();
        Ok(())
    }

    /// Changes how we behave towards it; nothing where that was not taken up, or is another server's by now. A changed standing
    /// is on its way to the disk when this returns.
    pub(crate) async fn conduct<T>(
        self: &Arc<Self>,
        inner: &Inner,
        change: impl FnOnce(&mut Conduct) -> T,
    ) -> Option<T> {
        let (fence, changed) = {
            let mut state = self.state();
            let fence = state.tenure.fence()?;
            let changed = change(state.conduct.as_mut()?);
            state.unrecorded += 1;
            (fence, changed)
        };
        let ended = Ended {
            destination: Arc::clone(self),
            fence,
            outcomes: Vec::new(),
            revived: Vec::new(),
        };
        drop(inner.recorder.send(ended).await);
        self.wake.notify_one();
        Some(changed)
    }

    /// The standing, if it has to be written and the right by which the report was made still holds.
    pub(crate) fn standing_to_record(&self, fence: Fence) -> Option<Standing> {
        let mut state = self.state();
        if state.tenure.fence() != Some(fence) {
            return None;
        }
        state.conduct.as_mut()?.take_changed()
    }

    /// Reads something of how we behave towards it; nothing if it was not taken up yet.
    pub(crate) fn peek<T>(&self, look: impl FnOnce(&Conduct) -> T) -> Option<T> {
        self.state().conduct.as_ref().map(look)
    }
}
