//! Blocked destinations through the engine: held, probed, released, told of.

use std::sync::Arc;

use alert_connectors_delivery::ConnectorNotice;
use alert_connectors_model::{AttemptOutcome, DeliveryState};
use alert_connectors_store::{Disposition, StoreEvent};

use crate::world::{PATH, Receiver, Setting, URL, World, impatient, row, until};

fn delivered(world: &World) -> Vec<i64> {
    let outcomes = world.queue.outcomes();
    let arrived = outcomes.iter().filter(|outcome| {
        matches!(
            outcome.disposition,
            Disposition::End {
                state: DeliveryState::Delivered,
                ..
            }
        )
    });
    arrived.map(|outcome| outcome.seq).collect()
}

fn told(world: &World) -> Vec<&'static str> {
    let name = |(_, notice): &(String, ConnectorNotice)| match notice {
        ConnectorNotice::Blocked(_) => "blocked",
        ConnectorNotice::Unanswered(_) => "unanswered",
        ConnectorNotice::Repaired => "repaired",
        ConnectorNotice::Detached => "detached",
    };
    world.told.all().iter().map(name).collect()
}

#[tokio::test]
async fn a_held_message_is_the_probe_and_its_success_releases_the_rest() {
    let receiver = Receiver::start().await;
    receiver
        .inbox
        .behave(PATH, row("slack:no_service", Some(2)));
    let world = World::start(Setting {
        backoff: impatient(),
        ..Setting::to(&receiver)
    });
    let connector = world.connector(URL);
    let dues = (1..=3).map(|seq| world.due(&connector, seq, "t")).collect();
    world.queue.push(dues).await;
    until(|| delivered(&world), |seqs| *seqs == [1, 2, 3]).await;
    until(|| told(&world), |told| *told == ["blocked", "repaired"]).await;
    let refused: Vec<_> = world.queue.outcomes()[..2]
        .iter()
        .map(|one| (one.seq, one.attempt.as_ref().unwrap().outcome))
        .collect();
    assert_eq!(refused, [(1, AttemptOutcome::DestinationRefused); 2]);
    let health = until(|| world.queue.health(), |health| !health.announced).await;
    assert!(health.block.is_none() && health.repaired_at.is_some());
    let Some((name, ConnectorNotice::Blocked(block))) = world.told.all().first().cloned() else {
        unreachable!("the first notice tells of the block");
    };
    assert_eq!(name, "c");
    assert!(block.reason.starts_with("no_service: "), "{}", block.reason);
}

#[tokio::test]
async fn a_successful_test_releases_what_is_held() {
    let receiver = Receiver::start().await;
    receiver
        .inbox
        .behave(PATH, row("slack:channel_is_archived", Some(1)));
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    world
        .queue
        .push(vec![world.due(&connector, 1, "one")])
        .await;
    until(|| told(&world), |told| *told == ["blocked"]).await;
    world
        .queue
        .push(vec![world.due(&connector, 2, "two")])
        .await;
    let report = world.test(&connector).await.unwrap();
    assert!(report.success);
    until(|| delivered(&world), |seqs| *seqs == [1, 2]).await;
    until(|| told(&world), |told| *told == ["blocked", "repaired"]).await;
}

#[tokio::test]
async fn a_failed_test_changes_nothing() {
    let receiver = Receiver::start().await;
    receiver.inbox.behave(PATH, row("slack:no_service", None));
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    let report = world.test(&connector).await.unwrap();
    assert!(!report.success);
    assert_eq!(
        world.queue.health(),
        alert_connectors_store::DestinationHealth::default()
    );
}

#[tokio::test]
async fn a_repaired_url_releases_what_is_held() {
    let receiver = Receiver::start().await;
    receiver
        .inbox
        .behave(PATH, row("slack:no_service", Some(1)));
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    world
        .queue
        .push(vec![world.due(&connector, 1, "one")])
        .await;
    until(|| told(&world), |told| *told == ["blocked"]).await;
    world
        .queue
        .tell(vec![StoreEvent::Repaired(connector.destination)])
        .await;
    until(|| delivered(&world), |seqs| *seqs == [1]).await;
    until(|| told(&world), |told| *told == ["blocked", "repaired"]).await;
}

/// Nobody knows whether the webhook works again.
#[tokio::test]
async fn a_blocked_connector_that_is_deleted_is_not_said_to_work_again() {
    let receiver = Receiver::start().await;
    let refuses = row("slack:no_service", Some(1));
    receiver.inbox.behave(PATH, refuses);
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    let due = world.due(&connector, 1, "one");
    let space = Arc::clone(&due.space);
    world.queue.push(vec![due]).await;
    until(|| told(&world), |told| *told == ["blocked"]).await;
    let (destination, deleted) = (connector.destination, Arc::clone(&connector));
    let detached = StoreEvent::ConnectorDetached(destination, space, deleted);
    world.queue.tell(vec![detached]).await;
    until(|| told(&world), |told| *told == ["blocked", "detached"]).await;
}

#[tokio::test]
async fn three_different_messages_refused_in_a_row_go_back_to_pending() {
    let receiver = Receiver::start().await;
    // Each message is refused in its full and in its plain form.
    receiver
        .inbox
        .behave(PATH, row("slack:invalid_attachments", Some(6)));
    let world = World::start(Setting {
        backoff: impatient(),
        ..Setting::to(&receiver)
    });
    let connector = world.connector(URL);
    let dues = (1..=4).map(|seq| world.due(&connector, seq, "t")).collect();
    world.queue.push(dues).await;
    until(|| delivered(&world), |seqs| *seqs == [1, 2, 3, 4]).await;
    until(|| told(&world), |told| *told == ["blocked", "repaired"]).await;
}

#[tokio::test]
async fn a_block_met_while_telling_of_another_is_told_to_nobody() {
    let receiver = Receiver::start().await;
    receiver.inbox.behave(PATH, row("slack:no_service", None));
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    let mut due = world.due(&connector, 1, "Connector x is blocked");
    let alert = alert_connectors_model::Alert {
        alert_type: alert_connectors_model::AlertType::parse("connector_blocked").unwrap(),
        ..(*due.alert).clone()
    };
    due.alert = std::sync::Arc::new(alert);
    world.queue.push(vec![due]).await;
    let health = until(|| world.queue.health(), |health| health.block.is_some()).await;
    assert!(health.block.unwrap().quiet);
    world
        .queue
        .tell(vec![StoreEvent::Repaired(connector.destination)])
        .await;
    until(|| world.queue.health().repaired_at, Option::is_some).await;
    assert!(told(&world).is_empty());
}
