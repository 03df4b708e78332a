//! Pace and digests through the engine, with a real receiver.

use alert_connectors_delivery::Rates;
use alert_connectors_inbox::Behaviour;
use alert_connectors_model::{AttemptOutcome, DeliveryState, EndReason};
use alert_connectors_store::{Disposition, Outcome};

use crate::{
    memory_queue::MemoryQueue,
    world::{PATH, Receiver, Setting, URL, World, slack_each, until},
};

fn paced(receiver: &Receiver, rates: Rates) -> Setting {
    Setting {
        rates,
        ..Setting::to(receiver)
    }
}

/// The payloads that arrived, as text.
fn payloads(receiver: &Receiver) -> Vec<String> {
    let messages = receiver.inbox.messages();
    let text = |message: &alert_connectors_inbox::Message| {
        message
            .payload
            .as_ref()
            .map_or(String::new(), |payload| payload.get().to_owned())
    };
    messages.iter().map(text).collect()
}

fn ends(outcomes: &[Outcome]) -> Vec<(i64, DeliveryState)> {
    let mut ends: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome.disposition {
            Disposition::End { state, .. } => Some((outcome.seq, state)),
            Disposition::Retry { .. } => None,
        })
        .collect();
    ends.sort_unstable_by_key(|(seq, _)| *seq);
    ends
}

#[tokio::test]
async fn what_waits_beyond_the_pace_goes_as_a_digest_that_accounts_for_all_of_it() {
    let receiver = Receiver::start().await;
    let queue = MemoryQueue::new();
    let before = World::start(Setting {
        resolver: std::sync::Arc::new(crate::world::Fixed(Vec::new())),
        ..paced(&receiver, slack_each(10, 2))
    });
    let connector = before.connector(URL);
    let dues = (1..=500).map(|seq| before.due(&connector, seq, &format!("t{seq}")));
    queue.owed.lock().unwrap().extend(dues);
    let world = World::start_with(paced(&receiver, slack_each(10, 2)), queue);
    until(|| world.queue.outcomes().len(), |count| *count >= 500).await;
    let outcomes = world.queue.outcomes();
    let delivered: Vec<_> = (1..=500)
        .map(|seq| (seq, DeliveryState::Delivered))
        .collect();
    assert_eq!(ends(&outcomes), delivered);
    assert_eq!(receiver.inbox.count(), 1, "all of it waited at once");
    let attempt = outcomes[0].attempt.as_ref().unwrap();
    assert_eq!(attempt.digest_size, 500);
    assert!(
        outcomes
            .iter()
            .all(|one| one.attempt.as_ref().unwrap().id == attempt.id)
    );
    let text = &payloads(&receiver)[0];
    assert!(text.contains("*500 alerts* in S: 500 high"), "{text}");
    assert!(text.contains("and 467 more: 467 high"), "{text}");
}

#[tokio::test]
async fn a_digest_that_is_refused_is_halved_until_the_culprit_stands_alone() {
    let receiver = Receiver::start().await;
    // Whatever carries the culprit is refused as a message, in both its forms.
    receiver.inbox.behave(
        PATH,
        Behaviour {
            row: Some("slack:invalid_attachments".to_owned()),
            when: Some("culprit".to_owned()),
            ..Behaviour::default()
        },
    );
    let queue = MemoryQueue::new();
    let before = World::start(Setting {
        resolver: std::sync::Arc::new(crate::world::Fixed(Vec::new())),
        ..paced(&receiver, slack_each(1, 1))
    });
    let connector = before.connector(URL);
    let title = |seq| if seq == 6 { "culprit" } else { "sound" };
    let dues = (1..=16).map(|seq| before.due(&connector, seq, title(seq)));
    queue.owed.lock().unwrap().extend(dues);
    let world = World::start_with(paced(&receiver, slack_each(1, 1)), queue);
    until(|| ends(&world.queue.outcomes()).len(), |count| *count == 16).await;
    let outcomes = world.queue.outcomes();
    for (seq, state) in ends(&outcomes) {
        let expected = if seq == 6 {
            DeliveryState::Failed
        } else {
            DeliveryState::Delivered
        };
        assert_eq!(state, expected, "{seq}");
    }
    let refused: Vec<_> = outcomes
        .iter()
        .filter(|one| one.attempt.as_ref().unwrap().outcome == AttemptOutcome::MessageRefused)
        .map(|one| one.attempt.as_ref().unwrap().digest_size)
        .collect();
    assert_eq!(refused[0], 16);
    assert_eq!(
        refused.iter().filter(|size| **size == 1).count(),
        2,
        "full and plain"
    );
}

#[tokio::test]
async fn without_a_limit_there_are_no_digests() {
    let receiver = Receiver::start().await;
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    let dues = (1..=50)
        .map(|seq| world.due(&connector, seq, "t"))
        .collect();
    world.queue.push(dues).await;
    until(|| world.queue.outcomes().len(), |count| *count == 50).await;
    assert_eq!(receiver.inbox.count(), 50);
}

#[tokio::test]
async fn after_a_request_to_wait_nothing_is_posted_before_its_time_over_a_restart_too() {
    let receiver = Receiver::start().await;
    receiver.inbox.behave(
        PATH,
        Behaviour {
            status: Some(429),
            headers: [("retry-after".to_owned(), "600".to_owned())].into(),
            times: Some(1),
            ..Behaviour::default()
        },
    );
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    world
        .queue
        .push(vec![world.due(&connector, 1, "one")])
        .await;
    until(|| world.queue.outcomes().len(), |count| *count == 1).await;
    let health = until(|| world.queue.health(), |health| health.wait.is_some()).await;
    assert!(health.wait.unwrap().asked);
    assert_eq!(health.failures, 0, "a 429 is no failure");
    world.stopping.cancel();
    let queue = std::sync::Arc::clone(&world.queue);
    let restarted = World::start_with(Setting::to(&receiver), queue);
    let report = restarted.test(&connector).await.unwrap();
    assert_eq!((report.success, report.status_code), (false, 429));
    restarted
        .queue
        .push(vec![restarted.due(&connector, 2, "two")])
        .await;
    let other = restarted.connector("https://webhook.example/other");
    restarted.queue.health.lock().unwrap().wait = None;
    restarted
        .queue
        .push(vec![restarted.due(&other, 3, "elsewhere")])
        .await;
    until(|| restarted.queue.outcomes().len(), |count| *count == 2).await;
    assert_eq!(receiver.inbox.count(), 2, "only elsewhere");
}

#[tokio::test]
async fn what_expired_while_it_waited_is_not_sent() {
    let receiver = Receiver::start().await;
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    let mut old = world.due(&connector, 1, "old");
    old.queued_at = crate::world::time() - jiff::SignedDuration::from_hours(24 * 400);
    world
        .queue
        .push(vec![old, world.due(&connector, 2, "new")])
        .await;
    until(|| world.queue.outcomes().len(), |count| *count == 1).await;
    assert_eq!(
        ends(&world.queue.outcomes()),
        [(2, DeliveryState::Delivered)]
    );
    assert_eq!(receiver.inbox.count(), 1);
    let reasons = world.queue.outcomes();
    let time_up = |one: &Outcome| {
        matches!(
            one.disposition,
            Disposition::End {
                reason: Some(EndReason::TimeUp),
                ..
            }
        )
    };
    assert!(
        !reasons.iter().any(time_up),
        "expiry is computed, not written"
    );
}

#[tokio::test]
async fn a_large_burst_does_not_bring_a_long_queue_into_memory() {
    let receiver = Receiver::start().await;
    let queue = MemoryQueue::new();
    let before = World::start(Setting {
        resolver: std::sync::Arc::new(crate::world::Fixed(Vec::new())),
        ..Setting::to(&receiver)
    });
    let connector = before.connector(URL);
    let dues = (1..=2_000).map(|seq| before.due(&connector, seq, "t"));
    queue.owed.lock().unwrap().extend(dues);
    receiver.inbox.behave(
        PATH,
        Behaviour {
            hang: true,
            ..Behaviour::default()
        },
    );
    let world = World::start_with(paced(&receiver, slack_each(1, 10_000)), queue);
    until(|| receiver.inbox.count(), |count| *count == 1).await;
    let read = world.queue.read.load(std::sync::atomic::Ordering::SeqCst);
    assert!(read <= 256, "{read} were read before the first was sent");
}
