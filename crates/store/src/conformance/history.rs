//! Properties of the history of deliveries, and of keeping it short.

use std::sync::Arc;

use alert_connectors_model::{ConnectorChange, DeliveryId, DeliveryState, EndReason};
use jiff::SignedDuration;

use super::{deliveries::SECOND_URL, world::World};
use crate::{
    DestinationHealth, Disposition, Expiry, Fence, Form, Progress, Replay, Replayed, Report,
    Retried, Tidied, Tidying,
};

impl World {
    pub(super) fn failed(&self) -> Disposition {
        Disposition::End {
            state: DeliveryState::Failed,
            reason: Some(EndReason::MessageRefused),
            at: self.now,
        }
    }

    pub(super) fn hours_later(&self, hours: i64) -> Expiry {
        Expiry {
            now: self.now + SignedDuration::from_hours(hours),
            ..self.expiry()
        }
    }

    /// Tidies by the usual rule, `hours` later; returns the number of steps.
    pub(super) async fn tidy(&self, hours: i64) -> usize {
        self.tidy_by(Tidying {
            now: self.hours_later(hours).now,
            retention: SignedDuration::from_hours(30 * 24),
            audit_retention: SignedDuration::from_hours(24 * 365),
        })
        .await
    }

    /// Tidies until nothing is left to do; returns in how many steps.
    pub async fn tidy_by(&self, rules: Tidying) -> usize {
        let (mut progress, mut steps) = (Progress::default(), 1);
        while let Tidied::More(further) = self.store.tidy(rules, progress).await.unwrap() {
            (progress, steps) = (further, steps + 1);
        }
        steps
    }
}

/// One delivery is found by its name, with its attempts, and by no other space.
pub async fn a_delivery_is_found_by_its_name(world: World) {
    let connector = world.connect("").await;
    let id = world.post("").await.deliveries[0].id;
    let due = world.due(&connector).await;
    let again = Disposition::Retry {
        form: Form::Full,
        at: world.later(5),
    };
    world
        .report(&connector, vec![world.outcome(&due[0], again)])
        .await;
    let space = world.space_id().await;
    let found = world.store.delivery(space, id, world.expiry()).await;
    let found = found.unwrap().unwrap();
    assert_eq!((found.id, found.attempts.len()), (id, 1));
    assert_eq!(found.next_attempt_at, Some(world.later(5)));
    let unknown = DeliveryId::of(due[0].alert_id, &world.random);
    let other = alert_connectors_model::SpaceId::new(world.now, &world.random);
    for (space, id) in [(space, unknown), (other, id)] {
        let found = world.store.delivery(space, id, world.expiry()).await;
        assert!(found.unwrap().is_none());
    }
}

/// A delivery that failed, expired or was cancelled can be retried, in its place in the order and with all its time;
/// one that is pending or arrived can't.
pub async fn a_retry_gives_a_delivery_its_place_and_its_time_back(world: World) {
    let connector = world.connect("").await;
    let id = world.post("").await.deliveries[0].id;
    let space = world.space_id().await;
    let retry = async |id, expiry| world.store.retry(space, id, expiry).await.unwrap();
    let now = world.expiry();
    assert_eq!(
        retry(id, now).await,
        Retried::Stands(DeliveryState::Pending)
    );
    let late = world.hours_later(30);
    assert_eq!(retry(id, late).await, Retried::Queued);
    let due = world.store.pending(connector.destination, 0, 9, late).await;
    let due = due.unwrap();
    assert_eq!((due.len(), due[0].queued_at), (1, late.now));
    world
        .report(&connector, vec![world.outcome(&due[0], world.arrived())])
        .await;
    assert_eq!(
        retry(id, late).await,
        Retried::Stands(DeliveryState::Delivered)
    );
    let unknown = DeliveryId::of(due[0].alert_id, &world.random);
    assert_eq!(retry(unknown, now).await, Retried::Absent);
    let second = world.post("").await.deliveries[0].id;
    let off = ConnectorChange {
        is_active: Some(false),
        ..ConnectorChange::default()
    };
    let version = world.roster().await.version;
    let store = &world.store;
    store
        .change_connector(space, version, connector.id, off, world.now)
        .await
        .unwrap();
    assert_eq!(retry(second, now).await, Retried::ConnectorInactive);
    store
        .delete_connector(space, connector.id, world.now)
        .await
        .unwrap();
    assert_eq!(retry(second, now).await, Retried::ConnectorGone);
}

/// The message of a delivery that was sent with others knows all of them, and none where one of them is gone.
pub async fn a_message_knows_what_was_sent_with_it(world: World) {
    let a = world.connect("").await;
    world.connect_url("", Some(SECOND_URL)).await;
    let (_, mut of_a) = world.posted(&["", "", "", "", ""], &a).await;
    of_a.reverse();
    let due = world.due(&a).await;
    let space = world.space_id().await;
    let message = async |id| {
        let message = world.store.message(space, id, 1).await.unwrap().unwrap();
        let ids: Vec<_> = message.carried.iter().map(|entry| entry.id).collect();
        let in_full = message.carried.iter().filter(|entry| entry.alert.is_some());
        (ids, in_full.count(), message.digest_size)
    };
    assert_eq!(message(of_a[1]).await, (vec![], 0, 1));
    let together = |due: &[crate::PendingDelivery], digest_size| {
        let one = world.outcome(&due[0], world.arrived());
        let attempt = Arc::new(alert_connectors_model::Attempt {
            digest_size,
            ..(**one.attempt.as_ref().unwrap()).clone()
        });
        let outcome = |due: &crate::PendingDelivery| crate::Outcome {
            seq: due.seq,
            attempt: Some(Arc::clone(&attempt)),
            ..one.clone()
        };
        due.iter().map(outcome).collect::<Vec<_>>()
    };
    world.report(&a, together(&due[..3], 3)).await;
    for id in &of_a[..3] {
        assert_eq!(message(*id).await, (of_a[..3].to_vec(), 1, 3));
    }
    // The attempt says three, and one of them is not there.
    world.report(&a, together(&due[3..], 3)).await;
    assert_eq!(message(of_a[3]).await, (vec![], 0, 3));
}

/// No attempt is lost or doubled, however often its delivery ends and begins again.
pub async fn every_attempt_stays_whatever_becomes_of_its_delivery(world: World) {
    let connector = world.connect("").await;
    let posted = world.post("").await;
    let (id, space) = (posted.deliveries[0].id, world.space_id().await);
    let mut made = Vec::new();
    let mut attempt = async |next| {
        let due = world.due(&connector).await;
        let outcome = world.outcome(&due[0], next);
        made.push(outcome.attempt.clone().unwrap().id);
        world.report(&connector, vec![outcome.clone()]).await;
        // The same once more, as after a commit whose answer was lost.
        world.report(&connector, vec![outcome]).await;
        due[0].clone()
    };
    let again = Disposition::Retry {
        form: Form::Full,
        at: world.now,
    };
    attempt(again).await;
    let due = attempt(world.failed()).await;
    let revival = Report {
        destination: connector.destination,
        fence: Fence::Unshared,
        health: None,
        outcomes: Vec::new(),
        revived: vec![due.seq],
    };
    world.store.record(Arc::from([revival])).await.unwrap();
    attempt(world.failed()).await;
    let retried = world.store.retry(space, id, world.expiry()).await;
    assert_eq!(retried.unwrap(), Retried::Queued);
    attempt(world.arrived()).await;
    let replay = Replay {
        since: world.now,
        until: None,
        states: vec![DeliveryState::Delivered],
    };
    let replayed = world
        .store
        .replay(space, connector.id, replay, world.expiry())
        .await;
    assert_eq!(replayed.unwrap(), Replayed::Queued(1));
    attempt(world.arrived()).await;
    // An answer that comes after the end is kept too.
    let late = world.outcome(&due, world.failed());
    made.push(late.attempt.clone().unwrap().id);
    world.report(&connector, vec![late]).await;
    let found = world.deliveries_of(posted.id).await.remove(0);
    assert_eq!(found.state, DeliveryState::Delivered);
    let kept: Vec<_> = found.attempts.iter().map(|attempt| attempt.id).collect();
    // Attempts of one millisecond have no order.
    made.sort();
    assert_eq!(kept, made);
}

/// A replay queues what is asked for, except what is already pending.
pub async fn a_replay_queues_what_ended_and_nothing_twice(world: World) {
    let connector = world.connect("").await;
    for _ in 0..4 {
        world.post("").await;
    }
    let due = world.due(&connector).await;
    let outcomes = vec![
        world.outcome(&due[0], world.arrived()),
        world.outcome(&due[1], world.failed()),
        world.outcome(&due[2], world.failed()),
    ];
    world.report(&connector, outcomes).await;
    let space = world.space_id().await;
    let replay = async |since, states: &[DeliveryState]| {
        let replay = Replay {
            since,
            until: None,
            states: states.to_vec(),
        };
        let replayed = world
            .store
            .replay(space, connector.id, replay, world.expiry())
            .await;
        replayed.unwrap()
    };
    let usual = [
        DeliveryState::Failed,
        DeliveryState::Expired,
        DeliveryState::Cancelled,
    ];
    assert_eq!(replay(world.later(1), &usual).await, Replayed::Queued(0));
    assert_eq!(replay(world.now, &usual).await, Replayed::Queued(2));
    assert_eq!(replay(world.now, &usual).await, Replayed::Queued(0));
    assert_eq!(world.due(&connector).await.len(), 3);
    let arrived = [DeliveryState::Delivered];
    assert_eq!(
        replay(world.later(-60), &arrived).await,
        Replayed::Queued(1)
    );
}

/// A new URL counts as a repair: the block goes, and pending deliveries get their time back.
pub async fn a_new_url_repairs(world: World) {
    let connector = world.connect("").await;
    world.post("").await;
    let blocked = DestinationHealth {
        block: Some(crate::Block {
            reason: "no_service".to_owned(),
            since: world.now,
            probes: 0,
            quiet: false,
        }),
        ..DestinationHealth::default()
    };
    world
        .report_with(&connector, Vec::new(), Some(blocked))
        .await;
    let same = ConnectorChange {
        webhook_url: Some(connector.webhook_url.clone()),
        ..ConnectorChange::default()
    };
    let (space, version) = (world.space_id().await, world.roster().await.version);
    let late = world.hours_later(30);
    world
        .store
        .change_connector(space, version, connector.id, same, late.now)
        .await
        .unwrap();
    let known = world
        .store
        .destination_state(connector.destination, world.now)
        .await
        .unwrap();
    assert_eq!(known.health.block, None);
    assert_eq!(known.health.repaired_at, Some(late.now));
    let due = world.store.pending(connector.destination, 0, 9, late).await;
    assert_eq!(due.unwrap().len(), 1);
}

/// Old history is removed in small steps; pending deliveries and active problems stay.
pub async fn retention_removes_what_is_old_and_neither_what_waits_nor_a_problem(world: World) {
    let connector = world.connect("").await;
    let mut old = Vec::new();
    for _ in 0..250 {
        old.push(world.post("").await.id);
    }
    world.all_arrive(&connector).await;
    world.all_arrive(&connector).await;
    world.all_arrive(&connector).await;
    let problem = world.post(r#","dedup_key":"k""#).await.id;
    world.all_arrive(&connector).await;
    let waits = world.post("").await.id;
    let few = world.tidy(6 * 24).await;
    let space = world.space_id().await;
    let is_there = async |id| {
        let found = world.store.alert(space, id, world.expiry()).await;
        found.unwrap().is_some()
    };
    assert!(is_there(old[0]).await && is_there(old[249]).await);
    world.tidy(29 * 24).await;
    assert!(
        is_there(old[0]).await && is_there(waits).await,
        "nothing is old"
    );
    assert!(world.tidy(31 * 24).await > few + 1, "in small steps");
    assert!(!is_there(old[0]).await && !is_there(old[249]).await);
    assert!(is_there(problem).await && !is_there(waits).await);
    world.resolve(problem).await;
    world.all_arrive(&connector).await;
    world.tidy(31 * 24).await;
    assert!(!is_there(problem).await);
    assert_eq!(world.store.census().await.unwrap().pending, 0);
}

/// An idempotency key outlives its alert: a repeat gets the same status and id, and nothing is sent.
pub async fn a_key_is_answered_after_retention_took_its_alert(world: World) {
    let connector = world.connect("").await;
    let keyed = async || {
        let mut submission = world.submission(&[world.alert("")]).await;
        submission.idempotency = Some(super::world::idempotency("k", 1));
        world.store.accept(submission).await.unwrap()
    };
    let first = super::world::stored(keyed().await).remove(0).id;
    world.all_arrive(&connector).await;
    let rules = Tidying {
        now: world.later(60),
        retention: SignedDuration::from_secs(1),
        audit_retention: SignedDuration::from_hours(24 * 365),
    };
    world.tidy_by(rules).await;
    let crate::Acceptance::AlreadyStored(again) = keyed().await else {
        unreachable!("it was stored before");
    };
    assert_eq!((again.len(), again[0].id), (1, first));
    assert!(world.due(&connector).await.is_empty());
}
