//! One destination at work: its queue, one request in flight, oldest first, at the pace that its channel takes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use alert_connectors_model::{ConnectorType, Fingerprint};
use alert_connectors_store::{Due, Opening, SetAside, Standing, StoreError};
use tokio::{
    sync::Notify,
    time::{self, Instant},
};

mod planning;
mod sending;
mod tenure;

use tenure::{Tenure, give_up};

use crate::{
    conduct::{Conduct, Culprit, Moment},
    engine::Inner,
    line::{IDLE_MAX, Line},
    record::Ended,
    window::{WINDOW_MAX, Waiting, Window},
};

/// After a crash at most so many requests are repeated; at so many unrecorded ones the destination waits for the disk.
const UNRECORDED_MAX: usize = 4;
/// So many deliveries are read from disk at once.
const REFILL: usize = 128;
/// With no more than this at hand it is looked for what else waits on disk. Beyond it a pace is no reason to wait.
const LOOK_AHEAD: usize = 32;
/// While the message at the front is suspected, more deliveries are read from disk until the window holds this many.
const READ_FOR_OTHERS: usize = WINDOW_MAX - REFILL;
/// How long to wait before a failed reading is tried again.
const READ_AGAIN: Duration = Duration::from_secs(1);
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
        let weight = waiting.letter.weight();
        let mut state = self.state();
        if !state.tenure.holds(Instant::now()) {
            return Wake::NotHeld;
        }
        // What waits behind a message that is set aside is left on disk; whoever reads there leaves it out.
        let has_room = inner.has_room() && !state.is_set_aside(&waiting.due);
        if state.window.queued(waiting, has_room, inner.epoch()) {
            inner.weight.fetch_add(weight, Ordering::Relaxed);
        }
        self.start_or_wake(state)
    }

    /// What is owed is read anew.
    pub(crate) fn read_anew(&self, inner: &Inner) -> Wake {
        let mut state = self.state();
        if !state.tenure.holds(Instant::now()) {
            return Wake::NotHeld;
        }
        forget(&mut state.window, inner);
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
        Ok(())
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
        state.take_out_set_aside(inner);
        Ok(())
    }

    /// Changes how we behave towards it. A changed standing is on its way to the disk when this returns.
    pub(crate) async fn conduct<T>(
        self: &Arc<Self>,
        inner: &Inner,
        change: impl FnOnce(&mut Conduct) -> T,
    ) -> Option<T> {
        let changed = {
            let mut state = self.state();
            let changed = change(state.conduct.as_mut()?);
            state.unrecorded += 1;
            changed
        };
        let ended = Ended {
            destination: Arc::clone(self),
            lease: self.lease_number(),
            outcomes: Vec::new(),
            revived: Vec::new(),
        };
        drop(inner.recorder.send(ended).await);
        self.wake.notify_one();
        Some(changed)
    }

    /// The standing, if it has to be written and the lease is still that under which the report was made.
    pub(crate) fn standing_to_record(&self, lease: Option<i64>) -> Option<Standing> {
        let mut state = self.state();
        if state.tenure.lease().map(|lease| lease.number) != lease {
            return None;
        }
        state.conduct.as_mut()?.take_changed()
    }

    fn lease_number(&self) -> Option<i64> {
        self.lease().map(|lease| lease.number)
    }

    /// Reads something of how we behave towards it; nothing if it was not taken up yet.
    pub(crate) fn peek<T>(&self, look: impl FnOnce(&Conduct) -> T) -> Option<T> {
        self.state().conduct.as_ref().map(look)
    }

    /// Works until nothing has waited for a while.
    pub(crate) async fn run(self: Arc<Self>, inner: Arc<Inner>) {
        let mut line = Line::default();
        loop {
            if inner.stopping.is_cancelled() {
                return;
            }
            match self.next_step(&inner) {
                Step::Leave => {
                    if let Some((lease, has_work)) = self.give_up(&inner) {
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
                Step::WaitUntil(until) => self.wait(&inner, &mut line, Some(until)).await,
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
            forget(&mut state.window, inner);
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
        if is_suspected && may_read && inner.has_room() && !state.window.has_other() {
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
        if let Some((lease, has_work)) = give_up(&mut state, inner) {
            inner.keeper.hand_on(lease, has_work);
        }
        true
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

    async fn unreadable(&self, error: &StoreError) {
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
        let due = inner
            .store
            .due(self.fingerprint, refill.after, REFILL, inner.expiry());
        let read = match due.await {
            Ok(read) => read,
            Err(error) => return self.unreadable(&error).await,
        };
        let (complete, last) = (read.len() < REFILL, read.last().map(|due| due.seq));
        let mut waiting = inner.letters(read);
        let mut state = self.state();
        waiting.retain(|waiting| !state.is_set_aside(&waiting.due));
        let weight: usize = waiting.iter().map(|waiting| waiting.letter.weight()).sum();
        let before = state.window.len();
        state.window.end_refill(refill, waiting, last, complete);
        if state.window.len() > before {
            inner.weight.fetch_add(weight, Ordering::Relaxed);
        }
        debug_assert!(
            state.window.len() <= WINDOW_MAX,
            "a refill and what is looked ahead are smaller than the window"
        );
    }
}

impl State {
    /// Whether a delivery is set aside, or waits behind one that is.
    fn is_set_aside(&self, due: &Due) -> bool {
        let conduct = self.conduct.as_ref();
        conduct.is_some_and(|conduct| conduct.is_set_aside(due.alert_id, due.connector.id))
    }

    fn has_set_aside(&self) -> bool {
        let conduct = self.conduct.as_ref();
        conduct.is_some_and(|conduct| !conduct.standing().failing.set_aside.is_empty())
    }

    /// The message that was set aside and whose time comes first, and when.
    fn next_set_aside(&self, inner: &Inner, now: Instant) -> Option<(SetAside, Instant)> {
        let conduct = self.conduct.as_ref()?;
        // Nearly always there is none, and no need to ask for the time.
        let moment = || Moment {
            wall: inner.now(),
            instant: now,
        };
        self.has_set_aside()
            .then(|| conduct.next_set_aside(moment()))?
    }

    /// The set-aside message that goes next, if it is its turn. The queue gets every other turn. While the destination is
    /// blocked it gets all of them, since they are probes.
    fn turn_of_set_aside(
        &self,
        next: Option<(SetAside, Instant)>,
        now: Instant,
    ) -> Option<SetAside> {
        let (one, due) = next?;
        let is_blocked = self.conduct.as_ref().is_some_and(Conduct::is_blocked);
        let is_queues_turn = self.window.front().is_some() && (self.was_set_aside || is_blocked);
        (due <= now && !is_queues_turn).then_some(one)
    }

    /// The message at the front, if it is suspected and another may go in its place; and how many went in vain.
    fn suspect_at_front(&self) -> Option<(Culprit, u32)> {
        let front = &self.window.front()?.due;
        let suspect = self.conduct.as_ref()?.trial_of()?;
        (suspect.seq == front.seq).then(|| (Culprit::of(front), suspect.trials))
    }

    /// Takes what is set aside out of the window.
    fn take_out_set_aside(&mut self, inner: &Inner) {
        let Some(conduct) = &self.conduct else {
            return;
        };
        let is_out = |due: &Due| conduct.is_set_aside(due.alert_id, due.connector.id);
        inner.let_go(self.window.take_out(is_out));
    }
}

/// Throws the window away: what is owed is read anew from its beginning.
fn forget(window: &mut Window, inner: &Inner) {
    inner.let_go(window.forget());
}
