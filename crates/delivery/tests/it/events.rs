//! What those who watch a space learn of its deliveries.

use std::collections::BTreeSet;

use alert_connectors_feed::SpaceEvent;
use alert_connectors_model::DeliveryState;
use alert_connectors_store::HealthState;

use crate::world::{PATH, Receiver, Setting, URL, World, row, slack_each};

#[tokio::test]
async fn each_delivery_of_a_digest_is_told_to_those_who_watch() {
    let receiver = Receiver::start().await;
    let world = World::start(Setting {
        rates: slack_each(10, 1),
        ..Setting::to(&receiver)
    });
    let connector = world.connector(URL);
    let dues: Vec<_> = (1..=60)
        .map(|seq| world.due(&connector, seq, "t"))
        .collect();
    let mut awaited: BTreeSet<_> = dues.iter().map(|due| due.id).collect();
    let mut watcher = world.feed.watch(dues[0].space.id, None).unwrap();
    world.queue.push(dues).await;
    while !awaited.is_empty() {
        for (_, event) in watcher.next().await.unwrap() {
            if let SpaceEvent::Delivery {
                id,
                connector_id,
                state: DeliveryState::Delivered,
            } = event
            {
                assert_eq!(connector_id, connector.id);
                awaited.remove(&id);
            }
        }
    }
    assert!(receiver.inbox.count() < 60, "some went as a digest");
}

#[tokio::test]
async fn the_health_of_a_connector_is_told_when_it_changes() {
    let receiver = Receiver::start().await;
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    let due = world.due(&connector, 1, "t");
    let mut watcher = world.feed.watch(due.space.id, None).unwrap();
    receiver.inbox.behave(PATH, row("slack:no_service", None));
    world.queue.push(vec![due]).await;
    let mut states = Vec::new();
    while states.last() != Some(&HealthState::Blocked) {
        for (_, event) in watcher.next().await.unwrap() {
            if let SpaceEvent::Health { state, .. } = event {
                states.push(state);
            }
        }
    }
}
