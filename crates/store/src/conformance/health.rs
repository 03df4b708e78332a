//! Properties of a connector's health.

use alert_connectors_model::ConnectorChange;
use jiff::SignedDuration;

use super::world::World;
use crate::{
    DestinationHealth, Disposition, FailingMessages, Form, HealthState, Outcome, SetAside, Wait,
};

/// Health tells how a connector fares.
pub async fn health_tells_how_a_connector_fares(world: World) {
    let connector = world.connect("").await;
    let space = world.space_id().await;
    let health = async || {
        let found = world.store.health(space, connector.id, world.expiry());
        found.await.unwrap().unwrap()
    };
    assert_eq!(health().await.state, HealthState::Idle);
    for _ in 0..2 {
        world.post("").await;
    }
    let due = world.due(&connector).await;
    world
        .report(&connector, vec![world.outcome(&due[0], world.arrived())])
        .await;
    let healthy = health().await;
    assert_eq!(
        (
            healthy.state,
            healthy.queue_depth,
            healthy.oldest_pending_at
        ),
        (HealthState::Healthy, 1, Some(world.now))
    );
    assert_eq!(healthy.last_success_at, Some(world.now));
}

/// A repair takes precedence: a health from before it, whose report was long on its way, is not written over it. That its spaces were
/// notified of the block is written all the same.
pub async fn a_health_from_before_a_repair_is_not_written(world: World) {
    let connector = world.connect("").await;
    let known = async || {
        let state = world
            .store
            .destination_state(connector.destination, world.now);
        state.await.unwrap().health
    };
    let report = async |health: DestinationHealth| {
        world
            .report_with(&connector, Vec::new(), Some(health))
            .await;
    };
    let before = DestinationHealth {
        failures: 3,
        ..DestinationHealth::default()
    };
    report(before.clone()).await;
    let same = ConnectorChange {
        webhook_url: Some(connector.webhook_url.clone()),
        ..ConnectorChange::default()
    };
    let (space, version) = (world.space_id().await, world.roster().await.version);
    let store = &world.store;
    store
        .change_connector(space, version, connector.id, same, world.later(5))
        .await
        .unwrap();
    let repaired = known().await;
    assert_eq!(
        (repaired.failures, repaired.repaired_at),
        (0, Some(world.later(5)))
    );
    report(DestinationHealth {
        failures: 4,
        announced: true,
        ..before
    })
    .await;
    let expected = DestinationHealth {
        announced: true,
        ..repaired.clone()
    };
    assert_eq!(known().await, expected);
    report(DestinationHealth {
        failures: 1,
        ..expected
    })
    .await;
    assert_eq!(known().await.failures, 1);
}

/// The health of a space's connectors is that of each of them, oldest connector first.
pub async fn health_of_a_space_is_that_of_each_connector(world: World) {
    let space = world.space_id().await;
    let healths = async || world.store.healths(space, world.expiry()).await.unwrap();
    assert_eq!(healths().await, []);
    let connect = async |name: &str| {
        let url = format!("https://hooks.slack.com/services/T/B/{name}");
        world.connect_url("", Some(&url)).await
    };
    let (one, other) = (connect("one").await, connect("other").await);
    let off = connect("off").await;
    for _ in 0..2 {
        world.post("").await;
    }
    let due = world.due(&one).await;
    let outcomes = vec![world.outcome(&due[0], world.arrived())];
    world.report(&one, outcomes).await;
    world
        .report_with(&other, Vec::new(), Some(failing(&world)))
        .await;
    let version = world.roster().await.version;
    let switch_off = ConnectorChange {
        is_active: Some(false),
        ..ConnectorChange::default()
    };
    let changed = world
        .store
        .change_connector(space, version, off.id, switch_off, world.now);
    changed.await.unwrap();
    let found = healths().await;
    let mut each = Vec::new();
    for connector in [&one, &other, &off] {
        let health = world.store.health(space, connector.id, world.expiry());
        each.push(health.await.unwrap().unwrap());
    }
    assert_eq!(found, each);
    let states: Vec<_> = found
        .iter()
        .map(|health| (health.state, health.queue_depth))
        .collect();
    assert_eq!(states[2], (HealthState::Paused, 0));
    assert!(states.contains(&(HealthState::Retrying, 2)), "{states:?}");
}

/// Failures, a block and a pause are told in this order: the last of them says what the connector does.
pub async fn health_tells_a_failure_a_block_and_a_pause(world: World) {
    let connector = world.connect("").await;
    let space = world.space_id().await;
    let health = async || {
        let found = world.store.health(space, connector.id, world.expiry());
        found.await.unwrap().unwrap()
    };
    world.post("").await;
    let failing = failing(&world);
    world
        .report_with(&connector, Vec::new(), Some(failing.clone()))
        .await;
    let retrying = health().await;
    assert_eq!(
        (
            retrying.state,
            retrying.since,
            retrying.consecutive_failures
        ),
        (HealthState::Retrying, world.later(-5), 2)
    );
    assert_eq!(retrying.next_attempt_at, Some(world.later(9)));
    let blocked = DestinationHealth {
        block: Some(crate::Block {
            reason: "no_service".to_owned(),
            since: world.now,
            probes: 0,
            quiet: false,
        }),
        ..failing
    };
    world
        .report_with(&connector, Vec::new(), Some(blocked))
        .await;
    assert_eq!(health().await.state, HealthState::Blocked);
    let off = ConnectorChange {
        is_active: Some(false),
        ..ConnectorChange::default()
    };
    let version = world.roster().await.version;
    world
        .store
        .change_connector(space, version, connector.id, off, world.later(7))
        .await
        .unwrap();
    let paused = health().await;
    assert_eq!(
        (paused.state, paused.since, paused.queue_depth),
        (HealthState::Paused, world.later(7), 0)
    );
}

/// A request to slow down counts as neither a success nor a failure, in the health of a connector and in the event about it.
pub async fn a_connector_that_was_only_asked_to_wait_is_idle_to_all(world: World) {
    let connector = world.connect("").await;
    let space = world.space_id().await;
    world.post("").await;
    let due = world.due(&connector).await.remove(0);
    let again = Disposition::Retry {
        form: Form::Full,
        at: world.later(9),
    };
    let throttled = DestinationHealth {
        throttles: 1,
        ..DestinationHealth::default()
    };
    let outcomes = vec![world.outcome(&due, again)];
    world
        .report_with(&connector, outcomes, Some(throttled))
        .await;
    let asked = world
        .store
        .health(space, connector.id, world.expiry())
        .await;
    assert_eq!(asked.unwrap().unwrap().state, HealthState::Idle);
    let watched = world.store.health_states(connector.destination).await;
    let idle = (space, connector.id, HealthState::Idle);
    assert_eq!(watched.unwrap(), [idle]);
    let due = world.due(&connector).await.remove(0);
    let outcomes = vec![world.outcome(&due, world.arrived())];
    world.report(&connector, outcomes).await;
    let watched = world.store.health_states(connector.destination).await;
    let healthy = (space, connector.id, HealthState::Healthy);
    assert_eq!(watched.unwrap(), [healthy]);
}

fn failing(world: &World) -> DestinationHealth {
    DestinationHealth {
        failures: 2,
        failing_since: Some(world.later(-5)),
        last_error: Some("HTTP 503".to_owned()),
        wait: Some(crate::Wait {
            set_at: world.now,
            length: SignedDuration::from_secs(9),
            asked: false,
        }),
        ..DestinationHealth::default()
    }
}

/// A message that is set aside has the time at which it is tried again, in history and in health.
pub async fn what_is_set_aside_is_told_when_it_is_tried(world: World) {
    let connector = world.connect("").await;
    let space = world.space_id().await;
    world.post("").await;
    let due = world.due(&connector).await.remove(0);
    let next = Disposition::Retry {
        form: Form::Plain,
        at: world.later(60),
    };
    let postponed = Outcome {
        seq: due.seq,
        attempt: None,
        disposition: next,
    };
    let set_aside = SetAside {
        seq: due.seq,
        alert_id: due.alert_id,
        connector_id: connector.id,
        failures: 3,
        wait: Wait {
            set_at: world.now,
            length: SignedDuration::from_secs(60),
            asked: false,
        },
    };
    let failing = FailingMessages {
        suspect: None,
        set_aside: vec![set_aside],
    };
    let health = DestinationHealth {
        failing,
        ..DestinationHealth::default()
    };
    world
        .report_with(&connector, vec![postponed], Some(health))
        .await;
    let found = world.store.delivery(space, due.id, world.expiry());
    let delivery = found.await.unwrap().unwrap();
    assert_eq!(delivery.next_attempt_at, Some(world.later(60)));
    assert!(delivery.attempts.is_empty());
    let again = world.due(&connector).await.remove(0);
    assert_eq!((again.attempts, again.form), (0, Form::Plain));
    let next = async || {
        let found = world.store.health(space, connector.id, world.expiry());
        found.await.unwrap().unwrap().next_attempt_at
    };
    assert_eq!(next().await, Some(world.later(60)));
    // Another delivery does not have to wait.
    world.post("").await;
    assert_eq!(next().await, None);
}
