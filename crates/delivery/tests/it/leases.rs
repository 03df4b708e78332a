//! What a server that lost a lease still says.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use alert_connectors_inbox::Behaviour;
use alert_connectors_model::Fingerprint;
use alert_connectors_store::{Fence, Lease, Leases, Renewal, Renewed, StoreError, StoreEvent};
use async_trait::async_trait;

use crate::{
    memory_queue::MemoryQueue,
    world::{PATH, Receiver, Setting, URL, World, until},
};

/// Leases, for a queue that another server works too.
#[derive(Default)]
pub(crate) struct LeaseBook {
    /// Destinations that the other one took.
    elsewhere: Mutex<HashSet<Fingerprint>>,
    last_number: AtomicI64,
    /// How many leases the last renewal was about, since the other one took something.
    renewed: Mutex<Option<usize>>,
}

#[async_trait]
impl Leases for MemoryQueue {
    fn term(&self) -> Option<Duration> {
        self.leases
            .as_ref()
            .map(|_shared| Duration::from_millis(300))
    }

    async fn acquire(&self, destinations: &[Fingerprint]) -> Result<Vec<Lease>, StoreError> {
        let book = self.leases.as_ref().unwrap();
        let elsewhere = book.elsewhere.lock().unwrap();
        let free = destinations.iter().filter(|one| !elsewhere.contains(*one));
        let taken = free.map(|destination| Lease {
            destination: *destination,
            number: book.last_number.fetch_add(1, Ordering::SeqCst) + 1,
            changes: 0,
        });
        Ok(taken.collect())
    }

    async fn renew(&self, held: &[Lease]) -> Result<Renewal, StoreError> {
        let book = self.leases.as_ref().unwrap();
        let elsewhere = book.elsewhere.lock().unwrap();
        *book.renewed.lock().unwrap() = Some(held.len());
        let mine = held
            .iter()
            .filter(|one| !elsewhere.contains(&one.destination));
        let renewed = mine.map(|lease| Renewed {
            lease: *lease,
            wanted: false,
        });
        Ok(Renewal {
            held: renewed.collect(),
            share: usize::MAX,
        })
    }
}

impl MemoryQueue {
    /// The other server takes a destination. Returns once this one knows.
    pub(crate) async fn lose(&self, destination: Fingerprint) {
        let book = self.leases.as_ref().unwrap();
        {
            let mut elsewhere = book.elsewhere.lock().unwrap();
            elsewhere.insert(destination);
            *book.renewed.lock().unwrap() = None;
        }
        until(
            || *book.renewed.lock().unwrap(),
            |renewed| *renewed == Some(0),
        )
        .await;
    }
}

#[tokio::test]
async fn whoever_lost_a_lease_says_nothing_without_one() {
    let receiver = Receiver::start().await;
    let hang = Behaviour {
        hang: true,
        ..Behaviour::default()
    };
    receiver.inbox.behave(PATH, hang);
    let queue = MemoryQueue::shared();
    let world = World::start_with(Setting::to(&receiver), Arc::clone(&queue));
    let connector = world.connector(URL);
    queue.push(vec![world.due(&connector, 1, "t")]).await;
    until(|| receiver.inbox.count(), |count| *count == 1).await;
    // The request is still under way when the lease is lost, so what is known of the webhook is still there.
    queue.lose(connector.destination).await;
    queue
        .tell(vec![StoreEvent::Repaired(connector.destination)])
        .await;
    // What is recorded next was queued after that was dealt with.
    let other = world.connector("https://hooks.slack.com/services/T/B/other");
    queue.push(vec![world.due(&other, 2, "t")]).await;
    until(|| queue.outcomes().len(), |count| *count == 1).await;
    let reports = queue.reports.lock().unwrap();
    let said = reports
        .iter()
        .map(|report| (report.destination, report.fence));
    let said: Vec<_> = said.collect();
    assert_eq!(said, [(other.destination, Fence::Lease(2))]);
}

/// Renewals come every 100 milliseconds by themselves, so only time that stands still tells them apart.
#[tokio::test(start_paused = true)]
async fn leases_in_doubt_are_renewed_at_once() {
    let receiver = Receiver::start().await;
    let queue = MemoryQueue::shared();
    let _world = World::start_with(Setting::to(&receiver), Arc::clone(&queue));
    let book = queue.leases.as_ref().unwrap();
    let renewed = || *book.renewed.lock().unwrap();
    while renewed().is_none() {
        tokio::task::yield_now().await;
    }
    *book.renewed.lock().unwrap() = None;
    queue.tell(vec![StoreEvent::LeasesInDoubt]).await;
    while renewed().is_none() {
        tokio::task::yield_now().await;
    }
}
