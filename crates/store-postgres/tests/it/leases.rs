//! Who works a destination.

use std::sync::Arc;

use alert_connectors_model::{DeliveryState, Fingerprint};
use alert_connectors_store::{
    DestinationHealth, Fence, Lease, Recorded, ReleasedLease, Report, Store, StoreEvent, Wait,
    conformance::World,
};

use jiff::SignedDuration;

use crate::database::{Database, execute, number};

const ONE: Fingerprint = Fingerprint([1; 16]);
const TWO: Fingerprint = Fingerprint([2; 16]);

/// Two replicas of one world.
async fn replicas() -> (Database, World, World) {
    let database = Database::make();
    let world = World::furnished(Arc::new(database.open().await)).await;
    let other = database.open_as(9).await;
    let other = world.beside(Arc::new(other), 99);
    (database, world, other)
}

async fn take(store: &Arc<dyn Store>, destinations: &[Fingerprint]) -> Vec<Lease> {
    store.acquire(destinations).await.unwrap()
}

#[tokio::test]
async fn a_destination_is_held_by_one_until_it_is_handed_on_or_lapses() {
    let (database, one, other) = replicas().await;
    let held = take(&one.store, &[ONE, TWO]).await;
    assert_eq!(held.len(), 2);
    assert!(take(&other.store, &[ONE, TWO]).await.is_empty());
    let handed = held.iter().find(|lease| lease.destination == ONE).unwrap();
    let handed = ReleasedLease {
        lease: *handed,
        has_work: true,
    };
    one.store.release(&[handed]).await.unwrap();
    let taken = take(&other.store, &[ONE, TWO]).await;
    assert_eq!(taken.len(), 1);
    assert!(taken[0].destination == ONE && taken[0].number > handed.lease.number);
    // What was handed on can't be renewed, and is not handed on twice.
    let renewal = one.store.renew(&held).await.unwrap();
    assert_eq!(renewal.held.len(), 1);
    one.store.release(&[handed]).await.unwrap();
    assert_eq!(other.store.renew(&taken).await.unwrap().held.len(), 1);
    // Time passes by the database's clock.
    execute(
        &database,
        "UPDATE leases SET until = now() - interval '1 s'",
    )
    .await;
    assert_eq!(take(&other.store, &[TWO]).await.len(), 1);
    assert!(one.store.renew(&held).await.unwrap().held.is_empty());
}

#[tokio::test]
async fn work_is_shared_among_those_that_were_seen() {
    let (_database, one, other) = replicas().await;
    let all: Vec<Fingerprint> = (0..10).map(|number| Fingerprint([number; 16])).collect();
    let held = take(&one.store, &all).await;
    assert_eq!(one.store.renew(&held).await.unwrap().share, 10);
    other.store.renew(&[]).await.unwrap();
    assert_eq!(one.store.renew(&held).await.unwrap().share, 5);
    other.store.leave().await.unwrap();
    assert_eq!(one.store.renew(&held).await.unwrap().share, 10);
}

#[tokio::test]
async fn whoever_holds_a_destination_learns_what_others_changed_and_that_they_ask_for_it() {
    let (_database, one, other) = replicas().await;
    let connector = one.connect("").await;
    let held = take(&one.store, &[connector.destination]).await;
    let calm = one.store.renew(&held).await.unwrap().held[0];
    assert!(calm.lease.changes == held[0].changes && !calm.wanted);
    let space = other.space_id().await;
    let now = other.expiry().now;
    let deleted = other.store.delete_connector(space, connector.id, now).await;
    assert!(deleted.unwrap());
    other.store.request(connector.destination).await.unwrap();
    let touched = one.store.renew(&held).await.unwrap().held[0];
    assert!(touched.lease.changes > held[0].changes && touched.wanted);
}

#[tokio::test]
async fn what_is_said_under_a_lease_of_before_is_kept_and_changes_nothing() {
    let (database, one, other) = replicas().await;
    let connector = one.connect("").await;
    let alert = one.post("").await;
    let destination = connector.destination;
    let before = take(&one.store, &[destination]).await[0];
    execute(
        &database,
        "UPDATE leases SET until = now() - interval '1 s'",
    )
    .await;
    let after = take(&other.store, &[destination]).await[0];
    let due = one.due(&connector).await;
    let report = |lease: Lease, health| Report {
        destination,
        fence: Fence::Lease(lease.number),
        health,
        outcomes: vec![one.outcome(&due[0], one.arrived())],
        revived: Vec::new(),
    };
    let troubled = DestinationHealth {
        failures: 7,
        ..DestinationHealth::default()
    };
    let late = report(before, Some(troubled));
    let recorded = one.store.record(Arc::from([late])).await.unwrap();
    assert_eq!(recorded, [Recorded::Superseded]);
    let deliveries = one.deliveries_of(alert.id).await;
    assert_eq!(deliveries[0].state, DeliveryState::Pending);
    assert_eq!(deliveries[0].attempts.len(), 1);
    let known = one
        .store
        .destination_state(destination, one.expiry().now)
        .await
        .unwrap();
    assert_eq!(known.health, DestinationHealth::default());
    let recorded = other.store.record(Arc::from([report(after, None)])).await;
    assert_eq!(recorded.unwrap(), [Recorded::Done]);
    let deliveries = one.deliveries_of(alert.id).await;
    assert_eq!(deliveries[0].state, DeliveryState::Delivered);
    assert_eq!(deliveries[0].attempts.len(), 2);
}

#[tokio::test]
async fn whoever_does_not_know_of_a_repair_does_not_undo_it() {
    let (_database, one, other) = replicas().await;
    let connector = one.connect("").await;
    let destination = connector.destination;
    let lease = take(&one.store, &[destination]).await[0];
    let report = |health| Report {
        destination,
        fence: Fence::Lease(lease.number),
        health: Some(health),
        outcomes: Vec::new(),
        revived: Vec::new(),
    };
    let failing = DestinationHealth {
        failures: 3,
        ..DestinationHealth::default()
    };
    one.store
        .record(Arc::from([report(failing.clone())]))
        .await
        .unwrap();
    let change = alert_connectors_model::ConnectorChange {
        webhook_url: Some(connector.webhook_url.clone()),
        ..alert_connectors_model::ConnectorChange::default()
    };
    let roster = other.roster().await;
    let (space, now) = (roster.space.id, other.expiry().now);
    other
        .store
        .change_connector(space, roster.version, connector.id, change, now)
        .await
        .unwrap();
    let failing = DestinationHealth {
        failures: 4,
        announced: true,
        ..failing
    };
    one.store
        .record(Arc::from([report(failing)]))
        .await
        .unwrap();
    let known = one
        .store
        .destination_state(destination, one.expiry().now)
        .await
        .unwrap()
        .health;
    assert_eq!((known.failures, known.repaired_at), (0, Some(now)));
    assert!(known.announced, "who told the spaces says so");
}

#[tokio::test]
async fn a_wait_is_judged_by_the_clock_of_the_database() {
    let (_database, one, _other) = replicas().await;
    let connector = one.connect("").await;
    let now = one.expiry().now;
    let wait = Wait {
        set_at: now,
        length: SignedDuration::from_secs(90),
        asked: true,
    };
    let health = DestinationHealth {
        wait: Some(wait),
        ..DestinationHealth::default()
    };
    let report = Report {
        destination: connector.destination,
        fence: Fence::Unshared,
        health: Some(health),
        outcomes: Vec::new(),
        revived: Vec::new(),
    };
    one.store.record(Arc::from([report])).await.unwrap();
    // Other replicas have clocks of their own.
    for hours in [-1, 0, 1] {
        let theirs = now + SignedDuration::from_hours(hours);
        let known = one
            .store
            .destination_state(connector.destination, theirs)
            .await;
        let left = known.unwrap().health.wait.unwrap().left(theirs);
        assert!(left > SignedDuration::from_secs(80), "{hours}: {left}");
        assert!(left <= SignedDuration::from_secs(90), "{hours}: {left}");
    }
}

const SHOWN: &str = "pg_locks l JOIN replicas r ON r.life_lock = (l.classid::int8 << 32 | l.objid::int8)
    WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Waits until so many replicas show that they live.
async fn until_shown(database: &Database, count: i64) {
    let shown = format!("SELECT count(*) FROM {SHOWN}");
    while number(database, &shown).await != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_leases_of_a_replica_that_died_are_free_at_once() {
    let (database, one, other) = replicas().await;
    until_shown(&database, 2).await;
    assert_eq!(take(&one.store, &[ONE]).await.len(), 1);
    other.store.backlog().await.unwrap();
    assert!(take(&other.store, &[ONE]).await.is_empty());
    // It says no farewell, as one that is killed.
    drop(one);
    until_shown(&database, 1).await;
    other.store.backlog().await.unwrap();
    let taken = take(&other.store, &[ONE]).await;
    assert_eq!(taken.len(), 1);
    // The dead one gets no share any more.
    assert_eq!(other.store.renew(&taken).await.unwrap().share, 1);
}

#[tokio::test]
async fn a_replica_that_loses_its_session_gets_another_and_keeps_its_leases() {
    let (database, one, other) = replicas().await;
    until_shown(&database, 2).await;
    let held = take(&one.store, &[ONE]).await;
    // As if a firewall ended it. The renewal takes the sign back, so that nobody misses it.
    let end = format!("SELECT pg_terminate_backend(l.pid, 5000) FROM {SHOWN}");
    execute(&database, &end).await;
    let in_doubt = |event: &StoreEvent| matches!(event, StoreEvent::LeasesInDoubt);
    while !one.store.next_events().await.unwrap().iter().any(in_doubt) {}
    assert_eq!(one.store.renew(&held).await.unwrap().held.len(), 1);
    other.store.backlog().await.unwrap();
    assert!(take(&other.store, &[ONE]).await.is_empty());
    // It shows another sign by itself, under which leases are renewed once more.
    while !one.store.next_events().await.unwrap().iter().any(in_doubt) {}
    assert_eq!(one.store.renew(&held).await.unwrap().held.len(), 1);
    until_shown(&database, 2).await;
}

/// What ended the session of a replica may have ended those of others.
#[tokio::test]
async fn a_replica_that_lost_its_session_takes_nobody_for_dead_for_a_while() {
    let (database, one, other) = replicas().await;
    until_shown(&database, 2).await;
    assert_eq!(take(&one.store, &[ONE]).await.len(), 1);
    let end = format!("SELECT pg_terminate_backend(l.pid, 5000) FROM {SHOWN}");
    execute(&database, &end).await;
    let in_doubt = |event: &StoreEvent| matches!(event, StoreEvent::LeasesInDoubt);
    for _ in ["it ended", "another began"] {
        while !other
            .store
            .next_events()
            .await
            .unwrap()
            .iter()
            .any(in_doubt)
        {}
    }
    // It did not come back in time.
    drop(one);
    execute(&database, "UPDATE replicas SET life_lock = 1").await;
    other.store.backlog().await.unwrap();
    assert!(take(&other.store, &[ONE]).await.is_empty());
}

/// After a restart of PostgreSQL all sessions are gone, and that says nothing of the replicas.
#[tokio::test]
async fn a_sign_of_life_on_another_server_is_not_missed() {
    let (database, one, other) = replicas().await;
    until_shown(&database, 2).await;
    assert_eq!(take(&one.store, &[ONE]).await.len(), 1);
    let moved = "UPDATE replicas SET life_lock = 1, life_server = now() - interval '1 day'";
    execute(&database, moved).await;
    other.store.backlog().await.unwrap();
    assert!(take(&other.store, &[ONE]).await.is_empty());
}
