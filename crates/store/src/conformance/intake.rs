//! Properties of accepting alerts.

use alert_connectors_model::{AlertStatus, DeliveryState, Severity};
use jiff::SignedDuration;

use super::world::{World, idempotency, stored};
use crate::{Acceptance, Disabled, SpaceChange, StoreEvent};

/// What was accepted can be read back, is pending, and caused events in the order of the set.
pub async fn accept_is_durable_and_queued_in_order(world: World) {
    let connector = world.connect("").await;
    let submission = world.submission(&[world.alert(""), world.alert("")]).await;
    let accepted = stored(world.store.accept(submission).await.unwrap());
    let due = world.due(&connector).await;
    assert_eq!(
        due.iter().map(|due| due.alert_id).collect::<Vec<_>>(),
        accepted.iter().map(|one| one.id).collect::<Vec<_>>()
    );
    let events = world.store.next_events().await.unwrap();
    let mut queued = Vec::new();
    for event in &events {
        if let StoreEvent::Queued(due) = event {
            queued.push(due.seq);
        }
    }
    assert_eq!(queued, due.iter().map(|due| due.seq).collect::<Vec<_>>());
    let record = world.record_of(accepted[0].id).await;
    assert_eq!(record.deliveries[0].state, DeliveryState::Pending);
}

/// A submission that was matched with the previous connectors is not stored.
pub async fn accept_stores_nothing_when_connectors_changed(world: World) {
    let submission = world.submission(&[world.alert("")]).await;
    world.connect("").await;
    assert!(matches!(
        world.store.accept(submission.clone()).await.unwrap(),
        Acceptance::Stale
    ));
    assert!(
        world
            .store
            .alert(
                world.space_id().await,
                submission.alerts[0].id,
                world.expiry()
            )
            .await
            .unwrap()
            .is_none()
    );
}

/// A submission that was authorised before identity changed is not stored.
pub async fn accept_stores_nothing_when_identity_changed(world: World) {
    let submission = world.submission(&[world.alert("")]).await;
    world
        .store
        .set_disabled(&World::email("bob@example.com"), Disabled::Yes)
        .await
        .unwrap();
    assert!(matches!(
        world.store.accept(submission.clone()).await.unwrap(),
        Acceptance::Stale
    ));
    let own_identity = crate::Submission {
        identity_version: None,
        ..submission
    };
    assert!(matches!(
        world.store.accept(own_identity).await.unwrap(),
        Acceptance::Stored(_)
    ));
}

/// A space that is gone takes nothing.
pub async fn accept_stores_nothing_in_a_removed_space(world: World) {
    let submission = world.submission(&[world.alert("")]).await;
    assert_eq!(
        world.store.remove_space(&world.slug).await.unwrap(),
        SpaceChange::Done
    );
    assert!(matches!(
        world.store.accept(submission).await.unwrap(),
        Acceptance::Stale
    ));
}

/// A repeat with the same key and body gives the same ids and queues nothing.
pub async fn the_same_key_and_body_is_answered_again_and_stored_once(world: World) {
    let connector = world.connect("").await;
    let mut first = world.submission(&[world.alert("")]).await;
    first.idempotency = Some(idempotency("k", 1));
    let mut second = world.submission(&[world.alert("")]).await;
    second.idempotency = Some(idempotency("k", 1));
    let (first, second) = tokio::join!(world.store.accept(first), world.store.accept(second));
    let (Acceptance::Stored(first), Acceptance::AlreadyStored(second)) =
        (first.unwrap(), second.unwrap())
    else {
        unreachable!("one is stored and the other repeated");
    };
    assert_eq!(first[0].id, second[0].id);
    assert_eq!(first[0].deliveries[0].id, second[0].deliveries[0].id);
    assert_eq!(world.due(&connector).await.len(), 1);
}

/// A key belongs to one body.
pub async fn the_same_key_with_another_body_is_refused(world: World) {
    for (body, expected_stored) in [(1, true), (2, false)] {
        let mut submission = world.submission(&[world.alert("")]).await;
        submission.idempotency = Some(idempotency("k", body));
        let acceptance = world.store.accept(submission).await.unwrap();
        assert_eq!(matches!(acceptance, Acceptance::Stored(_)), expected_stored);
        assert_eq!(
            matches!(acceptance, Acceptance::KeyReused),
            !expected_stored
        );
    }
}

/// After 24 hours a key is new again.
pub async fn a_key_is_forgotten_after_a_day(world: World) {
    let mut submission = world.submission(&[world.alert("")]).await;
    submission.idempotency = Some(idempotency("k", 1));
    stored(world.store.accept(submission).await.unwrap());
    let mut later = world.submission(&[world.alert("")]).await;
    later.idempotency = Some(idempotency("k", 2));
    later.expiry.now = world.now + SignedDuration::from_hours(25);
    stored(world.store.accept(later).await.unwrap());
}

/// A key has one active alert, even if several arrive at the same moment.
pub async fn one_active_alert_for_each_dedup_key(world: World) {
    let alerts: Vec<_> = (0..5).map(|_| world.alert(r#","dedup_key":"k""#)).collect();
    let (first, second) = (
        world.submission(&alerts).await,
        world.submission(&alerts).await,
    );
    let (first, second) = tokio::join!(world.store.accept(first), world.store.accept(second));
    let mut accepted = stored(first.unwrap());
    accepted.extend(stored(second.unwrap()));
    assert!(accepted.iter().all(|one| one.id == accepted[0].id));
    assert_eq!(accepted.iter().map(|one| one.occurrences).max(), Some(10));
}

/// A repeat is not sent; it counts, takes newer words, and may raise but never lower the severity.
pub async fn a_repeat_counts_and_takes_newer_words_but_never_a_lower_severity(world: World) {
    let connector = world.connect("").await;
    let first = world.post(r#","dedup_key":"k","description":"old""#).await;
    let repeat = world.alert(r#","dedup_key":"k","description":"new""#);
    let repeat = alert_connectors_model::Alert {
        severity: Severity::Low,
        ..repeat
    };
    let submission = world.submission(&[repeat]).await;
    let second = stored(world.store.accept(submission).await.unwrap()).remove(0);
    assert_eq!(
        (second.id, second.occurrences, second.deliveries.len()),
        (first.id, 2, 0)
    );
    let record = world.record_of(first.id).await;
    assert_eq!(record.alert.description.as_deref(), Some("new"));
    assert_eq!(
        (record.alert.severity, record.occurrences),
        (Severity::High, 2)
    );
    assert_eq!(world.due(&connector).await.len(), 1);
}

/// After `resolved` the next post with the key is a new problem.
pub async fn resolved_closes_the_problem_and_a_later_post_opens_a_new_one(world: World) {
    let first = world.post(r#","dedup_key":"k""#).await;
    let closed = world.post(r#","dedup_key":"k","status":"resolved""#).await;
    assert_eq!((closed.id, closed.occurrences), (first.id, 1));
    let record = world.record_of(first.id).await;
    assert_eq!(record.alert.status, AlertStatus::Resolved);
    assert_ne!(world.post(r#","dedup_key":"k""#).await.id, first.id);
}

/// No connector was notified of the problem, so none is notified of its end; without a key it is an ordinary alert.
pub async fn resolved_without_an_active_alert_is_stored_but_not_sent(world: World) {
    let connector = world.connect("").await;
    assert!(
        world
            .post(r#","dedup_key":"k","status":"resolved""#)
            .await
            .deliveries
            .is_empty()
    );
    assert!(world.due(&connector).await.is_empty());
    assert_eq!(
        world.post(r#","status":"resolved""#).await.deliveries.len(),
        1
    );
}

/// Requests that wait at the same moment are all answered, each with its own.
pub async fn many_requests_at_once_are_all_answered(world: World) {
    let connector = world.connect("").await;
    let submission = world.submission(&[world.alert("")]).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let mut submission = submission.clone();
        submission.alerts[0].id = alert_connectors_model::AlertId::new(world.now, &world.random);
        submission.alerts[0].deliveries[0].0 =
            alert_connectors_model::DeliveryId::of(submission.alerts[0].id, &world.random);
        let (store, id) = (std::sync::Arc::clone(&world.store), submission.alerts[0].id);
        tasks.spawn(async move {
            (
                id,
                stored(store.accept(submission).await.unwrap()).remove(0).id,
            )
        });
    }
    while let Some(answer) = tasks.join_next().await {
        let (asked, answered) = answer.unwrap();
        assert_eq!(asked, answered);
    }
    assert_eq!(world.due(&connector).await.len(), 100);
}
