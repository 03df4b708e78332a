//! What a server that lost a lease still says.

use std::sync::Arc;

use alert_connectors_inbox::Behaviour;
use alert_connectors_store::{Event, Fence};

use crate::world::{MemoryQueue, PATH, Receiver, Setting, URL, World, until};

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
        .tell(vec![Event::Repaired(connector.destination)])
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
