//! The two writers of a replica: one accepts alerts, one records outcomes. Each drains its queue into one transaction, so
//! that requests that wait at the same moment share a commit, and groups grow as the load does.

use std::{sync::Arc, time::Duration};

use alert_connectors_store::{
    GroupMeters, Recorded, Report, StoreError, StoreEvent,
    group::{GROUP_MAX, GROUP_ROWS_MAX, WAITING_MAX},
};
use alert_connectors_tasks::Tasks;
use tokio::{
    sync::mpsc,
    time::{self, Instant},
};

use crate::{
    asked::{Asked, Groupable},
    connection::{Connection, Pool, Pools, within},
    error::{is_of_values, is_repeatable},
    intake::{IntakeGroups, Job},
    record,
};

/// A group of this many is large: the next one begins a while later, which lets more requests share it. Small groups do not
/// wait.
const MANY: usize = 16;
/// How long after a large group of requests the next begins; it is short, since callers wait for the answers.
const ACCEPT_EVERY: Duration = Duration::from_millis(3);
/// How long after a large group of reports the next begins.
const RECORD_EVERY: Duration = Duration::from_millis(6);
/// A group that met another transaction is tried so often.
const TRIES: usize = 4;

type ToRecord = Asked<Arc<[Report]>, Vec<Recorded>>;

impl Groupable for ToRecord {
    fn rows(&self) -> usize {
        let outcomes = self.question.iter().map(|report| report.outcomes.len());
        outcomes.sum()
    }

    fn is_abandoned(&self) -> bool {
        self.is_abandoned()
    }

    fn reply(self, outcome: Result<(), StoreError>) {
        self.reply(outcome);
    }
}

pub(crate) struct Writer {
    accept: mpsc::Sender<Job>,
    record: mpsc::Sender<ToRecord>,
}

impl Writer {
    /// Starts both. They end when the last handle is gone.
    pub(crate) fn start(
        tasks: &Tasks,
        pools: &Pools,
        events: &mpsc::Sender<Vec<StoreEvent>>,
        groups: IntakeGroups,
        meters: &GroupMeters,
    ) -> Self {
        let (accept, to_accept) = mpsc::channel(WAITING_MAX);
        let (record, to_record) = mpsc::channel(WAITING_MAX);
        let accepting = Accepting {
            pool: pools.intake().clone(),
            waiting: to_accept,
            events: events.clone(),
            groups,
            meters: meters.clone(),
        };
        tasks.worker("postgres-intake", accepting.run());
        let recording = Recording {
            pool: pools.record().clone(),
            waiting: to_record,
            meters: meters.clone(),
        };
        tasks.worker("postgres-records", recording.run());
        Self { accept, record }
    }

    /// Asks for something in the next group. A caller who is not answered in time is told so; the question is then dropped
    /// if its group was not begun yet.
    pub(crate) async fn accept<Q, A>(
        &self,
        question: Q,
        job: impl FnOnce(Asked<Q, A>) -> Job,
    ) -> Result<A, StoreError> {
        within(ask(&self.accept, question, job)).await
    }

    pub(crate) async fn record(&self, reports: Arc<[Report]>) -> Result<Vec<Recorded>, StoreError> {
        if reports.is_empty() {
            return Ok(Vec::new());
        }
        ask(&self.record, reports, |asked| asked).await
    }
}

async fn ask<Q, A, J>(
    queue: &mpsc::Sender<J>,
    question: Q,
    job: impl FnOnce(Asked<Q, A>) -> J,
) -> Result<A, StoreError> {
    let (asked, answered) = Asked::new(question);
    queue
        .send(job(asked))
        .await
        .map_err(|_closed| StoreError::Stopped)?;
    answered.await.map_err(|_closed| StoreError::Stopped)?
}

/// What waits at this moment, within the bounds of a group; nothing once the queue is closed. Abandoned jobs are left out.
async fn next_group<J: Groupable>(waiting: &mut mpsc::Receiver<J>) -> Option<Vec<J>> {
    let (mut jobs, mut rows) = (Vec::new(), 0);
    let mut next = Some(waiting.recv().await?);
    while let Some(job) = next {
        if !job.is_abandoned() {
            rows += job.rows();
            jobs.push(job);
        }
        if jobs.len() >= GROUP_MAX || rows >= GROUP_ROWS_MAX {
            break;
        }
        next = waiting.try_recv().ok();
    }
    Some(jobs)
}

/// Answers everyone in a group.
fn reply_all<J: Groupable>(jobs: Vec<J>, outcome: &Result<(), StoreError>) {
    for job in jobs {
        job.reply(match outcome {
            Ok(()) => Ok(()),
            Err(error) => Err(error.shared()),
        });
    }
}

struct Accepting {
    pool: Pool,
    waiting: mpsc::Receiver<Job>,
    events: mpsc::Sender<Vec<StoreEvent>>,
    groups: IntakeGroups,
    meters: GroupMeters,
}

impl Accepting {
    async fn run(mut self) {
        let mut next_at = Instant::now();
        loop {
            time::sleep_until(next_at).await;
            let Some(mut jobs) = next_group(&mut self.waiting).await else {
                return;
            };
            if jobs.is_empty() {
                continue;
            }
            let started = Instant::now();
            if jobs.len() >= MANY {
                next_at = started + ACCEPT_EVERY;
            }
            let mut outcome = self.run_group(&mut jobs).await;
            for _ in 1..TRIES {
                if outcome.as_ref().is_err_and(is_repeatable) {
                    outcome = self.run_group(&mut jobs).await;
                }
            }
            self.meters.ended(jobs.len(), started.elapsed());
            if outcome.as_ref().is_err_and(is_of_values) && jobs.len() > 1 {
                for job in jobs {
                    let mut alone = vec![job];
                    let outcome = self.run_group(&mut alone).await;
                    self.finish(alone, outcome).await;
                }
            } else {
                self.finish(jobs, outcome).await;
            }
        }
    }

    /// Answers everyone in a group, and passes its events on.
    async fn finish(&self, jobs: Vec<Job>, outcome: Result<Vec<StoreEvent>, StoreError>) {
        let (outcome, events) = match outcome {
            Ok(events) => (Ok(()), events),
            Err(error) => (Err(error), Vec::new()),
        };
        reply_all(jobs, &outcome);
        if !events.is_empty() {
            drop(self.events.send(events).await);
        }
    }

    async fn run_group(&mut self, jobs: &mut [Job]) -> Result<Vec<StoreEvent>, StoreError> {
        within(Box::pin(async {
            let connection = Connection::of(&self.pool).await?;
            let events = self.groups.run(&connection, jobs).await?;
            connection.done()?;
            Ok(events)
        }))
        .await
    }
}

struct Recording {
    pool: Pool,
    waiting: mpsc::Receiver<ToRecord>,
    meters: GroupMeters,
}

impl Recording {
    async fn run(mut self) {
        let mut next_at = Instant::now();
        loop {
            time::sleep_until(next_at).await;
            let Some(mut jobs) = next_group(&mut self.waiting).await else {
                return;
            };
            if jobs.is_empty() {
                continue;
            }
            let started = Instant::now();
            let count = jobs.iter().map(|job| job.question.len()).sum();
            if count >= MANY {
                next_at = started + RECORD_EVERY;
            }
            let mut outcome = self.run_group(&mut jobs).await;
            for _ in 1..TRIES {
                if outcome.as_ref().is_err_and(is_repeatable) {
                    outcome = self.run_group(&mut jobs).await;
                }
            }
            self.meters.ended(count, started.elapsed());
            reply_all(jobs, &outcome);
        }
    }

    async fn run_group(&self, jobs: &mut [ToRecord]) -> Result<(), StoreError> {
        let reports = jobs.iter().flat_map(|job| job.question.iter());
        let reports: Vec<&Report> = reports.collect();
        let recorded = within(async {
            let connection = Connection::of(&self.pool).await?;
            let recorded = record::reports(&connection, &reports).await?;
            connection.done()?;
            Ok(recorded)
        })
        .await?;
        let mut recorded = recorded.into_iter();
        for job in jobs {
            let rows = job.rows();
            job.answer(recorded.by_ref().take(rows).collect());
        }
        Ok(())
    }
}
