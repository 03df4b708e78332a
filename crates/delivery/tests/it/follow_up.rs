//! Follow-ups through the engine: sent, merged or cancelled at their turn.

use std::sync::Arc;

use alert_connectors_inbox::Behaviour;
use alert_connectors_model::{Alert, AlertStatus, DeliveryKind, DeliveryState, EndReason};
use alert_connectors_store::{Disposition, OpeningState, PendingDelivery};
use jiff::SignedDuration;

use crate::world::{PATH, Receiver, Setting, URL, World, until};

/// An opening and the end of the same problem 42 minutes later.
fn problem(world: &World, waits: OpeningState) -> (PendingDelivery, PendingDelivery) {
    let connector = world.connector(URL);
    let mut opening = world.due(&connector, 1, "late");
    let alert = Alert {
        dedup_key: Some("k".to_owned()),
        ..(*opening.alert).clone()
    };
    opening.alert = Arc::new(alert.clone());
    let resolved = PendingDelivery {
        seq: 2,
        kind: DeliveryKind::Resolved,
        opening: waits,
        alert: Arc::new(Alert {
            status: AlertStatus::Resolved,
            ..alert
        }),
        created_at: opening.created_at + SignedDuration::from_mins(42),
        ..opening.clone()
    };
    (opening, resolved)
}

fn texts(receiver: &Receiver) -> Vec<String> {
    let messages = receiver.inbox.messages();
    let payloads = messages
        .iter()
        .map(|message| message.payload.as_ref().unwrap());
    payloads.map(|payload| payload.get().to_owned()).collect()
}

#[tokio::test]
async fn a_follow_up_is_sent_after_its_opening_arrived() {
    let receiver = Receiver::start().await;
    let world = World::start(Setting::to(&receiver));
    let (opening, resolved) = problem(&world, OpeningState::Pending);
    world.queue.push(vec![opening]).await;
    until(|| world.queue.outcomes().len(), |count| *count == 1).await;
    world.queue.push(vec![resolved]).await;
    until(|| world.queue.outcomes().len(), |count| *count == 2).await;
    let texts = texts(&receiver);
    assert_eq!(texts.len(), 2);
    assert!(texts[1].contains("resolved after 42 min"), "{}", texts[1]);
}

#[tokio::test]
async fn a_follow_up_is_merged_with_an_opening_that_still_waits() {
    let receiver = Receiver::start().await;
    let world = World::start(Setting::to(&receiver));
    let (opening, resolved) = problem(&world, OpeningState::Pending);
    world.queue.push(vec![opening, resolved]).await;
    until(|| world.queue.outcomes().len(), |count| *count == 2).await;
    let outcomes = world.queue.outcomes();
    assert_eq!(receiver.inbox.count(), 1);
    let attempt = outcomes[0].attempt.as_ref().unwrap();
    assert_eq!(attempt.id, outcomes[1].attempt.as_ref().unwrap().id);
    assert_eq!(attempt.digest_size, 2);
    let text = &texts(&receiver)[0];
    assert!(
        text.contains("*RESOLVED (high)*") && text.contains("resolved after 42 min"),
        "{text}"
    );
}

#[tokio::test]
async fn a_follow_up_is_cancelled_when_its_opening_did_not_arrive() {
    let receiver = Receiver::start().await;
    receiver.inbox.behave(
        PATH,
        Behaviour {
            row: Some("slack:invalid_attachments".to_owned()),
            times: Some(2),
            ..Behaviour::default()
        },
    );
    let world = World::start(Setting::to(&receiver));
    let (opening, resolved) = problem(&world, OpeningState::Pending);
    world.queue.push(vec![opening]).await;
    until(|| world.queue.outcomes().len(), |count| *count == 2).await;
    world.queue.push(vec![resolved]).await;
    let outcomes = until(|| world.queue.outcomes(), |outcomes| outcomes.len() == 3).await;
    assert!(outcomes[2].attempt.is_none());
    assert!(matches!(
        outcomes[2].disposition,
        Disposition::End {
            state: DeliveryState::Cancelled,
            reason: Some(EndReason::OpeningNotDelivered),
            ..
        }
    ));
    assert_eq!(receiver.inbox.count(), 2, "the two forms of the opening");
}
