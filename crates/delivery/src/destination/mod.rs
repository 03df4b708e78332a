//! One destination: its pending deliveries, one request in flight, oldest first, at the rate that its channel accepts.
//!
//! A worker ([`worker`]) asks what to do next. It reads pending deliveries into the window ([`reading`], [`window`]), plans a
//! payload ([`planning`], [`turn`]) and makes one attempt with it ([`attempt`]). Where servers share the store it does so only
//! while it owns the destination ([`ownership`]).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alert_connectors_model::{ConnectorType, Fingerprint};
use alert_connectors_store::{DestinationHealth, Fence, StoreError};
use tokio::{sync::Notify, time::Instant};

mod attempt;
mod guards;
mod ownership;
mod planning;
mod reading;
mod turn;
mod window;
mod worker;

pub(crate) use guards::HoldBack;
use ownership::Ownership;
pub(crate) use window::QueuedDelivery;
use window::Window;

use crate::{context::Context, recorder::CompletedRequest, send_policy::SendPolicy};

/// The maximum number of unrecorded requests: it bounds how many are repeated after a crash.
const UNRECORDED_MAX: usize = 4;
/// The maximum number of test calls within [`TESTS_WITHIN`].
const TESTS_MAX: usize = 5;
const TESTS_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Destination {
    pub(crate) fingerprint: Fingerprint,
    state: Mutex<State>,
    wake: Notify,
    /// Notified when nothing is under way or unrecorded any more.
    calm: Notify,
}

struct State {
    ownership: Ownership,
    window: Window,
    /// Whether it has a worker.
    running: bool,
    /// Whether a request is being made.
    under_way: bool,
    /// Reports that are not on disk yet.
    unrecorded: usize,
    /// How many other destinations must end their request first: nothing is sent until then.
    held_back_by: usize,
    /// Nothing until it is loaded from the store.
    policy: Option<SendPolicy>,
    /// Whether another server changed its pending deliveries or its health: it is loaded again.
    invalidated: bool,
    /// Whether the last request was that of a message that is set aside.
    was_set_aside: bool,
    /// When the last few test calls were made.
    tests: Vec<Instant>,
    /// When there was something to do last.
    used_at: Instant,
    /// When a failed attempt was last logged as a warning.
    warned_at: Option<Instant>,
}

/// What must be done so that pending deliveries are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// A worker must be started.
    Start,
    /// It has a worker.
    Running,
    /// It must be leased first.
    NotOwned,
}

impl Destination {
    pub(crate) fn new(fingerprint: Fingerprint, shared: bool) -> Self {
        let state = State {
            ownership: Ownership::of(shared),
            window: Window::default(),
            running: false,
            under_way: false,
            unrecorded: 0,
            held_back_by: 0,
            policy: None,
            invalidated: false,
            was_set_aside: false,
            tests: Vec::new(),
            used_at: Instant::now(),
            warned_at: None,
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

    /// Adds a delivery that was just queued.
    pub(crate) fn push(&self, queued: QueuedDelivery, context: &Context) -> Wake {
        self.wake_after(|state| {
            // What is pending behind a message that is set aside stays on disk, and is left out when it is read.
            let has_memory = context.memory.is_left() && !state.is_set_aside(&queued.delivery);
            state.window.push(queued, has_memory, context.epoch());
        })
    }

    /// Reads the pending deliveries again.
    pub(crate) fn reload(&self) -> Wake {
        self.wake_after(|state| state.window.reset())
    }

    /// More may be pending than is known here.
    pub(crate) fn backlog_grew(&self) -> Wake {
        self.wake_after(|state| state.window.backlog_grew())
    }

    /// Another server changed the pending deliveries or the health.
    pub(crate) fn invalidate(&self) -> Wake {
        self.wake_after(|state| {
            state.invalidated = true;
            state.window.backlog_grew();
        })
    }

    /// Changes the state of a destination that this server owns, and says what its worker needs.
    fn wake_after(&self, change: impl FnOnce(&mut State)) -> Wake {
        let mut state = self.state();
        if !state.ownership.is_owned(Instant::now()) {
            return Wake::NotOwned;
        }
        change(&mut state);
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

    /// Waits until nothing is under way or unrecorded.
    pub(crate) async fn until_calm(&self) {
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

    /// Counts a test call. Returns how long to wait if there were too many.
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

    /// Returns whether it has a worker that may go on.
    pub(crate) fn is_at_work(&self) -> bool {
        let state = self.state();
        state.running && state.ownership.is_owned(Instant::now())
    }

    /// Returns whether it had nothing to do for this long: nothing is queued or under way, and the channel did not ask to wait.
    pub(crate) fn was_idle_for(&self, long: Duration, now: Instant) -> bool {
        let state = self.state();
        let waits = |policy: &SendPolicy| policy.wait_until(now).is_some();
        let is_idle = !state.running
            && !state.under_way
            && state.unrecorded == 0
            && state.held_back_by == 0
            && state.ownership.lease().is_none()
            && !state.policy.as_ref().is_some_and(waits);
        is_idle && now.duration_since(state.used_at) >= long
    }

    /// Loads the health from the store, if that was not done yet.
    pub(crate) async fn load(
        &self,
        connector_type: ConnectorType,
        context: &Context,
    ) -> Result<(), StoreError> {
        if self.state().policy.is_some() {
            return Ok(());
        }
        let rate = context.rates.of(connector_type);
        let known = context
            .store
            .destination_state(self.fingerprint, context.now())
            .await?;
        let policy = SendPolicy::restore(known, rate, context.backoff, context.moment());
        let mut state = self.state();
        state.policy.get_or_insert(policy);
        state.remove_set_aside();
        Ok(())
    }

    /// Changes the send policy, and queues the changed health to be recorded. Returns nothing if the policy is not loaded, or the
    /// destination is another server's by now.
    pub(crate) async fn update_policy<T>(
        self: &Arc<Self>,
        context: &Context,
        change: impl FnOnce(&mut SendPolicy) -> T,
    ) -> Option<T> {
        let (fence, changed, unrecorded) = {
            let mut state = self.state();
            let fence = state.ownership.fence()?;
            let changed = change(state.policy.as_mut()?);
            (fence, changed, Box::new(self.unrecorded(&mut state)))
        };
        let health = CompletedRequest {
            unrecorded,
            fence,
            outcomes: Vec::new(),
            revived: Vec::new(),
            events: Vec::new(),
        };
        drop(context.recorder.send(health).await);
        self.wake.notify_one();
        Some(changed)
    }

    fn health_to_record(&self, fence: Fence) -> Option<DestinationHealth> {
        let mut state = self.state();
        if state.ownership.fence() != Some(fence) {
            return None;
        }
        state.policy.as_mut()?.take_changed()
    }

    /// Reads something of the send policy. Returns nothing if it is not loaded.
    pub(crate) fn with_policy<T>(&self, look: impl FnOnce(&SendPolicy) -> T) -> Option<T> {
        self.state().policy.as_ref().map(look)
    }
}
