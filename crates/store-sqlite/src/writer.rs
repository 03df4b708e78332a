//! The one writer: it drains its queue into one transaction, so that requests that wait at the same moment share a commit.

use std::{sync::Arc, thread, time::Instant};

use alert_connectors_model::Random;
use alert_connectors_store::{
    Acceptance, GroupMeters, Recorded, Report, Resolution, StoreError, StoreEvent, Submission, Use,
    accept::ResolveRequest,
    group::{EVENT_GROUPS_MAX, GROUP_MAX, GROUP_ROWS_MAX, WAITING_MAX},
    stored::IDENTITY_VERSION,
};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    SqliteStore,
    checkpoint::Checkpoint,
    cut_log::LogLength,
    error::{ChangeFailed, Failure, fatal, meaning},
    intake,
    ledger::LedgerCache,
    log_loss::{end_use, move_what_can_be},
    queue,
    thread_watch::ThreadWatch,
};

pub(crate) struct Writer {
    jobs: mpsc::Sender<Message>,
}

enum Job {
    Accept(Submission, oneshot::Sender<Result<Acceptance, StoreError>>),
    Record(
        Arc<[Report]>,
        oneshot::Sender<Result<Vec<Recorded>, StoreError>>,
    ),
    Resolve(
        ResolveRequest,
        oneshot::Sender<Result<Resolution, StoreError>>,
    ),
    Change(Box<dyn Change>),
}

/// What reaches the thread.
enum Message {
    Job(Job),
    /// The log is to be moved into the database.
    MoveLog(oneshot::Sender<bool>),
}

/// Something rare, done in the group's transaction.
trait Change: Send {
    /// Makes it. If it fails, its caller gets the error at once.
    fn run(
        self: Box<Self>,
        connection: &Connection,
        events: &mut Vec<StoreEvent>,
    ) -> Result<Finish, StoreError>;

    /// The answer where it was not done because its group failed.
    fn refused(self: Box<Self>) -> Finish;
}

struct OneChange<F, T> {
    change: F,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Change for OneChange<F, T>
where
    F: FnOnce(&Connection, &mut Vec<StoreEvent>) -> Result<T, Failure> + Send,
    T: Send + 'static,
{
    fn run(
        self: Box<Self>,
        connection: &Connection,
        events: &mut Vec<StoreEvent>,
    ) -> Result<Finish, StoreError> {
        let Self { change, answer } = *self;
        match change(connection, events) {
            Ok(value) => Ok(finish_with(answer, value)),
            Err(failure) => {
                let error = StoreError::from(failure);
                let told = error.shared();
                reply(answer, Err(error));
                Err(told)
            }
        }
    }

    fn refused(self: Box<Self>) -> Finish {
        refusal(self.answer)
    }
}

/// Answers a caller once it is known whether the group was committed.
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

impl Writer {
    /// Starts the thread. It ends when the last handle is gone, or when the database can't be used any more.
    pub(crate) fn start(
        connection: Connection,
        failed: watch::Sender<Option<String>>,
        random: Arc<dyn Random>,
        meters: GroupMeters,
        checkpoint: Checkpoint,
        log: LogLength,
        used_by: Use,
    ) -> std::io::Result<(Self, mpsc::Receiver<Vec<StoreEvent>>)> {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let (events, event_groups) = mpsc::channel(EVENT_GROUPS_MAX);
        let cache = LedgerCache::new(&connection).map_err(std::io::Error::other)?;
        let thread = WriterThread {
            connection,
            waiting,
            large: None,
            events,
            failed,
            cache,
            random,
            meters,
            checkpoint,
            log,
            used_by,
        };
        thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || thread.run())?;
        Ok((Self { jobs }, event_groups))
    }

    async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.jobs
            .send(Message::Job(job(answer)))
            .await
            .map_err(|_closed| StoreError::Stopped)?;
        answered.await.map_err(|_closed| StoreError::Stopped)?
    }

    pub(crate) async fn accept(&self, submission: Submission) -> Result<Acceptance, StoreError> {
        self.ask(|answer| Job::Accept(submission, answer)).await
    }

    pub(crate) async fn record(&self, reports: Arc<[Report]>) -> Result<Vec<Recorded>, StoreError> {
        self.ask(|answer| Job::Record(reports, answer)).await
    }

    pub(crate) async fn resolve_problem(
        &self,
        request: ResolveRequest,
    ) -> Result<Resolution, StoreError> {
        self.ask(|answer| Job::Resolve(request, answer)).await
    }
}

impl SqliteStore {
    /// Moves the log into the database, after all previous requests. A clean stop does so. Returns whether all of it was moved; what
    /// another program reads stays beside the database.
    pub async fn move_log(&self) -> bool {
        let (moved, waiting) = oneshot::channel();
        let asked = self.shared.writer.jobs.send(Message::MoveLog(moved)).await;
        // A writer that has ended has nothing to move.
        asked.is_err() || waiting.await.unwrap_or(true)
    }

    /// Runs a change in the writer's next group; the answer comes once it is on disk.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection, &mut Vec<StoreEvent>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let at_identity_version = self.mandate.identity_version;
        let change = move |connection: &Connection, events: &mut Vec<StoreEvent>| {
            if !is_current(connection, at_identity_version)? {
                return Err(StoreError::Stale.into());
            }
            change(connection, events)
        };
        self.shared
            .writer
            .ask(|answer| Job::Change(Box::new(OneChange { change, answer })))
            .await
    }
}

/// Whether identity still has the version that the caller was authorised at.
fn is_current(connection: &Connection, at_identity_version: Option<i64>) -> rusqlite::Result<bool> {
    let Some(at_identity_version) = at_identity_version else {
        return Ok(true);
    };
    let version: i64 = connection
        .prepare_cached(IDENTITY_VERSION)?
        .query_row([], |row| row.get(0))?;
    Ok(version == at_identity_version)
}

/// Answers a caller, who may have gone away.
fn reply<T>(answer: oneshot::Sender<T>, value: T) {
    drop(answer.send(value));
}

struct WriterThread {
    connection: Connection,
    waiting: mpsc::Receiver<Message>,
    /// A large request that was met while a group was gathered: it is the next group.
    large: Option<Job>,
    events: mpsc::Sender<Vec<StoreEvent>>,
    failed: watch::Sender<Option<String>>,
    cache: LedgerCache,
    random: Arc<dyn Random>,
    meters: GroupMeters,
    checkpoint: Checkpoint,
    log: LogLength,
    used_by: Use,
}

impl WriterThread {
    fn run(mut self) {
        let _watched = ThreadWatch::new("the thread that writes the database", self.failed.clone());
        while let Some(first) = self.next() {
            if self.failed.borrow().is_some() {
                // A reader found the database broken: nothing more is accepted, and callers get an error at once.
                return;
            }
            let (group, asked) = self.drain(first);
            let is_fatal = !group.is_empty() && self.work(group);
            if is_fatal {
                return;
            }
            if let Some(moved) = asked {
                self.move_log(moved);
            }
        }
    }

    /// Commits a group. Returns whether the database can't be used any more.
    fn work(&mut self, group: Vec<Job>) -> bool {
        if let Some(happened) = self.log.what_happened(&self.connection) {
            self.failed.send_replace(Some(happened));
            return true;
        }
        let (size, started) = (group.len(), Instant::now());
        let outcome = self.commit(group);
        self.checkpoint.after_commit(&self.connection);
        self.meters.ended(size, started.elapsed());
        match outcome {
            Err(StoreError::Full(_)) => self.make_room(),
            Err(StoreError::Fatal(reason)) => {
                self.failed.send_replace(Some(fatal(&reason)));
                return true;
            }
            _ => {}
        }
        false
    }

    /// On a full disk the log may hold the same pages many times. Once they are in the database, SQLite writes the log
    /// from its beginning again. If that fails too, no room can be made.
    fn make_room(&self) {
        drop(
            self.connection
                .execute_batch("PRAGMA wal_checkpoint(RESTART)"),
        );
    }

    /// Moves the log: a cold copy of the database file alone is complete then. Answers whether all of it was moved: if a reader or
    /// another program is in the way, the rest stays beside it, and the next start reads it.
    fn move_log(&self, moved: oneshot::Sender<bool>) {
        let all = match self.used_by {
            Use::Server => end_use(&self.connection),
            // A server may use the database beside this command, and its log with it.
            Use::Command | Use::Founding | Use::Migration | Use::CopySource | Use::CopyTarget => {
                move_what_can_be(&self.connection)
            }
        };
        reply(moved, all.unwrap_or(false));
    }

    /// Waits for the next message; `None` once no more can come.
    fn next(&mut self) -> Option<Message> {
        let large = self.large.take().map(Message::Job);
        large.or_else(|| self.waiting.blocking_recv())
    }

    /// All that waits at this moment, within the bounds of a group; and the request to move the log after it, if one
    /// came.
    fn drain(&mut self, first: Message) -> (Vec<Job>, Option<oneshot::Sender<bool>>) {
        let (mut group, mut rows) = (Vec::new(), 0);
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Job(job) if !group.is_empty() && job.is_large() => {
                    self.large = Some(job);
                    break;
                }
                Message::Job(job) => {
                    let is_alone = job.is_large();
                    rows += job.rows();
                    group.push(job);
                    if is_alone {
                        break;
                    }
                }
                Message::MoveLog(moved) => return (group, Some(moved)),
            }
            if group.len() >= GROUP_MAX || rows >= GROUP_ROWS_MAX {
                break;
            }
            next = self.waiting.try_recv().ok();
        }
        (group, None)
    }

    /// Runs a group in one transaction and answers every caller in it. A change that fails does so alone, unless the
    /// database gave up the whole transaction; any other job that fails takes the group with it.
    fn commit(&mut self, group: Vec<Job>) -> Result<(), StoreError> {
        let mut finishes: Vec<Finish> = Vec::with_capacity(group.len());
        let mut events = Vec::new();
        let outcome = self.run_group(group, &mut finishes, &mut events);
        self.log.measure();
        if outcome.is_err() {
            self.cache.forget_numbers();
        }
        for finish in finishes {
            finish(match &outcome {
                Ok(()) => Ok(()),
                Err(error) => Err(error.shared()),
            });
        }
        if outcome.is_ok() && !events.is_empty() {
            // In a command, no engine receives them.
            drop(self.events.blocking_send(events));
        }
        outcome
    }

    fn run_group(
        &mut self,
        group: Vec<Job>,
        finishes: &mut Vec<Finish>,
        events: &mut Vec<StoreEvent>,
    ) -> Result<(), StoreError> {
        let transaction = match rusqlite::Transaction::new_unchecked(
            &self.connection,
            TransactionBehavior::Immediate,
        ) {
            Ok(transaction) => transaction,
            Err(error) => {
                finishes.extend(group.into_iter().map(Job::refused));
                return Err(meaning(error));
            }
        };
        if let Err(error) = self.cache.begin(&transaction) {
            finishes.extend(group.into_iter().map(Job::refused));
            return Err(meaning(error));
        }
        let mut jobs = group.into_iter();
        while let Some(job) = jobs.next() {
            let events_before = events.len();
            let (cache, random) = (&mut self.cache, &*self.random);
            let done = match job {
                Job::Change(change) => {
                    let done =
                        in_savepoint(&transaction, |connection| change.run(connection, events));
                    cache.forget_versions();
                    done
                }
                Job::Accept(submission, answer) => {
                    let done = intake::accept(&transaction, cache, random, &submission, events);
                    answer_later(answer, done, finishes)
                }
                Job::Record(reports, answer) => {
                    answer_later(answer, queue::record(&transaction, &reports), finishes)
                }
                Job::Resolve(request, answer) => {
                    let done = intake::resolve(&transaction, cache, random, &request, events);
                    answer_later(answer, done, finishes)
                }
            };
            match done {
                Ok(finish) => finishes.push(finish),
                Err(ChangeFailed::Alone) => events.truncate(events_before),
                Err(ChangeFailed::Group(error)) => {
                    finishes.extend(jobs.map(Job::refused));
                    return Err(error);
                }
            }
        }
        transaction.commit().map_err(meaning)
    }
}

fn in_savepoint(
    connection: &Connection,
    change: impl FnOnce(&Connection) -> Result<Finish, StoreError>,
) -> Result<Finish, ChangeFailed> {
    connection.execute_batch("SAVEPOINT one_change")?;
    match change(connection) {
        Ok(finish) => {
            connection.execute_batch("RELEASE one_change")?;
            Ok(finish)
        }
        Err(error) if connection.is_autocommit() => Err(ChangeFailed::Group(error)),
        Err(_told) => {
            connection.execute_batch("ROLLBACK TO one_change; RELEASE one_change")?;
            Err(ChangeFailed::Alone)
        }
    }
}

/// Keeps the answer to a job, or its refusal, until its group is committed.
fn answer_later<T: Send + 'static>(
    answer: oneshot::Sender<Result<T, StoreError>>,
    done: Result<T, Failure>,
    finishes: &mut Vec<Finish>,
) -> Result<Finish, ChangeFailed> {
    match done {
        Ok(value) => Ok(finish_with(answer, value)),
        Err(failure) => {
            finishes.push(refusal(answer));
            Err(failure.into())
        }
    }
}

fn finish_with<T: Send + 'static>(
    answer: oneshot::Sender<Result<T, StoreError>>,
    value: T,
) -> Finish {
    Box::new(move |committed| reply(answer, committed.map(|()| value)))
}

fn refusal<T: Send + 'static>(answer: oneshot::Sender<Result<T, StoreError>>) -> Finish {
    Box::new(move |committed| reply(answer, Err(committed.err().unwrap_or(StoreError::Stopped))))
}

impl Job {
    fn rows(&self) -> usize {
        match self {
            Self::Accept(submission, _) => submission.rows(),
            Self::Record(reports, _) => reports.iter().map(|report| report.outcomes.len()).sum(),
            Self::Resolve(..) | Self::Change(_) => 1,
        }
    }

    /// Whether it has a group of its own, so that no other request waits for its commit too.
    fn is_large(&self) -> bool {
        matches!(self, Self::Accept(submission, _) if submission.is_large())
    }

    /// The answer to a job that was not run because its group failed.
    fn refused(self) -> Finish {
        match self {
            Self::Accept(_, answer) => refusal(answer),
            Self::Record(_, answer) => refusal(answer),
            Self::Resolve(_, answer) => refusal(answer),
            Self::Change(change) => change.refused(),
        }
    }
}

#[cfg(test)]
mod tests;
