//! Properties of the queue.

use std::sync::Arc;

use alert_connectors_model::{AlertId, Connector, DeliveryState, EndReason, TraceContext};

use jiff::SignedDuration;

use super::world::World;
use crate::{
    BatchQuery, Block, DestinationHealth, Disposition, Expiry, FailingMessages, Fence, Form,
    OpeningState, Outcome, Recorded, Report, SetAside, Suspect, Wait,
};

/// A delivery that ended is no longer pending, and its attempt is kept.
pub async fn a_recorded_end_is_due_no_more(world: World) {
    let connector = world.connect("").await;
    let id = world.post("").await.id;
    let due = world.due(&connector).await;
    let recorded = world
        .report(&connector, vec![world.outcome(&due[0], world.arrived())])
        .await;
    assert_eq!(recorded, [Recorded::Done]);
    assert!(world.due(&connector).await.is_empty());
    let deliveries = world.deliveries_of(id).await;
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
    let id = world.post("").await.id;
    let due = world.due(&connector).await;
    let again = Disposition::Retry {
        form: Form::Plain,
        at: world.later(30),
    };
    world
        .report(&connector, vec![world.outcome(&due[0], again)])
        .await;
    let again = world.due(&connector).await;
    assert_eq!(
        (again[0].seq, again[0].form, again[0].attempts),
        (due[0].seq, Form::Plain, 1)
    );
    let next = world.deliveries_of(id).await[0].next_attempt_at;
    assert_eq!(next, Some(world.later(30)));
}

/// The same outcome again is one attempt.
pub async fn recording_twice_changes_nothing(world: World) {
    let connector = world.connect("").await;
    let id = world.post("").await.id;
    let due = world.due(&connector).await;
    let outcome = world.outcome(&due[0], world.arrived());
    world.report(&connector, vec![outcome.clone()]).await;
    assert_eq!(
        world.report(&connector, vec![outcome]).await,
        [Recorded::Superseded]
    );
    let deliveries = world.deliveries_of(id).await;
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
        .report(&connector, vec![world.outcome(&due[0], world.arrived())])
        .await;
    assert_eq!(recorded, [Recorded::Superseded]);
    let deliveries = world.deliveries_of(id).await;
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
        .pending(one.destination, all[1].seq, 3, world.expiry())
        .await
        .unwrap();
    assert_eq!(
        rest.iter().map(|due| due.seq).collect::<Vec<_>>(),
        all[2..5].iter().map(|due| due.seq).collect::<Vec<_>>()
    );
    assert_eq!(
        world.store.backlog().await.unwrap().pending,
        [one.destination]
    );
}

/// A health in which every part says something.
fn with_everything(world: &World, connector: &Connector) -> DestinationHealth {
    DestinationHealth {
        failures: 3,
        unanswered: 2,
        failing: FailingMessages {
            suspect: Some(Suspect {
                seq: 4,
                failures: 2,
                trials: 1,
            }),
            set_aside: vec![SetAside {
                seq: 3,
                alert_id: AlertId::from_bytes([3; 16]),
                connector_id: connector.id,
                failures: 5,
                wait: Wait {
                    set_at: world.now,
                    length: SignedDuration::from_secs(8),
                    asked: false,
                },
            }],
        },
        failing_since: Some(world.later(-60)),
        recovered_at: Some(world.later(-600)),
        last_error: Some("no_service".to_owned()),
        throttles: 2,
        wait: Some(Wait {
            set_at: world.now,
            length: SignedDuration::from_secs(90),
            asked: true,
        }),
        refused: vec![4, 7],
        block: Some(Block {
            reason: "no_service: make a new one".to_owned(),
            since: world.later(-30),
            probes: 2,
            quiet: true,
        }),
        announced: true,
        repaired_at: Some(world.later(-900)),
    }
}

/// A destination's health is stored with the outcome that changed it, and comes back as it was.
pub async fn health_comes_back_as_it_was_with_the_previous_rate_limit(world: World) {
    let connector = world.connect("").await;
    let fresh = world
        .store
        .destination_state(connector.destination, world.now)
        .await
        .unwrap();
    assert_eq!(
        (fresh.health, fresh.last_request_at),
        (DestinationHealth::default(), None)
    );
    let health = with_everything(&world, &connector);
    for _ in 0..6 {
        world.post("").await;
    }
    let due = world.due(&connector).await;
    let outcomes = due
        .iter()
        .map(|due| world.outcome(due, world.arrived()))
        .collect();
    world
        .report_with(&connector, outcomes, Some(health.clone()))
        .await;
    let known = world
        .store
        .destination_state(connector.destination, world.now)
        .await
        .unwrap();
    assert_eq!(known.health, health);
    assert_eq!(known.last_request_at, Some(world.now));
    let backlog = world.store.backlog().await.unwrap();
    assert_eq!(backlog.troubled, [connector.destination]);
}

/// A delivery that failed through the destination's fault is pending again; no other is.
pub async fn what_failed_is_revived_and_what_arrived_is_not(world: World) {
    let connector = world.connect("").await;
    for _ in 0..2 {
        world.post("").await;
    }
    let due = world.due(&connector).await;
    let failed = Disposition::End {
        state: DeliveryState::Failed,
        reason: Some(EndReason::MessageRefused),
        at: world.now,
    };
    let outcomes = vec![
        world.outcome(&due[0], failed),
        world.outcome(&due[1], world.arrived()),
    ];
    world.report(&connector, outcomes).await;
    assert!(world.due(&connector).await.is_empty());
    let report = Report {
        destination: connector.destination,
        fence: Fence::Unshared,
        health: None,
        outcomes: Vec::new(),
        revived: vec![due[0].seq, due[1].seq],
    };
    world.store.record(Arc::from([report])).await.unwrap();
    let again = world.due(&connector).await;
    assert_eq!(
        again.iter().map(|due| due.seq).collect::<Vec<_>>(),
        [due[0].seq]
    );
}

/// A digest holds the pending deliveries of the oldest one's connector, in order, the worst with their alerts; its
/// attempt is found under each of them.
pub async fn a_digest_batch_is_of_one_connector_and_its_attempt_is_shared(world: World) {
    let one = world.connect("").await;
    world.connect("").await;
    let mut ids = Vec::new();
    for severity in ["low", "critical", "medium"] {
        let alert = alert_connectors_model::Alert {
            severity: alert_connectors_model::Severity::parse(severity).unwrap(),
            ..world.alert("")
        };
        let submission = world.submission(&[alert]).await;
        let accepted = world.store.accept(submission).await.unwrap();
        ids.push(super::world::stored(accepted).remove(0).id);
    }
    let digest = async |from, most| {
        let query = crate::BatchQuery {
            from,
            at_most: most,
            in_full: 2,
            expiry: world.expiry(),
        };
        let batch = world.store.digest_batch(one.destination, query);
        batch.await.unwrap().unwrap()
    };
    let batch = digest(0, 10).await;
    assert_eq!(batch.connector.id, one.id);
    let carried: Vec<_> = batch.entries.iter().map(|entry| entry.alert_id).collect();
    assert_eq!(carried, ids);
    let with_words = batch.entries.iter().map(|entry| entry.alert.is_some());
    assert_eq!(with_words.collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(digest(0, 2).await.entries.len(), 2);
    let later = digest(batch.entries[0].seq + 1, 10).await;
    assert_ne!(later.connector.id, one.id, "its first delivery is left out");
    assert_eq!(later.entries.len(), 3);
    let rest = digest(later.entries[0].seq + 1, 10).await;
    assert_eq!(rest.connector.id, one.id);
    assert_eq!(rest.entries.len(), 2);
    let due = world.due(&one).await;
    let shared = world.outcome(&due[0], world.arrived());
    let outcomes = batch
        .entries
        .iter()
        .map(|entry| Outcome {
            seq: entry.seq,
            ..shared.clone()
        })
        .collect();
    world.report(&one, outcomes).await;
    let attempt = shared.attempt.unwrap().id;
    for id in ids {
        let deliveries = world.deliveries_of(id).await;
        let mine = deliveries
            .iter()
            .find(|delivery| delivery.connector_id == one.id)
            .unwrap();
        assert_eq!(mine.attempts[0].id, attempt);
    }
}

/// Expiry is computed: nothing is written, and a repair brings back what its rule allows.
pub async fn what_has_expired_is_owed_no_more_until_a_repair(world: World) {
    let connector = world.connect("").await;
    let id = world.post("").await.id;
    let later = |hours| Expiry {
        now: world.now + SignedDuration::from_hours(hours),
        ..world.expiry()
    };
    let due = async |expiry| {
        let due = world
            .store
            .pending(connector.destination, 0, 10, expiry)
            .await;
        due.unwrap().len()
    };
    assert_eq!((due(later(23)).await, due(later(24)).await), (1, 0));
    let space = world.space_id().await;
    let record = world.store.alert(space, id, later(25)).await;
    let delivery = &record.unwrap().unwrap().deliveries[0];
    assert_eq!(delivery.state, DeliveryState::Expired);
    let repaired = DestinationHealth {
        repaired_at: Some(later(30).now),
        ..DestinationHealth::default()
    };
    world
        .report_with(&connector, Vec::new(), Some(repaired))
        .await;
    assert_eq!((due(later(40)).await, due(later(54)).await), (1, 0));
    assert_eq!(due(later(24 * 7)).await, 0);
}

/// A follow-up knows the state of its opening.
pub async fn a_follow_up_knows_its_opening(world: World) {
    let connector = world.connect("").await;
    let id = world.post(r#","dedup_key":"k""#).await.id;
    world.resolve(id).await;
    let due = world.due(&connector).await;
    assert_eq!((due.len(), due[1].opening), (2, OpeningState::Pending));
    let failed = Disposition::End {
        state: DeliveryState::Failed,
        reason: Some(EndReason::MessageRefused),
        at: world.now,
    };
    let opening = async || world.store.opening(due[1].seq, world.expiry()).await;
    assert_eq!(opening().await.unwrap(), OpeningState::Pending);
    world
        .report(&connector, vec![world.outcome(&due[0], failed)])
        .await;
    assert_eq!(opening().await.unwrap(), OpeningState::Undelivered);
}

/// Deliveries stand in the trace of the request that queued them, also once they are read from disk, alone or for a digest.
pub async fn a_trace_is_kept_with_what_it_queued(world: World) {
    let connector = world.connect("").await;
    let span = |byte| {
        Some(TraceContext {
            trace_id: [byte; 16],
            span_id: [byte + 1; 8],
        })
    };
    for trace in [span(1), None, span(3)] {
        let mut submission = world.submission(&[world.alert("")]).await;
        submission.trace = trace;
        world.store.accept(submission).await.unwrap();
    }
    let due = world.due(&connector).await;
    let traces = due.iter().map(|one| one.trace);
    assert_eq!(traces.collect::<Vec<_>>(), [span(1), None, span(3)]);
    let query = BatchQuery {
        from: 0,
        at_most: 9,
        in_full: 9,
        expiry: world.expiry(),
    };
    let batch = world.store.digest_batch(connector.destination, query).await;
    let entries = batch.unwrap().unwrap().entries;
    let traces = entries.iter().map(|one| one.trace);
    assert_eq!(traces.collect::<Vec<_>>(), [span(1), None, span(3)]);
}
