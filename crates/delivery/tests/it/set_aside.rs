//! One message that fails does not stop the others: it is set aside, and tried on a schedule of its own.

use std::{sync::Arc, time::Duration};

use alert_connectors_delivery::{BackoffConfig, ConnectorNotice, TimeLimits};
use alert_connectors_inbox::Behaviour;
use alert_connectors_model::{AttemptOutcome, DeliveryState};
use alert_connectors_store::{Disposition, Form};

use crate::world::{PATH, Receiver, Setting, URL, World, impatient, row, slack_each, until};

/// Titles of the messages that arrived, in their order.
fn arrived(world: &World) -> Vec<i64> {
    let outcomes = world.queue.outcomes();
    let ended = outcomes.iter().filter(|outcome| {
        let delivered = DeliveryState::Delivered;
        matches!(outcome.disposition, Disposition::End { state, .. } if state == delivered)
    });
    ended.map(|outcome| outcome.seq).collect()
}

/// How often a delivery was tried, and in which form it goes next.
fn tries(world: &World, seq: i64) -> Vec<(AttemptOutcome, Option<Form>)> {
    let outcomes = world.queue.outcomes();
    let of_it = outcomes.iter().filter(|outcome| outcome.seq == seq);
    of_it
        .filter_map(|outcome| {
            let form = match outcome.disposition {
                Disposition::Retry { form, .. } => Some(form),
                Disposition::End { .. } => None,
            };
            Some((outcome.attempt.as_ref()?.outcome, form))
        })
        .collect()
}

/// Whether history was told of another time for a delivery, without an attempt.
fn is_postponed(world: &World, seq: i64) -> bool {
    let outcomes = world.queue.outcomes();
    let mut of_it = outcomes.iter().filter(|outcome| outcome.seq == seq);
    of_it.any(|outcome| {
        let plain = Form::Plain;
        outcome.attempt.is_none()
            && matches!(outcome.disposition, Disposition::Retry { form, .. } if form == plain)
    })
}

/// Answers with a status to whatever holds the word `poison`.
fn poison(status: u16) -> Behaviour {
    Behaviour {
        status: Some(status),
        when: Some("poison".to_owned()),
        ..Behaviour::default()
    }
}

fn world_with(receiver: &Receiver, behaviour: Behaviour) -> World {
    receiver.inbox.behave(PATH, behaviour);
    World::start(Setting {
        backoff: impatient(),
        ..Setting::to(receiver)
    })
}

#[tokio::test]
async fn a_message_that_fails_by_itself_gives_way_to_the_others() {
    for status in [500, 403, 404] {
        let receiver = Receiver::start().await;
        let world = world_with(&receiver, poison(status));
        let connector = world.connector(URL);
        let titles = ["poison", "b", "c", "d"];
        let dues = (1..)
            .zip(titles)
            .map(|(seq, title)| world.due(&connector, seq, title));
        world.queue.push(dues.collect()).await;
        until(|| arrived(&world), |seqs| *seqs == [2, 3, 4]).await;
        // It goes on in its plain form, and what comes later is not held up by it.
        until(
            || tries(&world, 1),
            |tries| {
                tries
                    .iter()
                    .filter(|(_, form)| *form == Some(Form::Plain))
                    .count()
                    >= 2
            },
        )
        .await;
        let first: Vec<_> = tries(&world, 1)[..3]
            .iter()
            .map(|(_, form)| *form)
            .collect();
        assert_eq!(first, [Some(Form::Full); 3], "{status}");
        assert!(is_postponed(&world, 1), "{status}");
        world.queue.push(vec![world.due(&connector, 5, "e")]).await;
        until(|| arrived(&world), |seqs| *seqs == [2, 3, 4, 5]).await;
        let health = world.queue.health();
        assert_eq!((health.failures, health.block), (0, None), "{status}");
        // Once the channel takes it, it arrives, and nothing is left aside.
        receiver.inbox.behave_normally(PATH);
        until(|| arrived(&world), |seqs| *seqs == [2, 3, 4, 5, 1]).await;
        until(
            || world.queue.health(),
            |health| health.failing.set_aside.is_empty(),
        )
        .await;
    }
}

#[tokio::test]
async fn two_messages_that_fail_beside_each_other_do_not_stop_the_third() {
    let receiver = Receiver::start().await;
    let world = world_with(&receiver, poison(500));
    let connector = world.connector(URL);
    let titles = ["poison 1", "poison 2", "c", "poison 3", "e"];
    let dues = (1..)
        .zip(titles)
        .map(|(seq, title)| world.due(&connector, seq, title));
    world.queue.push(dues.collect()).await;
    until(|| arrived(&world), |seqs| *seqs == [3, 5]).await;
}

#[tokio::test]
async fn where_every_message_fails_the_channel_is_at_fault_and_order_holds() {
    let receiver = Receiver::start().await;
    let world = world_with(
        &receiver,
        Behaviour {
            status: Some(500),
            times: Some(30),
            ..Behaviour::default()
        },
    );
    let connector = world.connector(URL);
    let dues = (1..=4).map(|seq| world.due(&connector, seq, "t"));
    world.queue.push(dues.collect()).await;
    until(|| arrived(&world), |seqs| seqs.len() == 4).await;
    // The trial that happens to be under way when the channel recovers may overtake the one that is suspected.
    let mut seqs = arrived(&world);
    seqs.retain(|seq| *seq != 1);
    assert_eq!(seqs, [2, 3, 4]);
}

#[tokio::test]
async fn what_is_set_aside_is_still_so_after_a_restart() {
    let receiver = Receiver::start().await;
    let world = world_with(&receiver, poison(500));
    let connector = world.connector(URL);
    let dues = [(1, "poison"), (2, "b")].map(|(seq, title)| world.due(&connector, seq, title));
    world.queue.push(dues.to_vec()).await;
    until(
        || world.queue.health().failing.set_aside.len(),
        |count| *count == 1,
    )
    .await;
    let queue = Arc::clone(&world.queue);
    world.stopping.cancel();
    world.tasks.close();
    world.tasks.wait().await;
    let before = tries(&world, 1).len();
    let world = World::start_with(
        Setting {
            backoff: impatient(),
            ..Setting::to(&receiver)
        },
        queue,
    );
    world.queue.push(vec![world.due(&connector, 3, "c")]).await;
    until(|| arrived(&world), |seqs| *seqs == [2, 3]).await;
    until(|| tries(&world, 1).len(), |count| *count > before).await;
    assert!(
        tries(&world, 1)[before..]
            .iter()
            .all(|(_, form)| *form == Some(Form::Plain))
    );
}

#[tokio::test]
async fn a_digest_that_fails_is_halved_until_the_culprit_stands_alone() {
    let receiver = Receiver::start().await;
    receiver.inbox.behave(PATH, poison(500));
    let world = World::start(Setting {
        backoff: impatient(),
        rates: slack_each(1, 1),
        ..Setting::to(&receiver)
    });
    let connector = world.connector(URL);
    let title = |seq| if seq == 11 { "poison" } else { "t" };
    let dues = (1..=24).map(|seq| world.due(&connector, seq, title(seq)));
    world.queue.push(dues.collect()).await;
    let all = until(|| arrived(&world), |seqs| seqs.len() == 23).await;
    assert!(!all.contains(&11));
}

#[tokio::test]
async fn a_channel_that_never_answers_sees_few_copies_and_the_space_is_told() {
    let receiver = Receiver::start().await;
    receiver.inbox.behave(
        PATH,
        Behaviour {
            hang: true,
            times: Some(3),
            ..Behaviour::default()
        },
    );
    let world = World::start(Setting {
        backoff: impatient(),
        limits: TimeLimits {
            request: std::time::Duration::from_millis(100),
            ..TimeLimits::default()
        },
        ..Setting::to(&receiver)
    });
    let connector = world.connector(URL);
    world.queue.push(vec![world.due(&connector, 1, "t")]).await;
    until(|| arrived(&world), |seqs| *seqs == [1]).await;
    let outcomes: Vec<_> = tries(&world, 1)
        .into_iter()
        .map(|(outcome, _)| outcome)
        .collect();
    let unanswered = AttemptOutcome::Unanswered;
    assert_eq!(
        outcomes,
        [
            unanswered,
            unanswered,
            unanswered,
            AttemptOutcome::Delivered
        ]
    );
    let told = until(|| world.told.all(), |told| told.len() == 2).await;
    assert!(
        matches!(&told[0].1, ConnectorNotice::Unanswered(error) if error.contains("may have arrived"))
    );
    assert_eq!(told[1].1, ConnectorNotice::Repaired);
}

#[tokio::test]
async fn a_message_that_is_never_answered_gives_way_to_the_others() {
    let receiver = Receiver::start().await;
    receiver.inbox.behave(
        PATH,
        Behaviour {
            hang: true,
            when: Some("poison".to_owned()),
            ..Behaviour::default()
        },
    );
    let world = World::start(Setting {
        backoff: impatient(),
        limits: TimeLimits {
            request: std::time::Duration::from_millis(50),
            ..TimeLimits::default()
        },
        ..Setting::to(&receiver)
    });
    let connector = world.connector(URL);
    let dues = [(1, "poison"), (2, "b"), (3, "c")];
    let dues = dues.map(|(seq, title)| world.due(&connector, seq, title));
    world.queue.push(dues.to_vec()).await;
    until(|| arrived(&world), |seqs| *seqs == [2, 3]).await;
}

#[tokio::test]
async fn a_dead_webhook_is_blocked_whichever_message_is_the_probe() {
    let receiver = Receiver::start().await;
    receiver
        .inbox
        .behave(PATH, row("slack:no_service", Some(8)));
    let world = World::start(Setting {
        backoff: impatient(),
        ..Setting::to(&receiver)
    });
    let connector = world.connector(URL);
    let dues = (1..=3).map(|seq| world.due(&connector, seq, "t"));
    world.queue.push(dues.collect()).await;
    until(|| arrived(&world), |seqs| seqs.len() == 3).await;
    // The first one is suspected after three refusals, and the probes go round among the others.
    let probes: Vec<i64> = world.queue.outcomes()[..8]
        .iter()
        .map(|one| one.seq)
        .collect();
    assert_eq!(probes, [1, 1, 1, 2, 1, 1, 1, 3]);
}

#[tokio::test]
async fn messages_that_are_set_aside_and_always_due_take_every_other_turn_at_most() {
    let receiver = Receiver::start().await;
    receiver.inbox.behave(PATH, poison(500));
    let world = World::start(Setting {
        backoff: BackoffConfig {
            backoff_max: Duration::from_millis(1),
            ..impatient()
        },
        ..Setting::to(&receiver)
    });
    let connector = world.connector(URL);
    let title = |seq| if seq % 2 == 1 { "poison" } else { "b" };
    let dues = (1..=40).map(|seq| world.due(&connector, seq, title(seq)));
    world.queue.push(dues.collect()).await;
    until(|| arrived(&world).len(), |count| *count == 20).await;
}

#[tokio::test]
async fn a_blocked_destination_is_probed_with_one_message_after_the_other() {
    let receiver = Receiver::start().await;
    let world = world_with(&receiver, poison(400));
    let connector = world.connector(URL);
    let titles = ["poison 1", "poison 2", "poison 3", "poison 4", "e"];
    let dues = (1..)
        .zip(titles)
        .map(|(seq, title)| world.due(&connector, seq, title));
    world.queue.push(dues.collect()).await;
    until(|| arrived(&world), |seqs| *seqs == [5]).await;
    // The others are refused from then on, so the webhook is soon blocked again.
    let was_freed = || {
        let healths = world.queue.healths.lock().unwrap();
        let blocks: Vec<bool> = healths.iter().map(|one| one.block.is_some()).collect();
        blocks.windows(2).any(|two| two == [true, false])
    };
    until(was_freed, |freed| *freed).await;
}
