//! What several replicas promise together.

use std::{collections::HashSet, sync::Arc};

use alert_connectors_model::DeliveryId;
use alert_connectors_store::{
    Acceptance, Store, StoreError, StoreEvent,
    conformance::{World, idempotency, stored},
};
use alert_connectors_store_postgres::PostgresStore;

use crate::database::{Database, execute};

async fn replicas() -> (Database, World, World) {
    let database = Database::make();
    let world = World::furnished(Arc::new(database.open().await)).await;
    let other = world.beside(Arc::new(database.open_as(9).await), 99);
    (database, world, other)
}

#[tokio::test]
async fn replicas_may_migrate_at_the_same_moment() {
    let database = Database::make();
    let opened = (1..=4).map(|number| PostgresStore::open(database.opening_as(number)));
    for opened in futures_util::future::join_all(opened).await {
        opened.unwrap().check().await.unwrap();
    }
}

#[tokio::test]
async fn a_change_on_one_is_seen_by_the_next_alert_on_the_other() {
    let (_database, one, other) = replicas().await;
    let before = other.submission(&[other.alert("")]).await;
    one.connect("").await;
    let stale = other.store.accept(before).await.unwrap();
    assert!(matches!(stale, Acceptance::Stale));
    assert_eq!(other.post("").await.deliveries.len(), 1);
}

#[tokio::test]
async fn a_sign_out_on_one_holds_on_the_other() {
    let (_database, one, other) = replicas().await;
    let authorised = other.submission(&[other.alert("")]).await;
    one.sign_out().await;
    assert!(!other.is_signed_in().await);
    let stale = other.store.accept(authorised).await.unwrap();
    assert!(matches!(stale, Acceptance::Stale));
}

#[tokio::test]
async fn a_key_is_used_once_by_all() {
    let (_database, one, other) = replicas().await;
    one.connect("").await;
    let mut calls = Vec::new();
    for number in 0..20 {
        let world = if number % 2 == 0 { &one } else { &other };
        let mut submission = world.submission(&[world.alert("")]).await;
        submission.idempotency = Some(idempotency("k", 1));
        calls.push(world.store.accept(submission));
    }
    let (mut first, mut names) = (0, HashSet::new());
    for accepted in futures_util::future::join_all(calls).await {
        let accepted = match accepted.unwrap() {
            Acceptance::Stored(accepted) => {
                first += 1;
                accepted
            }
            Acceptance::AlreadyStored(accepted) => accepted,
            other => unreachable!("{other:?}"),
        };
        let deliveries: Vec<DeliveryId> = accepted[0].deliveries.iter().map(|one| one.id).collect();
        names.insert((accepted[0].id, deliveries));
    }
    assert_eq!((first, names.len()), (1, 1));
}

#[tokio::test]
async fn a_problem_is_one_on_all() {
    let (_database, one, other) = replicas().await;
    one.connect("").await;
    let mut calls = Vec::new();
    for number in 0..20 {
        let world = if number % 2 == 0 { &one } else { &other };
        let alert = world.alert(r#","dedup_key":"k""#);
        calls.push(world.store.accept(world.submission(&[alert]).await));
    }
    let (mut ids, mut deliveries, mut occurrences) = (HashSet::new(), 0, Vec::new());
    for accepted in futures_util::future::join_all(calls).await {
        let accepted = stored(accepted.unwrap()).remove(0);
        ids.insert(accepted.id);
        deliveries += accepted.deliveries.len();
        occurrences.push(accepted.occurrences);
    }
    occurrences.sort_unstable();
    assert_eq!((ids.len(), deliveries), (1, 1));
    assert_eq!(occurrences, (1..=20).collect::<Vec<u64>>());
}

#[tokio::test]
async fn whoever_accepts_learns_that_another_did() {
    let (_database, one, other) = replicas().await;
    one.connect("").await;
    let next = async |world: &World| loop {
        // Besides, each hears what the other says.
        let events = world.store.next_events().await.unwrap();
        if let Some(at) = events
            .iter()
            .position(|event| matches!(event, StoreEvent::Queued(_)))
        {
            return events[..at]
                .iter()
                .any(|event| matches!(event, StoreEvent::QueuedElsewhere));
        }
    };
    one.post("").await;
    // It does not know yet what was there when it began.
    next(&one).await;
    one.post("").await;
    assert!(!next(&one).await);
    other.post("").await;
    assert!(next(&other).await);
    assert!(one.store.backlog().await.unwrap().queued_elsewhere);
    assert!(!one.store.backlog().await.unwrap().queued_elsewhere);
    other.post("").await;
    assert!(!next(&other).await);
    one.post("").await;
    assert!(next(&one).await);
}

/// The statements of a group that are unknown to a connection are prepared first: sent together with what is known, they
/// would run after the commit.
#[tokio::test]
async fn the_first_group_of_a_connection_is_stored_whole_or_not_at_all() {
    let (database, one, _other) = replicas().await;
    one.connect("").await;
    let fresh = one.beside(Arc::new(database.open_as(11).await), 3);
    let mut submission = fresh.submission(&[fresh.alert(""), fresh.alert("")]).await;
    submission.alerts[1].id = submission.alerts[0].id;
    let refused = fresh.store.accept(submission).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    assert_eq!(fresh.store.census().await.unwrap().pending, 0);
    assert_eq!(fresh.post("").await.deliveries.len(), 1);
    execute(
        &database,
        "DO $$ BEGIN ASSERT (SELECT next_delivery FROM numbering) = 2; END $$",
    )
    .await;
}
