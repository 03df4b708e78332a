//! The two writers of a replica: one accepts alerts, one records outcomes. Each drains its queue into one transaction, so
//! that requests that wait at the same moment share a commit, and groups grow as the load does.

use std::{sync::Arc, time::Duration};

use alert_connectors_store::{Event, GroupMeters, Recorded, Report, StoreError};
use alert_connectors_tasks::Tasks;
use deadpool_postgres::Pool;
use tokio::{
    sync::{mpsc, oneshot},
    time::{self, Instant},
};

use crate::{
    error::{is_of_values, is_repeatable},
    group::{Answer, Request},
    intake::Numbers,
    record,
    session::{Pools, Session, within},
};

/// Requests that may wait for a writer; a caller beyond that waits to be let in.
const WAITING_MAX: usize = 1_024;
/// At most this many requests share a commit, which bounds how long one takes.
const GROUP_MAX: usize = 512;
/// No more share a commit once it has this many alerts and deliveries, or outcomes.
const GROUP_ROWS_MAX: usize = 8_000;
/// A group of so many is large: the next begins a while after it at the soonest, so that more share it. In calm nobody waits.
const MANY: usize = 16;
/// How long after a large group of requests the next begins. Somebody waits for the answer.
const ACCEPT_EVERY: Duration = Duration::from_millis(3);
/// How long after a large group of reports the next begins.
const RECORD_EVERY: Duration = Duration::from_millis(6);
/// A group that met another transaction is tried so often.
const TRIES: usize = 4;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;
type ToRecord = (Arc<[Report]>, Reply<Vec<Recorded>>);

pub(crate) struct Writer {
    accept: mpsc::Sender<(Request, Reply<Answer>)>,
    record: mpsc::Sender<ToRecord>,
}

impl Writer {
    /// Starts both. They end when the last handle is gone.
    pub(crate) fn start(
        tasks: &Tasks,
        pools: &Pools,
        events: &mpsc::Sender<Vec<Event>>,
        numbers: Numbers,
        meters: &GroupMeters,
    ) -> Self {
        let (accept, to_accept) = mpsc::channel(WAITING_MAX);
        let (record, to_record) = mpsc::channel(WAITING_MAX);
        let accepting = Accepting {
            pool: pools.intake().clone(),
            waiting: to_accept,
            events: events.clone(),
            numbers,
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

    /// Accepts or resolves. A caller who is not answered in time is told so; what it asked for is then dropped if it was
    /// not begun yet.
    pub(crate) async fn accept(&self, request: Request) -> Result<Answer, StoreError> {
        within(ask(&self.accept, request)).await
    }

    pub(crate) async fn record(&self, reports: Arc<[Report]>) -> Result<Vec<Recorded>, StoreError> {
        ask(&self.record, reports).await
    }
}

async fn ask<Q, A>(queue: &mpsc::Sender<(Q, Reply<A>)>, question: Q) -> Result<A, StoreError> {
    let (reply, answer) = oneshot::channel();
    queue
        .send((question, reply))
        .await
        .map_err(|_closed| StoreError::Stopped)?;
    answer.await.map_err(|_closed| StoreError::Stopped)?
}

/// What waits at this moment, within the bounds of a group; nothing once the queue is closed. Whoever gave up is left out.
async fn next_group<Q, A>(
    waiting: &mut mpsc::Receiver<(Q, Reply<A>)>,
    rows: impl Fn(&Q) -> usize,
) -> Option<(Vec<Q>, Vec<Reply<A>>)> {
    let (mut questions, mut replies, mut total) = (Vec::new(), Vec::new(), 0);
    let mut next = Some(waiting.recv().await?);
    while let Some((question, reply)) = next {
        if !reply.is_closed() {
            total += rows(&question);
            questions.push(question);
            replies.push(reply);
        }
        if questions.len() >= GROUP_MAX || total >= GROUP_ROWS_MAX {
            break;
        }
        next = waiting.try_recv().ok();
    }
    Some((questions, replies))
}

fn answer<A>(replies: Vec<Reply<A>>, outcome: Result<Vec<A>, StoreError>) {
    match outcome {
        Ok(answers) => {
            for (reply, answer) in replies.into_iter().zip(answers) {
                drop(reply.send(Ok(answer)));
            }
        }
        Err(error) => {
            for reply in replies {
                drop(reply.send(Err(error.shared())));
            }
        }
    }
}

struct Accepting {
    pool: Pool,
    waiting: mpsc::Receiver<(Request, Reply<Answer>)>,
    events: mpsc::Sender<Vec<Event>>,
    numbers: Numbers,
    meters: GroupMeters,
}

impl Accepting {
    async fn run(mut self) {
        let mut next_at = Instant::now();
        loop {
            time::sleep_until(next_at).await;
            let Some((requests, replies)) = next_group(&mut self.waiting, Request::rows).await
            else {
                return;
            };
            if requests.is_empty() {
                continue;
            }
            let started = Instant::now();
            if requests.len() >= MANY {
                next_at = started + ACCEPT_EVERY;
            }
            let mut outcome = self.run_group(&requests).await;
            for _ in 1..TRIES {
                if outcome.as_ref().is_err_and(is_repeatable) {
                    outcome = self.run_group(&requests).await;
                }
            }
            self.meters.ended(requests.len(), started.elapsed());
            if outcome.as_ref().is_err_and(is_of_values) && requests.len() > 1 {
                for (request, reply) in requests.into_iter().zip(replies) {
                    let outcome = self.run_group(&[request]).await;
                    self.answer(vec![reply], outcome).await;
                }
            } else {
                self.answer(replies, outcome).await;
            }
        }
    }

    async fn answer(
        &self,
        replies: Vec<Reply<Answer>>,
        outcome: Result<(Vec<Answer>, Vec<Event>), StoreError>,
    ) {
        let (answers, events) = match outcome {
            Ok((answers, events)) => (Ok(answers), events),
            Err(error) => (Err(error), Vec::new()),
        };
        answer(replies, answers);
        if !events.is_empty() {
            drop(self.events.send(events).await);
        }
    }

    async fn run_group(
        &mut self,
        requests: &[Request],
    ) -> Result<(Vec<Answer>, Vec<Event>), StoreError> {
        within(Box::pin(async {
            let session = Session::of(&self.pool).await?;
            let done = self.numbers.run_group(&session, requests).await?;
            session.done();
            Ok(done)
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
        let rows =
            |reports: &Arc<[Report]>| reports.iter().map(|report| report.outcomes.len()).sum();
        let mut next_at = Instant::now();
        loop {
            time::sleep_until(next_at).await;
            let Some((sets, replies)) = next_group(&mut self.waiting, rows).await else {
                return;
            };
            let reports: Vec<&Report> = sets.iter().flat_map(|set| set.iter()).collect();
            if reports.is_empty() {
                answer(replies, Ok(vec![Vec::new(); sets.len()]));
                continue;
            }
            let started = Instant::now();
            if reports.len() >= MANY {
                next_at = started + RECORD_EVERY;
            }
            let mut outcome = self.run_group(&reports).await;
            for _ in 1..TRIES {
                if outcome.as_ref().is_err_and(is_repeatable) {
                    outcome = self.run_group(&reports).await;
                }
            }
            let outcome = outcome.map(|recorded| {
                let mut recorded = recorded.into_iter();
                sets.iter()
                    .map(|set| recorded.by_ref().take(rows(set)).collect())
                    .collect()
            });
            self.meters.ended(reports.len(), started.elapsed());
            answer(replies, outcome);
        }
    }

    async fn run_group(&self, reports: &[&Report]) -> Result<Vec<Recorded>, StoreError> {
        within(async {
            let session = Session::of(&self.pool).await?;
            let recorded = record::reports(&session, reports).await?;
            session.done();
            Ok(recorded)
        })
        .await
    }
}
