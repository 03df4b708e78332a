//! Properties of the queue.

use alert_connectors_model::{DeliveryState, EndReason};

use super::world::World;
use crate::{Form, NextStep, Recorded};

/// What ended is owed no more, and its attempt is kept.
pub async fn a_recorded_end_is_due_no_more(world: World) {
    let connector = world.connect("").await;
    let id = world.post("").await.id;
    let due = world.due(&connector).await;
    let recorded = world
        .store
        .record(vec![world.outcome(&due[0], world.arrived())])
        .await
        .unwrap();
    assert_eq!(recorded, [Recorded::Done]);
    assert!(world.due(&connector).await.is_empty());
    let deliveries = world
        .store
        .deliveries_of(world.space_id().await, id)
        .await
        .unwrap();
    assert_eq!(
        (deliveries[0].state, deliveries[0].ended_at),
        (DeliveryState::Delivered, Some(world.now))
    );
    assert_eq!(
        (
            deliveries[0].attempts.len(),
            deliveries[0].attempts[0].status_code
        ),
        (1, Some(200))
    );
}

/// What is tried again keeps its place, its form and its wait.
pub async fn a_recorded_retry_is_due_again_with_its_form_and_wait(world: World) {
    let connector = world.connect("").await;
    world.post("").await;
    let due = world.due(&connector).await;
    let again = NextStep::Again {
        form: Form::Plain,
        at: world.later(30),
    };
    world
        .store
        .record(vec![world.outcome(&due[0], again)])
        .await
        .unwrap();
    let again = world.due(&connector).await;
    assert_eq!(
        (again[0].seq, again[0].form, again[0].attempts),
        (due[0].seq, Form::Plain, 1)
    );
    assert_eq!(again[0].next_attempt_at, Some(world.later(30)));
}

/// The same outcome again is one attempt.
pub async fn recording_twice_changes_nothing(world: World) {
    let connector = world.connect("").await;
    let id = world.post("").await.id;
    let due = world.due(&connector).await;
    let outcome = world.outcome(&due[0], world.arrived());
    world.store.record(vec![outcome.clone()]).await.unwrap();
    assert_eq!(
        world.store.record(vec![outcome]).await.unwrap(),
        [Recorded::Superseded]
    );
    let deliveries = world
        .store
        .deliveries_of(world.space_id().await, id)
        .await
        .unwrap();
    assert_eq!(deliveries[0].attempts.len(), 1);
}

/// An answer that comes after its connector was deleted is kept as an attempt and undoes nothing.
pub async fn an_outcome_after_cancellation_is_superseded(world: World) {
    let connector = world.connect("").await;
    let id = world.post("").await.id;
    let due = world.due(&connector).await;
    world
        .store
        .delete_connector(world.space_id().await, connector.id, world.now)
        .await
        .unwrap();
    let recorded = world
        .store
        .record(vec![world.outcome(&due[0], world.arrived())])
        .await
        .unwrap();
    assert_eq!(recorded, [Recorded::Superseded]);
    let deliveries = world
        .store
        .deliveries_of(world.space_id().await, id)
        .await
        .unwrap();
    assert_eq!(deliveries[0].reason, Some(EndReason::ConnectorDeleted));
    assert_eq!(deliveries[0].attempts.len(), 1);
}

/// A destination merges its connectors by the order of acceptance, and reads on where it stopped.
pub async fn due_is_read_in_order_across_connectors(world: World) {
    let one = world.connect("").await;
    world.connect("").await;
    for _ in 0..3 {
        world.post("").await;
    }
    let all = world.due(&one).await;
    assert_eq!(all.len(), 6);
    assert!(all.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    let rest = world
        .store
        .due(one.destination, all[1].seq, 3)
        .await
        .unwrap();
    assert_eq!(
        rest.iter().map(|due| due.seq).collect::<Vec<_>>(),
        all[2..5].iter().map(|due| due.seq).collect::<Vec<_>>()
    );
    assert_eq!(world.store.tidings().await.unwrap().owed, [one.destination]);
}
