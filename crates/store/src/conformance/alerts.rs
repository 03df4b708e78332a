//! Properties of reading alerts back.

use std::sync::Arc;

use alert_connectors_model::{Alert, AlertStatus, AlertType, Severity, Slug, Space, SpaceId};
use jiff::SignedDuration;

use super::world::World;
use crate::{AlertQuery, AlertSummary, Erasure, KindCount, Resolution, Tidying};

async fn ids(world: &World, query: AlertQuery) -> Vec<alert_connectors_model::AlertId> {
    let page = world
        .store
        .alerts(world.space_id().await, query, world.expiry())
        .await
        .unwrap();
    page.items.into_iter().map(|record| record.id).collect()
}

/// Pages join to the whole list, newest first.
pub async fn alerts_are_listed_newest_first_without_gap_or_repeat(world: World) {
    let mut posted = Vec::new();
    for number in 0..7 {
        let severity = Severity::ALL[number % 4];
        posted.insert(
            0,
            world
                .post(&format!(
                    r#","dedup_key":"{number}","description":"{}""#,
                    severity.as_str()
                ))
                .await
                .id,
        );
    }
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let query = AlertQuery {
            limit: 3,
            before,
            ..AlertQuery::default()
        };
        let page = world
            .store
            .alerts(world.space_id().await, query, world.expiry())
            .await
            .unwrap();
        seen.extend(page.items.iter().map(|record| record.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, posted);
}

/// Several values of a filter mean "or"; several filters mean "and".
pub async fn filters_of_a_list_are_joined_by_or_within_and_by_and_between(world: World) {
    let high = world.post("").await.id;
    let keyed = world.post(r#","dedup_key":"k""#).await.id;
    world.post(r#","dedup_key":"k","status":"resolved""#).await;
    let all = AlertQuery {
        limit: 10,
        ..AlertQuery::default()
    };
    let types = |names: &[&str]| {
        let types = names.iter().map(|name| AlertType::parse(name).unwrap());
        types.collect::<Vec<_>>()
    };
    let within_a_list = [
        (
            AlertQuery {
                severities: vec![Severity::High, Severity::Low],
                ..all.clone()
            },
            vec![keyed, high],
        ),
        (
            AlertQuery {
                severities: vec![Severity::Low],
                ..all.clone()
            },
            vec![],
        ),
        (
            AlertQuery {
                statuses: vec![AlertStatus::Resolved],
                ..all.clone()
            },
            vec![keyed],
        ),
    ];
    let between_lists = [
        (
            AlertQuery {
                alert_types: types(&["dq_alert", "x"]),
                statuses: vec![AlertStatus::Active],
                ..all.clone()
            },
            vec![high],
        ),
        (
            AlertQuery {
                dedup_keys: vec!["k".to_owned()],
                severities: vec![Severity::High],
                ..all.clone()
            },
            vec![keyed],
        ),
        (
            AlertQuery {
                dedup_keys: vec!["k".to_owned()],
                alert_types: types(&["x"]),
                ..all
            },
            vec![],
        ),
    ];
    for (query, expected) in within_a_list.into_iter().chain(between_lists) {
        assert_eq!(ids(&world, query.clone()).await, expected, "{query:?}");
    }
}

/// `since` is in the span, and `until` is not.
pub async fn a_span_of_time_has_its_beginning_and_not_its_end(world: World) {
    let id = world.post("").await.id;
    let (now, next) = (world.now, world.later(1));
    for (since, until, expected) in [
        (Some(now), Some(next), vec![id]),
        (Some(next), None, vec![]),
        (None, Some(now), vec![]),
    ] {
        let query = AlertQuery {
            since,
            until,
            limit: 10,
            ..AlertQuery::default()
        };
        assert_eq!(ids(&world, query).await, expected, "{since:?} to {until:?}");
    }
}

/// Spaces do not see each other.
pub async fn an_alert_of_another_space_is_absent(world: World) {
    let id = world.post("").await.id;
    let other = SpaceId::new(world.now, &world.random);
    let slug = Slug::parse("other").unwrap();
    world
        .store
        .add_space(
            Space {
                id: other,
                slug,
                name: "O".to_owned(),
                created_at: world.now,
            },
            None,
        )
        .await
        .unwrap();
    let expiry = world.expiry();
    assert!(
        world
            .store
            .alert(other, id, expiry)
            .await
            .unwrap()
            .is_none()
    );
    let slug = Slug::parse("other").unwrap();
    let roster = Arc::new(world.store.roster(&slug).await.unwrap().unwrap());
    assert!(matches!(
        world.store.resolve(roster, id, expiry).await.unwrap(),
        Resolution::Absent
    ));
    assert!(
        world
            .store
            .deliveries_of(other, id, expiry)
            .await
            .unwrap()
            .is_empty()
    );
    let page = world
        .store
        .alerts(
            other,
            AlertQuery {
                limit: 10,
                ..AlertQuery::default()
            },
            expiry,
        )
        .await
        .unwrap();
    assert!(page.items.is_empty());
}

/// Resolving again changes nothing.
pub async fn resolve_is_repeatable(world: World) {
    let id = world.post(r#","dedup_key":"k""#).await.id;
    for _ in 0..2 {
        let record = world.resolve(id).await;
        assert_eq!(record.alert.status, AlertStatus::Resolved);
    }
    assert_ne!(world.post(r#","dedup_key":"k""#).await.id, id);
}

/// Lists are the same over long stretches of the order, whatever they look for.
pub async fn what_is_rare_is_found_among_many(world: World) {
    let connector = world.connect("").await;
    let mut rare = Vec::new();
    for _ in 0..3 {
        let posted = world.post(r#","dedup_key":"k""#).await;
        let resolved = world.post(r#","dedup_key":"k","status":"resolved""#).await;
        assert_eq!(posted.id, resolved.id);
        let severe = Alert {
            severity: Severity::Critical,
            alert_type: AlertType::parse("rare").unwrap(),
            ..world.alert("")
        };
        let submission = world.submission(&[severe]).await;
        let accepted = world.store.accept(submission).await.unwrap();
        rare.insert(0, super::world::stored(accepted).remove(0).id);
        let many = vec![world.alert(""); 300];
        let submission = world.submission(&many).await;
        world.store.accept(submission).await.unwrap();
    }
    let all = AlertQuery {
        limit: 10,
        ..AlertQuery::default()
    };
    let by_severity = AlertQuery {
        severities: vec![Severity::Critical],
        ..all.clone()
    };
    let by_type = AlertQuery {
        alert_types: vec![AlertType::parse("rare").unwrap()],
        since: Some(world.later(-3_600)),
        until: Some(world.later(3_600)),
        ..all.clone()
    };
    for query in [by_severity, by_type] {
        assert_eq!(ids(&world, query.clone()).await, rare, "{query:?}");
        let second = AlertQuery { limit: 1, ..query };
        let page = world
            .store
            .alerts(world.space_id().await, second.clone(), world.expiry())
            .await
            .unwrap();
        let rest = AlertQuery {
            before: page.next,
            limit: 10,
            ..second
        };
        assert_eq!(ids(&world, rest).await, rare[1..]);
    }
    let resolved = AlertQuery {
        statuses: vec![AlertStatus::Resolved],
        ..all.clone()
    };
    assert_eq!(ids(&world, resolved).await.len(), 3);
    let past = AlertQuery {
        until: Some(world.later(-60)),
        ..all
    };
    assert!(ids(&world, past).await.is_empty());
    assert_eq!(
        world.due(&connector).await.len(),
        100,
        "the queue is as it was"
    );
}

/// A summary names the most frequent kinds, and counts the alerts of the others together.
pub async fn a_summary_names_the_most_frequent_kinds(world: World) {
    let named = usize::try_from(AlertSummary::KINDS_MAX).unwrap();
    let of_type = |number: usize| Alert {
        alert_type: AlertType::parse(&format!("type_{number}")).unwrap(),
        ..world.alert("")
    };
    let mut alerts: Vec<_> = (0..named + 3).map(of_type).collect();
    alerts.push(of_type(named + 2));
    let submission = world.submission(&alerts).await;
    world.store.accept(submission).await.unwrap();
    let space = world.space_id().await;
    let summary = world.store.summary(space, world.now).await.unwrap();
    assert_eq!((summary.kinds.len(), summary.other), (named, 3));
    let first = &summary.kinds[0];
    let most_frequent = format!("type_{}", named + 2);
    assert_eq!(
        (first.alert_type.as_str(), first.count),
        (&*most_frequent, 2)
    );
}

/// A summary counts each alert once, whether or not it was counted before the question, and forgets the alerts of removed history
/// only with their hours.
pub async fn a_summary_counts_each_alert_once(world: World) {
    let space = world.space_id().await;
    let week = SignedDuration::from_hours(7 * 24);
    let since = world.now.checked_sub(week).unwrap();
    let counts = async |since| {
        let summary = world.store.summary(space, since).await.unwrap();
        assert_eq!(summary.other, 0);
        let said = |kind: &KindCount| {
            format!(
                "{} {} {}",
                kind.count,
                kind.severity.as_str(),
                kind.alert_type.as_str()
            )
        };
        summary.kinds.iter().map(said).collect::<Vec<_>>()
    };
    let tidying = Tidying {
        now: world.now,
        retention: SignedDuration::from_hours(30 * 24),
        audit_retention: SignedDuration::from_hours(24 * 365),
    };
    assert_eq!(counts(since).await, Vec::<String>::new());
    for _ in 0..3 {
        world.post("").await;
    }
    world.post(r#","dedup_key":"k""#).await;
    // A repeat of an active problem is no other alert.
    world.post(r#","dedup_key":"k""#).await;
    assert_eq!(counts(since).await, ["4 high dq_alert"]);
    world.tidy_by(tidying).await;
    assert_eq!(counts(since).await, ["4 high dq_alert"]);
    let other = Alert {
        alert_type: AlertType::parse("other").unwrap(),
        severity: Severity::Low,
        ..world.alert("")
    };
    let submission = world.submission(&[other]).await;
    world.store.accept(submission).await.unwrap();
    assert_eq!(counts(since).await, ["4 high dq_alert", "1 low other"]);
    world.tidy_by(tidying).await;
    world.tidy_by(tidying).await;
    assert_eq!(counts(since).await, ["4 high dq_alert", "1 low other"]);
    let later = world
        .now
        .checked_add(SignedDuration::from_hours(1))
        .unwrap();
    assert_eq!(counts(later).await, Vec::<String>::new());
    let begins = world.store.summary(space, later).await.unwrap().since;
    assert!(begins <= later && later.duration_since(begins) < SignedDuration::from_hours(1));
    // Counts are forgotten once no summary can ask for them.
    let forgetting = Tidying {
        now: world
            .now
            .checked_add(SignedDuration::from_hours(32 * 24))
            .unwrap(),
        ..tidying
    };
    world.tidy_by(forgetting).await;
    assert_eq!(counts(since).await, Vec::<String>::new());
}

/// What is erased is gone with its deliveries, pending ones too, and nothing else is.
pub async fn what_is_erased_is_gone_with_its_deliveries(world: World) {
    let connector = world.connect("").await;
    let space = world.space_id().await;
    let one = world.post("").await;
    let stays = world.post(r#","dedup_key":"other""#).await;
    let mut problem = Vec::new();
    for _ in 0..3 {
        let posted = world.post(r#","dedup_key":"k""#).await;
        world.resolve(posted.id).await;
        problem.push(posted.id);
    }
    let erase = async |erasure| world.store.erase(space, erasure).await.unwrap().0;
    assert_eq!(erase(Erasure::One(one.id)).await, 1);
    assert_eq!(erase(Erasure::One(one.id)).await, 0);
    assert_eq!(erase(Erasure::Problem("k".to_owned())).await, 3);
    assert_eq!(erase(Erasure::Problem("k".to_owned())).await, 0);
    let elsewhere = world
        .store
        .erase(SpaceId::from_bytes([9; 16]), Erasure::One(stays.id));
    assert_eq!(elsewhere.await.unwrap().0, 0);
    let whole = AlertQuery {
        limit: 50,
        ..AlertQuery::default()
    };
    let listed = ids(&world, whole).await;
    assert_eq!(listed, [stays.id]);
    let due = world.due(&connector).await;
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].alert_id, stays.id);
    for id in problem.into_iter().chain([one.id]) {
        assert!(world.deliveries_of(id).await.is_empty());
    }
    // A report about what is gone changes nothing, and nothing that comes later has its number.
    let late = world.post("").await;
    world.all_arrive(&connector).await;
    assert_eq!(world.deliveries_of(late.id).await.len(), 1);
}
