//! A queue in memory, in the place of a store.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};

use alert_connectors_model::{Connector, ConnectorId, DeliveryState, Fingerprint, Space, SpaceId};
use alert_connectors_store::{
    Backlog, BatchQuery, DestinationHealth, DestinationState, DigestBatch, DigestEntry,
    Disposition, Expiry, Form, HealthState, OpeningState, Outcome, PendingDelivery, Queue,
    Recorded, Report, StoreError, StoreEvent,
};
use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};

use crate::leases::LeaseBook;

/// A queue in memory. What ended is kept, so that it can be revived and asked for.
pub(crate) struct MemoryQueue {
    pub(crate) owed: Mutex<Vec<PendingDelivery>>,
    pub(crate) ended: Mutex<Vec<(PendingDelivery, DeliveryState)>>,
    pub(crate) outcomes: Mutex<Vec<Outcome>>,
    pub(crate) health: Mutex<DestinationHealth>,
    /// Every one that was recorded, in their order.
    pub(crate) healths: Mutex<Vec<DestinationHealth>>,
    pub(crate) full: watch::Sender<bool>,
    /// How often recording was refused.
    pub(crate) refused: AtomicUsize,
    /// How many deliveries were read.
    pub(crate) read: AtomicUsize,
    /// How often deliveries were read.
    pub(crate) reads: AtomicUsize,
    /// The version of identity and spaces.
    pub(crate) version: AtomicI64,
    pub(crate) events: mpsc::Sender<Vec<StoreEvent>>,
    pub(crate) heard: AsyncMutex<mpsc::Receiver<Vec<StoreEvent>>>,
    /// Every report that was recorded, in their order.
    pub(crate) reports: Mutex<Vec<Report>>,
    pub(crate) leases: Option<LeaseBook>,
}

impl MemoryQueue {
    pub(crate) fn new() -> Arc<Self> {
        Self::with(None)
    }

    /// One that another server works too.
    pub(crate) fn shared() -> Arc<Self> {
        Self::with(Some(LeaseBook::default()))
    }

    fn with(leases: Option<LeaseBook>) -> Arc<Self> {
        let (events, heard) = mpsc::channel(16);
        let (full, _) = watch::channel(false);
        let heard = AsyncMutex::new(heard);
        Arc::new(Self {
            owed: Mutex::default(),
            ended: Mutex::default(),
            outcomes: Mutex::default(),
            health: Mutex::default(),
            healths: Mutex::default(),
            full,
            refused: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            version: AtomicI64::new(1),
            events,
            heard,
            reports: Mutex::default(),
            leases,
        })
    }

    pub(crate) async fn push(&self, dues: Vec<PendingDelivery>) {
        self.owed.lock().unwrap().extend(dues.clone());
        self.tell(dues.into_iter().map(StoreEvent::Queued).collect())
            .await;
    }

    pub(crate) async fn tell(&self, events: Vec<StoreEvent>) {
        self.events.send(events).await.unwrap();
    }

    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        self.outcomes.lock().unwrap().clone()
    }

    pub(crate) fn health(&self) -> DestinationHealth {
        self.health.lock().unwrap().clone()
    }

    fn apply(&self, outcome: &Outcome) {
        let mut owed = self.owed.lock().unwrap();
        match outcome.disposition {
            Disposition::End { state, .. } => {
                let ended = owed.iter().find(|due| due.seq == outcome.seq).cloned();
                owed.retain(|due| due.seq != outcome.seq);
                self.ended
                    .lock()
                    .unwrap()
                    .extend(ended.map(|due| (due, state)));
            }
            Disposition::Retry { form, .. } => {
                for due in owed.iter_mut().filter(|due| due.seq == outcome.seq) {
                    due.form = form;
                    due.attempts += u32::from(outcome.attempt.is_some());
                }
            }
        }
    }

    fn revive(&self, seq: i64) {
        let mut ended = self.ended.lock().unwrap();
        if let Some(at) = ended.iter().position(|(due, _)| due.seq == seq) {
            let (mut due, _) = ended.remove(at);
            due.form = Form::Full;
            let mut owed = self.owed.lock().unwrap();
            owed.push(due);
            owed.sort_by_key(|due| due.seq);
        }
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn version(&self) -> Result<i64, StoreError> {
        Ok(self.version.load(Ordering::SeqCst))
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let owed = self.owed.lock().unwrap();
        let mut owed: Vec<_> = owed.iter().map(|due| due.connector.destination).collect();
        owed.dedup();
        Ok(Backlog {
            pending: owed,
            troubled: Vec::new(),
            queued_elsewhere: false,
        })
    }

    async fn destination_state(
        &self,
        _destination: Fingerprint,
        _now: Timestamp,
    ) -> Result<DestinationState, StoreError> {
        Ok(DestinationState {
            health: self.health(),
            last_request_at: None,
        })
    }

    async fn pending(
        &self,
        destination: Fingerprint,
        after: i64,
        at_most: usize,
        _expiry: Expiry,
    ) -> Result<Vec<PendingDelivery>, StoreError> {
        let owed = self.owed.lock().unwrap();
        let wanted = owed
            .iter()
            .filter(|due| due.connector.destination == destination && due.seq > after);
        let wanted: Vec<PendingDelivery> = wanted.take(at_most).cloned().collect();
        self.read.fetch_add(wanted.len(), Ordering::SeqCst);
        self.reads.fetch_add(1, Ordering::SeqCst);
        Ok(wanted)
    }

    async fn digest_batch(
        &self,
        destination: Fingerprint,
        query: BatchQuery,
    ) -> Result<Option<DigestBatch>, StoreError> {
        let due = self
            .pending(destination, query.from - 1, usize::MAX, query.expiry)
            .await?;
        let Some(first) = due.first() else {
            return Ok(None);
        };
        let mine = due
            .iter()
            .filter(|due| due.connector.id == first.connector.id);
        let entry = |(at, due): (usize, &PendingDelivery)| DigestEntry {
            seq: due.seq,
            id: due.id,
            alert_id: due.alert_id,
            kind: due.kind,
            opening: due.opening,
            severity: due.alert.severity,
            status: due.alert.status,
            attempts: due.attempts,
            created_at: due.created_at,
            trace: due.trace,
            alert: (at < query.in_full).then(|| Arc::clone(&due.alert)),
        };
        Ok(Some(DigestBatch {
            space: Arc::clone(&first.space),
            connector: Arc::clone(&first.connector),
            entries: mine.take(query.at_most).enumerate().map(entry).collect(),
        }))
    }

    async fn opening(&self, follow_up: i64, _expiry: Expiry) -> Result<OpeningState, StoreError> {
        let owed = self.owed.lock().unwrap();
        let Some(asked) = owed.iter().find(|due| due.seq == follow_up) else {
            return Ok(OpeningState::Undelivered);
        };
        let before = self.ended.lock().unwrap();
        let arrived = before.iter().any(|(due, state)| {
            due.alert_id == asked.alert_id && *state == DeliveryState::Delivered
        });
        Ok(if arrived {
            OpeningState::Arrived
        } else {
            OpeningState::Undelivered
        })
    }

    async fn connectors_of(
        &self,
        destination: Fingerprint,
    ) -> Result<Vec<(Arc<Space>, Arc<Connector>)>, StoreError> {
        let owed = self.owed.lock().unwrap();
        let ended = self.ended.lock().unwrap();
        let mut all = owed.iter().chain(ended.iter().map(|(due, _)| due));
        let one = all.find(|due| due.connector.destination == destination);
        Ok(one
            .map(|due| (Arc::clone(&due.space), Arc::clone(&due.connector)))
            .into_iter()
            .collect())
    }

    async fn health_states(
        &self,
        destination: Fingerprint,
    ) -> Result<Vec<(SpaceId, ConnectorId, HealthState)>, StoreError> {
        let health = self.health();
        let found = self.connectors_of(destination).await?.into_iter();
        let state = |connector: &Connector| HealthState::of(connector.is_active, None, &health);
        Ok(found
            .map(|(space, connector)| (space.id, connector.id, state(&connector)))
            .collect())
    }

    async fn record(&self, reports: Arc<[Report]>) -> Result<Vec<Recorded>, StoreError> {
        if *self.full.borrow() {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Full("no memory".into()));
        }
        let mut count = 0;
        self.reports.lock().unwrap().extend(reports.iter().cloned());
        for report in reports.iter() {
            for outcome in &report.outcomes {
                self.apply(outcome);
                self.outcomes.lock().unwrap().push(outcome.clone());
                count += 1;
            }
            for seq in &report.revived {
                self.revive(*seq);
            }
            if let Some(health) = &report.health {
                self.health.lock().unwrap().clone_from(health);
                self.healths.lock().unwrap().push(health.clone());
            }
        }
        Ok(vec![Recorded::Done; count])
    }

    async fn next_events(&self) -> Option<Vec<StoreEvent>> {
        self.heard.lock().await.recv().await
    }
}
