//! The way of a delivery through the engine.

use alert_connectors_delivery::TestReport;
use alert_connectors_inbox::Behaviour;
use alert_connectors_model::{AttemptOutcome, DeliveryState, EndReason};
use alert_connectors_store::Disposition;

use crate::{
    memory_queue::MemoryQueue,
    world::{PATH, Receiver, Setting, URL, World, row, until},
};

fn titles(receiver: &Receiver) -> Vec<String> {
    receiver
        .inbox
        .messages()
        .iter()
        .map(|message| message.notification().replace("HIGH ", ""))
        .collect()
}

fn states(world: &World) -> Vec<(i64, AttemptOutcome, Option<DeliveryState>)> {
    let one = |outcome: &alert_connectors_store::Outcome| {
        let state = match outcome.disposition {
            Disposition::End { state, .. } => Some(state),
            Disposition::Retry { .. } => None,
        };
        (
            outcome.seq,
            outcome.attempt.as_ref().unwrap().outcome,
            state,
        )
    };
    world.queue.outcomes().iter().map(one).collect()
}

#[tokio::test]
async fn what_is_queued_arrives_in_order_and_is_recorded() {
    let receiver = Receiver::start().await;
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    let dues: Vec<_> = (1..=1_500)
        .map(|seq| world.due(&connector, seq, &format!("t{seq}")))
        .collect();
    world.queue.push(dues).await;
    until(|| world.queue.outcomes().len(), |count| *count == 1_500).await;
    // The receiver keeps the last thousand.
    assert_eq!(
        titles(&receiver),
        (501..=1_500)
            .map(|seq| format!("t{seq}"))
            .collect::<Vec<_>>()
    );
    assert!(
        states(&world)
            .iter()
            .all(|(_, _, state)| *state == Some(DeliveryState::Delivered))
    );
}

#[tokio::test]
async fn what_was_owed_before_the_start_is_taken_up() {
    let receiver = Receiver::start().await;
    let queue = MemoryQueue::new();
    let before = World::start(Setting {
        resolver: std::sync::Arc::new(crate::world::Fixed(Vec::new())),
        ..Setting::to(&receiver)
    });
    let connector = before.connector(URL);
    let dues = (1..=150).map(|seq| before.due(&connector, seq, &format!("t{seq}")));
    queue.owed.lock().unwrap().extend(dues);
    let world = World::start_with(Setting::to(&receiver), queue);
    until(|| world.queue.outcomes().len(), |count| *count == 150).await;
    assert_eq!(
        titles(&receiver),
        (1..=150).map(|seq| format!("t{seq}")).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_fault_is_tried_again_before_anything_newer() {
    let receiver = Receiver::start().await;
    receiver
        .inbox
        .behave(PATH, row("slack:unavailable", Some(2)));
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    world
        .queue
        .push(vec![
            world.due(&connector, 1, "one"),
            world.due(&connector, 2, "two"),
        ])
        .await;
    until(|| world.queue.outcomes().len(), |count| *count == 4).await;
    assert_eq!(titles(&receiver), ["one", "one", "one", "two"]);
    let retry = (1, AttemptOutcome::Retry, None);
    assert_eq!(states(&world)[..2], [retry, retry]);
}

#[tokio::test]
async fn a_condemned_message_is_sent_once_more_in_its_plain_form() {
    let receiver = Receiver::start().await;
    receiver
        .inbox
        .behave(PATH, row("slack:invalid_attachments", Some(3)));
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    world
        .queue
        .push(vec![
            world.due(&connector, 1, "one"),
            world.due(&connector, 2, "two"),
        ])
        .await;
    let outcomes = until(|| world.queue.outcomes(), |outcomes| outcomes.len() == 4).await;
    assert!(matches!(
        outcomes[1].disposition,
        Disposition::End {
            state: DeliveryState::Failed,
            reason: Some(EndReason::MessageRefused),
            ..
        }
    ));
    assert_eq!(states(&world)[2].1, AttemptOutcome::MessageRefused);
    assert_eq!(
        states(&world)[3],
        (2, AttemptOutcome::Delivered, Some(DeliveryState::Delivered))
    );
    let payloads: Vec<_> = receiver
        .inbox
        .messages()
        .iter()
        .map(|message| message.payload.clone().unwrap())
        .collect();
    assert!(
        payloads[0].get().contains("attachments") && !payloads[1].get().contains("attachments")
    );
}

#[tokio::test]
async fn a_hanging_destination_delays_no_other() {
    let receiver = Receiver::start().await;
    receiver.inbox.behave(
        "/hang",
        Behaviour {
            hang: true,
            ..Behaviour::default()
        },
    );
    let world = World::start(Setting::to(&receiver));
    let (hanging, other) = (
        world.connector("https://webhook.example/hang"),
        world.connector(URL),
    );
    world
        .queue
        .push(vec![
            world.due(&hanging, 1, "stuck"),
            world.due(&other, 2, "free"),
        ])
        .await;
    until(
        || states(&world),
        |states| states.iter().any(|state| state.0 == 2),
    )
    .await;
    assert!(states(&world).iter().all(|state| state.0 == 2));
}

#[tokio::test]
async fn nothing_more_than_four_is_sent_while_outcomes_cannot_be_recorded() {
    let receiver = Receiver::start().await;
    let world = World::start(Setting::to(&receiver));
    world.queue.full.send_replace(true);
    let connector = world.connector(URL);
    let dues: Vec<_> = (1..=20)
        .map(|seq| world.due(&connector, seq, &format!("t{seq}")))
        .collect();
    world.queue.push(dues).await;
    until(|| receiver.inbox.count(), |count| *count >= 1).await;
    assert!(receiver.inbox.count() <= 4 && world.queue.outcomes().is_empty());
    world.queue.full.send_replace(false);
    until(|| world.queue.outcomes().len(), |count| *count == 20).await;
    assert_eq!(
        titles(&receiver),
        (1..=20).map(|seq| format!("t{seq}")).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn stopping_lets_the_request_in_flight_end_and_leaves_the_rest() {
    let receiver = Receiver::start().await;
    receiver.inbox.behave(
        PATH,
        Behaviour {
            delay_ms: 200,
            body: Some("ok".to_owned()),
            ..Behaviour::default()
        },
    );
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    world
        .queue
        .push((1..=5).map(|seq| world.due(&connector, seq, "t")).collect())
        .await;
    until(|| receiver.inbox.count(), |count| *count == 1).await;
    world.stopping.cancel();
    world.tasks.close();
    until(|| world.queue.outcomes().len(), |count| *count == 1).await;
    assert_eq!(
        (
            receiver.inbox.count(),
            world.queue.owed.lock().unwrap().len()
        ),
        (1, 4)
    );
}

#[tokio::test]
async fn a_test_call_tells_what_the_webhook_said() {
    let receiver = Receiver::start().await;
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    let good = world.test(&connector).await.unwrap();
    assert_eq!(
        good,
        TestReport {
            success: true,
            status_code: 200,
            error: None
        }
    );
    receiver
        .inbox
        .behave(PATH, row("slack:no_service", Some(1)));
    let bad = world.test(&connector).await.unwrap();
    assert_eq!((bad.success, bad.status_code), (false, 404));
    assert!(bad.error.unwrap().starts_with("no_service: "));
    receiver
        .inbox
        .behave(PATH, row("slack:rate_limited", Some(1)));
    for _ in 0..2 {
        let waiting = world.test(&connector).await.unwrap();
        assert_eq!((waiting.success, waiting.status_code), (false, 429));
    }
    assert_eq!(
        receiver.inbox.count(),
        3,
        "nothing is posted while the channel has asked to wait"
    );
    world.test(&connector).await.unwrap();
    assert!(
        world.test(&connector).await.is_err(),
        "at most five tests in ten seconds"
    );
}

/// On one thread, so that a destination that spins would let nobody else go on.
#[tokio::test]
async fn a_disk_that_is_full_for_long_leaves_room_for_others() {
    let receiver = Receiver::start().await;
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    for (count, title) in [(1, "one"), (2, "two")] {
        let seq = i64::try_from(count).unwrap();
        world
            .queue
            .push(vec![world.due(&connector, seq, title)])
            .await;
        until(|| world.queue.outcomes().len(), |seen| *seen == count).await;
    }
    world.queue.full.send_replace(true);
    world
        .queue
        .push(vec![world.due(&connector, 3, "three")])
        .await;
    let refused = || {
        world
            .queue
            .refused
            .load(std::sync::atomic::Ordering::SeqCst)
    };
    until(refused, |count| *count > 0).await;
    tokio::time::pause();
    // A minute passes by itself as soon as nobody has anything to do.
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    tokio::time::resume();
    world.queue.full.send_replace(false);
    until(|| world.queue.outcomes().len(), |count| *count == 3).await;
}
