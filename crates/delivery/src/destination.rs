//! One destination at work: its queue, one request in flight, oldest first.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use alert_connectors_model::{
    Attempt, AttemptId, AttemptOutcome, DeliveryState, EndReason, Fingerprint, WebhookUrl,
};
use alert_connectors_store::{Due, Form, NextStep, Outcome};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    time::{self, Instant},
};

use crate::{
    Answer, Family, PostError, Reason, Verdict, classify,
    engine::Inner,
    link::{Link, Posted, RequestHead},
    record::Ended,
    retry::{backoff, retry_after, throttle},
    window::{WINDOW_MAX, Waiting, Window},
};

/// A connection that carried nothing for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(15);
/// After a crash at most so many requests are repeated; at so many unrecorded ones the destination waits for the disk.
const UNRECORDED_MAX: usize = 4;
/// So many deliveries are read from disk at once.
const REFILL: usize = 64;
/// How long to wait before a failed reading is tried again.
const READ_AGAIN: Duration = Duration::from_secs(1);

pub(crate) struct Destination {
    pub(crate) fingerprint: Fingerprint,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    window: Window,
    /// Whether a task works on it.
    running: bool,
    /// Whether the wait that was recorded before a restart is still to be taken up.
    resuming: bool,
    /// Outcomes on their way to the disk.
    unrecorded: Vec<i64>,
    /// Failures in a row, and when the next attempt may be made because of them.
    failures: u32,
    not_before: Option<Instant>,
    /// Requests to wait in a row, and until when nothing at all may be posted.
    throttles: u32,
    throttled_until: Option<Instant>,
    /// When the last few test calls were made.
    tests: Vec<Instant>,
}

/// Why what is owed is read anew.
#[derive(Clone, Copy)]
pub(crate) enum Anew {
    /// The program started: a wait that was recorded goes on.
    Started,
    /// Something may have changed that has nothing to do with the webhook.
    Checking,
    /// A connector changed, which may be its repair: what waited after a failure is tried at once.
    Changed,
}

/// What to do next.
enum Step {
    Send,
    Read,
    WaitUntil(Instant),
    WaitForDisk,
    Idle,
}

/// At most five test calls of one destination in ten seconds.
const TESTS_MAX: usize = 5;
const TESTS_WITHIN: Duration = Duration::from_secs(10);

impl Destination {
    pub(crate) fn new(fingerprint: Fingerprint) -> Self {
        Self {
            fingerprint,
            state: Mutex::default(),
            wake: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a delivery that was just queued. Says whether a task must be started for it.
    pub(crate) fn queued(&self, waiting: Waiting, inner: &Inner) -> bool {
        let weight = waiting.letter.weight();
        let mut state = self.state();
        if state.window.queued(waiting, inner.has_room()) {
            inner.weight.fetch_add(weight, Ordering::Relaxed);
        }
        self.start_or_wake(state)
    }

    /// Reads what is owed anew. Says whether a task must be started.
    pub(crate) fn read_anew(&self, why: Anew, inner: &Inner) -> bool {
        let mut state = self.state();
        for waiting in state.window.forget() {
            inner
                .weight
                .fetch_sub(waiting.letter.weight(), Ordering::Relaxed);
        }
        match why {
            Anew::Started => state.resuming = true,
            Anew::Checking => {}
            Anew::Changed => (state.failures, state.not_before, state.resuming) = (0, None, false),
        }
        self.start_or_wake(state)
    }

    fn start_or_wake(&self, mut state: MutexGuard<'_, State>) -> bool {
        let start = !state.running;
        state.running = true;
        drop(state);
        if !start {
            self.wake.notify_one();
        }
        start
    }

    /// An outcome is on disk.
    pub(crate) fn recorded(&self, seq: i64) {
        let mut state = self.state();
        let before = state.unrecorded.len();
        state.unrecorded.retain(|unrecorded| *unrecorded != seq);
        let may_matter = before >= UNRECORDED_MAX
            || state.unrecorded.is_empty() && state.window.front().is_none();
        drop(state);
        if may_matter {
            self.wake.notify_one();
        }
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

    /// How long nothing may be posted, because the channel asked for it.
    pub(crate) fn throttled_for(&self) -> Option<Duration> {
        let until = self.state().throttled_until?;
        Some(until.saturating_duration_since(Instant::now())).filter(|wait| !wait.is_zero())
    }

    /// The channel asks to wait.
    pub(crate) fn throttled(&self, asked: Duration, inner: &Inner) -> Duration {
        let mut state = self.state();
        state.throttles += 1;
        let wait = throttle(asked, state.throttles, &*inner.random);
        state.throttled_until = Some(Instant::now() + wait);
        wait
    }

    /// Works until nothing has waited for a while.
    pub(crate) async fn run(self: Arc<Self>, inner: Arc<Inner>) {
        let mut line = Line::default();
        loop {
            if inner.stopping.is_cancelled() {
                return;
            }
            match self.next_step() {
                Step::Send => self.send_next(&inner, &mut line).await,
                Step::Read => self.read(&inner).await,
                Step::WaitForDisk => self.wait(&inner, &mut line, None).await,
                Step::WaitUntil(until) => self.wait(&inner, &mut line, Some(until)).await,
                Step::Idle if line.is_idle_for_long() => {
                    if self.stop_if_idle() {
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

    fn next_step(&self) -> Step {
        let state = self.state();
        if state.unrecorded.len() >= UNRECORDED_MAX {
            return Step::WaitForDisk;
        }
        if state.window.is_empty() {
            return Step::Idle;
        }
        if state.window.front().is_none() {
            // What is not recorded yet would be read as still owed.
            return if state.unrecorded.is_empty() {
                Step::Read
            } else {
                Step::WaitForDisk
            };
        }
        let now = Instant::now();
        let wait = state
            .not_before
            .max(state.throttled_until)
            .filter(|until| *until > now);
        wait.map_or(Step::Send, Step::WaitUntil)
    }

    fn stop_if_idle(&self) -> bool {
        let mut state = self.state();
        let idle = state.window.is_empty() && state.unrecorded.is_empty();
        state.running = !idle;
        idle
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

    /// Reads the next few deliveries from disk.
    async fn read(&self, inner: &Inner) {
        let Some(refill) = self.state().window.begin_refill() else {
            return;
        };
        let read = match inner
            .store
            .due(self.fingerprint, refill.after, REFILL)
            .await
        {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, destination.fp = ?self.fingerprint, "what is owed can't be read; trying again");
                time::sleep(READ_AGAIN).await;
                return;
            }
        };
        let complete = read.len() < REFILL;
        let waiting = inner.letters(read);
        let weight: usize = waiting.iter().map(|waiting| waiting.letter.weight()).sum();
        let mut state = self.state();
        let before = state.window.len();
        let first_wait = waiting
            .first()
            .and_then(|waiting| waiting.due.next_attempt_at);
        state.window.end_refill(refill, waiting, complete);
        if state.window.len() > before {
            inner.weight.fetch_add(weight, Ordering::Relaxed);
        }
        if std::mem::take(&mut state.resuming) {
            state.not_before = first_wait.and_then(|at| remembered_wait(at, inner.now()));
        }
        debug_assert!(
            state.window.len() <= WINDOW_MAX,
            "a refill is smaller than the window"
        );
    }

    /// Makes one attempt with the oldest delivery.
    async fn send_next(self: &Arc<Self>, inner: &Arc<Inner>, line: &mut Line) {
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
        let Some((waiting, generation)) = self.state().window.take() else {
            return;
        };
        let due = &waiting.due;
        let url = &due.connector.webhook_url;
        line.prepare(url);
        let body = waiting.letter.body(due.connector.connector_type, due.form);
        let (started_at, started) = (inner.now(), Instant::now());
        let outcome = match &line.head {
            Some((_, head)) => inner.sender.post(url, head, &mut line.link, body).await,
            None => Err(PostError::Broken),
        };
        let family = Family::of(due.connector.connector_type, url.host());
        let (verdict, status_code) = judge(family, &outcome, due, started_at);
        let duration_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        line.used();
        if line.link.is_none() || inner.connections.are_wanted() {
            line.hang_up();
        }
        let attempt = Attempt {
            id: AttemptId::new(started_at, &*inner.random),
            started_at,
            duration_ms,
            outcome: outcome_of(&verdict),
            status_code,
            error: reason_of(&verdict).map(ToString::to_string),
            digest_size: 1,
        };
        tell(due, &attempt);
        self.conclude(inner, waiting, generation, verdict, attempt)
            .await;
    }

    /// Passes the outcome on to be recorded, and puts the delivery back if it is to be tried again.
    async fn conclude(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        mut waiting: Waiting,
        generation: u64,
        verdict: Verdict,
        attempt: Attempt,
    ) {
        let now = inner.now();
        let seq = waiting.due.seq;
        let next = self.next_of(inner, &verdict, waiting.due.form, now);
        let weight = waiting.letter.weight();
        {
            let mut state = self.state();
            state.unrecorded.push(seq);
            let kept = match next {
                NextStep::Again { form, .. } => {
                    waiting.due.form = form;
                    waiting.due.attempts += 1;
                    state.window.put_back(waiting, generation)
                }
                NextStep::End { .. } => false,
            };
            if !kept {
                inner.weight.fetch_sub(weight, Ordering::Relaxed);
            }
        }
        let ended = Ended {
            outcome: Outcome { seq, attempt, next },
            destination: Arc::clone(self),
        };
        // The recorder ends only with the store; what it did not record is sent again after the next start.
        drop(inner.recorder.send(ended).await);
    }

    /// How a delivery goes on, and how long its destination keeps away.
    fn next_of(&self, inner: &Inner, verdict: &Verdict, form: Form, now: Timestamp) -> NextStep {
        let end = |state, reason| NextStep::End {
            state,
            reason,
            at: now,
        };
        let arrived = || {
            let mut state = self.state();
            (state.failures, state.throttles, state.not_before) = (0, 0, None);
        };
        let again = |form, wait: Duration| {
            let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
            NextStep::Again {
                form,
                at: now.checked_add(wait).unwrap_or(now),
            }
        };
        match (verdict, form) {
            (Verdict::Delivered, _) => {
                arrived();
                end(DeliveryState::Delivered, None)
            }
            (Verdict::Accepted, _) => {
                arrived();
                end(DeliveryState::Accepted, None)
            }
            (Verdict::Throttled { wait, .. }, form) => again(form, self.throttled(*wait, inner)),
            (Verdict::Message(_), Form::Full) => again(Form::Plain, Duration::ZERO),
            (Verdict::Message(_), Form::Plain) => {
                end(DeliveryState::Failed, Some(EndReason::MessageRefused))
            }
            (Verdict::Transient(_) | Verdict::Destination(_), form) => {
                let mut state = self.state();
                state.failures += 1;
                let wait = backoff(state.failures, &*inner.random);
                state.not_before = Some(Instant::now() + wait);
                again(form, wait)
            }
        }
    }
}

/// The connection of a destination, its place among all connections, and the head of its requests.
#[derive(Default)]
struct Line {
    link: Option<Link>,
    permit: Option<OwnedSemaphorePermit>,
    head: Option<(WebhookUrl, RequestHead)>,
    last_used: Option<Instant>,
}

impl Line {
    /// Makes the head for this URL; a new URL also means a new connection.
    fn prepare(&mut self, url: &WebhookUrl) {
        if self.head.as_ref().is_none_or(|(known, _)| known != url) {
            self.link = None;
            self.head = RequestHead::of(url).map(|head| (url.clone(), head));
        }
    }

    fn used(&mut self) {
        self.last_used = Some(Instant::now());
    }

    fn hang_up(&mut self) {
        self.link = None;
        self.permit = None;
    }

    fn idle_since(&mut self) -> Instant {
        *self.last_used.get_or_insert_with(Instant::now)
    }

    fn is_idle_for_long(&mut self) -> bool {
        self.idle_since().elapsed() >= IDLE_MAX
    }

    async fn closed(&mut self) {
        match &mut self.link {
            Some(link) => link.closed().await,
            None => std::future::pending().await,
        }
    }
}

/// A wait that was recorded before a restart: as long as is left of it, and never longer than back-off gives.
fn remembered_wait(at: Timestamp, now: Timestamp) -> Option<Instant> {
    let left = Duration::try_from(at.duration_since(now)).ok()?;
    Some(Instant::now() + left.min(Duration::from_mins(5)))
}

/// What an attempt means, and the status code if there was an answer.
pub(crate) fn judge(
    family: Family,
    outcome: &Result<Posted, PostError>,
    due: &Due,
    now: Timestamp,
) -> (Verdict, Option<u16>) {
    match outcome {
        Ok(posted) => {
            let answer = answer_of(posted, due.form, due.attempts, now);
            (classify(family, &answer), Some(posted.status))
        }
        Err(PostError::Dns) if family == Family::Office365 => {
            let advice =
                "Office 365 connectors were retired; make a Workflows webhook and enter its URL";
            (
                Verdict::Destination(Reason::new(PostError::Dns.to_string(), advice)),
                None,
            )
        }
        Err(error) => (Verdict::Transient(Reason::new(error.to_string(), "")), None),
    }
}

/// An answer as the classification reads it.
pub(crate) fn answer_of(posted: &Posted, form: Form, attempts: u32, now: Timestamp) -> Answer<'_> {
    Answer {
        status: posted.status,
        phrase: &posted.phrase,
        retry_after: posted
            .retry_after
            .as_deref()
            .and_then(|header| retry_after(header, now)),
        body: &posted.body,
        form,
        attempts,
    }
}

fn outcome_of(verdict: &Verdict) -> AttemptOutcome {
    match verdict {
        Verdict::Delivered => AttemptOutcome::Delivered,
        Verdict::Accepted => AttemptOutcome::Accepted,
        Verdict::Throttled { .. } | Verdict::Transient(_) => AttemptOutcome::Retry,
        Verdict::Message(_) => AttemptOutcome::MessageRefused,
        Verdict::Destination(_) => AttemptOutcome::DestinationRefused,
    }
}

fn reason_of(verdict: &Verdict) -> Option<&Reason> {
    match verdict {
        Verdict::Delivered | Verdict::Accepted => None,
        Verdict::Throttled { reason, .. }
        | Verdict::Transient(reason)
        | Verdict::Message(reason)
        | Verdict::Destination(reason) => Some(reason),
    }
}

/// One line for each attempt that did not arrive, and one at `debug` for each that did.
fn tell(due: &Due, attempt: &Attempt) {
    let (alert, connector) = (due.alert_id, due.connector.id);
    match &attempt.error {
        None => tracing::debug!(
            alert.id = %alert, connector.id = %connector, delivery.id = %due.id, attempt.no = due.attempts + 1,
            duration_ms = attempt.duration_ms, "arrived"
        ),
        Some(error) => tracing::warn!(
            alert.id = %alert, connector.id = %connector, delivery.id = %due.id, attempt.no = due.attempts + 1,
            duration_ms = attempt.duration_ms, outcome = attempt.outcome.as_str(), status = attempt.status_code,
            reason = error, "did not arrive"
        ),
    }
}
