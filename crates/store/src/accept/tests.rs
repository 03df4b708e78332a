//! The life of a problem without a database: what each post writes, and whom it notifies.

mod idle_ends;
mod memory_ledger;
mod revisions;

use std::sync::Arc;

use alert_connectors_model::{
    Alert, AlertId, AlertStatus, AlertTypeFilter, Connector, ConnectorId, ConnectorType,
    DeliveryId, DeliveryKind, DeliveryState, Email, Fingerprint, Json, Loc, SeededRandom, Severity,
    SeverityFilter, Slug, Space, SpaceId, User, UserId, WebhookUrl, parse_alert,
};
use jiff::{SignedDuration, Timestamp};
use memory_ledger::MemoryLedger;
use proptest::prelude::*;

use super::{Decision, ResolveDecision, ResolveRequest, SpaceRow, accept, resolve};
use crate::{
    Acceptance, Accepted, Expiry, Idempotency, Mandate, NewAlert, Roster, Route, StoreEvent,
    Submission,
};

const RENOTIFY: SignedDuration = SignedDuration::from_hours(4);
const CONNECTORS: usize = 3;

/// A space with three connectors that take everything, and its ledger.
struct World {
    random: SeededRandom,
    now: Timestamp,
    roster: Arc<Roster>,
    ledger: MemoryLedger,
    events: Vec<StoreEvent>,
}

impl World {
    fn new() -> Self {
        let random = SeededRandom::new(7);
        let now: Timestamp = "2026-11-27T09:00:00Z".parse().unwrap();
        let space = Arc::new(Space {
            id: SpaceId::new(now, &random),
            slug: Slug::parse("data").unwrap(),
            name: "Data".to_owned(),
            created_at: now,
        });
        let ledger = MemoryLedger {
            identity_version: 5,
            space: Some((space.id, SpaceRow { no: 1, version: 3 })),
            ..MemoryLedger::default()
        };
        let connectors = (0..CONNECTORS).map(|_| Arc::new(connector(&space, now, &random)));
        let connectors = connectors.collect();
        Self {
            roster: Arc::new(Roster {
                space,
                version: 3,
                connectors,
                sources: Vec::new(),
            }),
            random,
            now,
            ledger,
            events: Vec::new(),
        }
    }

    fn pass(&mut self, hours: i64) {
        self.now += SignedDuration::from_hours(hours);
    }

    fn expiry(&self) -> Expiry {
        Expiry {
            now: self.now,
            retry_for: SignedDuration::from_hours(24),
        }
    }

    /// A submission of one alert; `matched` has a bit for each connector that it matches.
    fn submission(&self, alert: Alert, matched: u8) -> Submission {
        let id = AlertId::new(self.now, &self.random);
        let deliveries = self.roster.connectors.iter().enumerate();
        let deliveries = deliveries
            .filter(|(index, _)| matched >> index & 1 == 1)
            .map(|(_, connector)| (DeliveryId::of(id, &self.random), Arc::clone(connector)));
        let new = NewAlert {
            id,
            has_own_time: alert.occurred_at != self.now,
            json: "{}".into(),
            warnings: Arc::from([]),
            deliveries: deliveries.collect(),
            alert: Arc::new(alert),
        };
        Submission {
            roster: Arc::clone(&self.roster),
            identity_version: Some(5),
            idempotency: None,
            expiry: self.expiry(),
            renotify: RENOTIFY,
            leaves_out_idle_ends: false,
            trace: None,
            alerts: vec![new],
        }
    }

    fn decide(&mut self, submission: &Submission) -> Decision {
        let Ok(decision) = accept(&mut self.ledger, &self.random, submission, &mut self.events);
        decision
    }

    fn post(&mut self, alert: Alert, matched: u8) -> Accepted {
        let submission = self.submission(alert, matched);
        let decision = self.decide(&submission);
        let Decision::Answered(Acceptance::Stored(mut accepted)) = decision else {
            unreachable!("{decision:?}");
        };
        accepted.remove(0)
    }

    /// Posts a problem with the key "k" that matches every connector.
    fn problem(&mut self, severity: Severity, status: AlertStatus) -> Accepted {
        let alert = alert(Some("k"), severity, status, self.now);
        self.post(alert, 0b111)
    }

    fn resolve(&mut self, id: AlertId, identity_version: Option<i64>) -> ResolveDecision {
        let request = ResolveRequest {
            roster: Arc::clone(&self.roster),
            id,
            expiry: self.expiry(),
            mandate: Mandate {
                identity_version,
                trail: None,
            },
        };
        let Ok(decided) = resolve(&mut self.ledger, &self.random, &request, &mut self.events);
        decided
    }

    /// What was queued since a number of deliveries, by the index of its connector.
    fn queued_since(&self, count: usize) -> Vec<(usize, DeliveryKind)> {
        let queued = self.ledger.deliveries[count..].iter();
        let queued = queued.map(|(one, _)| (self.index(one.connector_id), one.kind));
        queued.collect()
    }

    fn index(&self, id: ConnectorId) -> usize {
        let mut connectors = self.roster.connectors.iter();
        connectors.position(|one| one.id == id).unwrap()
    }

    fn end_all(&mut self, state: DeliveryState) {
        for (_, of_delivery) in &mut self.ledger.deliveries {
            *of_delivery = state;
        }
    }
}

fn connector(space: &Space, now: Timestamp, random: &SeededRandom) -> Connector {
    Connector {
        id: ConnectorId::new(now, random),
        space_id: space.id,
        name: "team".to_owned(),
        connector_type: ConnectorType::Slack,
        webhook_url: WebhookUrl::parse("https://hooks.slack.com/services/T/B/x").unwrap(),
        destination: Fingerprint([1; 16]),
        is_active: true,
        severity_filter: SeverityFilter::default(),
        alert_type_filter: AlertTypeFilter::All,
        created_by: User {
            id: UserId::new(now, random),
            email: Email::parse("a@x.example").unwrap(),
            full_name: "A".to_owned(),
        },
        created_at: now,
        updated_at: now,
    }
}

fn alert(key: Option<&str>, severity: Severity, status: AlertStatus, at: Timestamp) -> Alert {
    let json = br#"{"alert_type":"dq_alert","title":"t","severity":"low"}"#;
    let parsed = parse_alert(Json::parse(json).unwrap(), &Loc::body(), at);
    Alert {
        severity,
        status,
        dedup_key: key.map(str::to_owned),
        ..parsed.unwrap().alert
    }
}

/// A change of the problem, and what is queued then for a connector whose opening arrived.
#[test]
fn a_recipient_hears_of_a_rise_a_reminder_and_the_end_and_of_nothing_else() {
    use AlertStatus::{Active, Resolved};
    use DeliveryKind::{Raised, Renotified};
    let cases = [
        (0, Severity::High, Active, None),
        (0, Severity::Low, Active, None),
        (0, Severity::Critical, Active, Some(Raised)),
        (3, Severity::High, Active, None),
        (4, Severity::High, Active, Some(Renotified)),
        (4, Severity::Low, Active, Some(Renotified)),
        (4, Severity::Critical, Active, Some(Raised)),
        (0, Severity::Low, Resolved, Some(DeliveryKind::Resolved)),
        (9, Severity::High, Resolved, Some(DeliveryKind::Resolved)),
    ];
    for (hours, severity, status, expected) in cases {
        let mut world = World::new();
        world.problem(Severity::High, Active);
        world.end_all(DeliveryState::Delivered);
        world.pass(hours);
        world.problem(severity, status);
        let expected: Vec<_> = expected
            .into_iter()
            .flat_map(|kind| (0..CONNECTORS).map(move |index| (index, kind)))
            .collect();
        let case = format!("{hours} h later, {severity:?}, {status:?}");
        assert_eq!(world.queued_since(CONNECTORS), expected, "{case}");
    }
}

#[test]
fn whoever_did_not_get_the_opening_gets_no_follow_up_but_an_opening_when_it_rises() {
    let mut world = World::new();
    world.problem(Severity::Low, AlertStatus::Active);
    world.end_all(DeliveryState::Failed);
    world.pass(5);
    world.problem(Severity::Low, AlertStatus::Active);
    assert_eq!(world.queued_since(CONNECTORS), []);
    let raised = alert(Some("k"), Severity::High, AlertStatus::Active, world.now);
    world.post(raised, 0b010);
    assert_eq!(world.queued_since(CONNECTORS), [(1, DeliveryKind::Opening)]);
    world.problem(Severity::Low, AlertStatus::Resolved);
    assert_eq!(
        world.queued_since(CONNECTORS + 1),
        [(1, DeliveryKind::Resolved)]
    );
}

#[test]
fn an_end_without_a_problem_is_stored_and_nobody_is_notified() {
    let mut world = World::new();
    let accepted = world.problem(Severity::High, AlertStatus::Resolved);
    assert!(!accepted.precedes_problem && accepted.deliveries.is_empty());
    assert_eq!(world.ledger.len(), (1, 0, 0));
}

#[test]
fn an_end_of_before_the_beginning_ends_nothing() {
    let mut world = World::new();
    let opened = world.problem(Severity::High, AlertStatus::Active);
    let before = world.now - SignedDuration::from_secs(1);
    let early = alert(Some("k"), Severity::High, AlertStatus::Resolved, before);
    let accepted = world.post(early, 0b111);
    assert!(accepted.precedes_problem && accepted.deliveries.is_empty());
    let again = world.problem(Severity::High, AlertStatus::Active);
    assert_eq!((again.id, again.occurrences), (opened.id, 2));
}

#[test]
fn a_problem_that_ended_is_followed_by_a_new_one() {
    let mut world = World::new();
    let first = world.problem(Severity::High, AlertStatus::Active);
    world.problem(Severity::High, AlertStatus::Resolved);
    let second = world.problem(Severity::High, AlertStatus::Active);
    assert_ne!(first.id, second.id);
    assert_eq!(
        (second.occurrences, second.deliveries.len()),
        (1, CONNECTORS)
    );
}

#[test]
fn what_was_matched_or_authorised_with_another_version_is_stale_and_writes_nothing() {
    let mut world = World::new();
    let posted = alert(None, Severity::High, AlertStatus::Active, world.now);
    let submission = world.submission(posted, 0b111);
    let space = world.ledger.space;
    for (space, identity_version) in [
        (None, 5),
        (
            space.map(|(id, row)| (id, SpaceRow { version: 4, ..row })),
            5,
        ),
        (space, 6),
    ] {
        world.ledger.space = space;
        world.ledger.identity_version = identity_version;
        assert!(matches!(
            world.decide(&submission),
            Decision::Answered(Acceptance::Stale)
        ));
        assert_eq!(world.ledger.len(), (0, 0, 0));
    }
    let unversioned = Submission {
        identity_version: None,
        ..submission
    };
    assert!(matches!(
        world.decide(&unversioned),
        Decision::Answered(Acceptance::Stored(_))
    ));
}

#[test]
fn a_key_answers_the_same_body_again_and_refuses_another() {
    let mut world = World::new();
    let posted = alert(None, Severity::High, AlertStatus::Active, world.now);
    let mut submission = world.submission(posted, 0b111);
    let idempotency = |body| Idempotency {
        route: Route::Alert,
        key: "once".to_owned(),
        body_hash: [body; 32],
    };
    submission.idempotency = Some(idempotency(1));
    let Decision::Answered(Acceptance::Stored(first)) = world.decide(&submission) else {
        unreachable!("the key is new");
    };
    let (written, queued) = (world.ledger.len(), world.events.len());
    let Decision::AlreadyStored(kept) = world.decide(&submission) else {
        unreachable!("the key is known");
    };
    assert_eq!(kept.json, crate::stored::answer_json(&first));
    submission.idempotency = Some(idempotency(2));
    assert!(matches!(
        world.decide(&submission),
        Decision::Answered(Acceptance::KeyReused)
    ));
    assert_eq!((world.ledger.len(), world.events.len()), (written, queued));
}

#[test]
fn a_connector_that_is_gone_is_left_out() {
    let mut world = World::new();
    let gone = world.roster.connectors[0].id;
    world.ledger.removed_connectors.insert(gone);
    let accepted = world.problem(Severity::High, AlertStatus::Active);
    let ids: Vec<_> = accepted
        .deliveries
        .iter()
        .map(|one| one.connector_id)
        .collect();
    let others: Vec<_> = world.roster.connectors[1..]
        .iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(ids, others);
}

#[test]
fn closing_notifies_once_and_only_with_the_current_versions() {
    let mut world = World::new();
    let opened = world.problem(Severity::High, AlertStatus::Active);
    let other = AlertId::new(world.now, &world.random);
    assert_eq!(world.resolve(other, Some(5)), ResolveDecision::Absent);
    assert_eq!(world.resolve(opened.id, Some(4)), ResolveDecision::Stale);
    assert_eq!(world.queued_since(CONNECTORS), []);
    assert_eq!(world.resolve(opened.id, Some(5)), ResolveDecision::Done);
    assert_eq!(world.queued_since(CONNECTORS).len(), CONNECTORS);
    assert_eq!(world.resolve(opened.id, None), ResolveDecision::Done);
    assert_eq!(world.queued_since(2 * CONNECTORS), []);
    world.ledger.space = None;
    assert_eq!(world.resolve(opened.id, Some(4)), ResolveDecision::Absent);
}

/// One step of a random life of a space.
#[derive(Debug, Clone)]
enum Step {
    Post {
        key: Option<u8>,
        severity: usize,
        is_resolved: bool,
        matched: u8,
    },
    Pass(i64),
    End(usize, DeliveryState),
    Close(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let post = (
        proptest::option::weighted(0.9, 0..2_u8),
        0..4_usize,
        any::<bool>(),
        0..8_u8,
    );
    let post = post.prop_map(|(key, severity, is_resolved, matched)| Step::Post {
        key,
        severity,
        is_resolved,
        matched,
    });
    let states = prop_oneof![
        Just(DeliveryState::Delivered),
        Just(DeliveryState::Failed),
        Just(DeliveryState::Expired),
    ];
    let step = prop_oneof![
        4 => post,
        1 => (1..6_i64).prop_map(Step::Pass),
        3 => (0..40_usize, states).prop_map(|(index, state)| Step::End(index, state)),
        1 => (0..10_usize).prop_map(Step::Close),
    ];
    proptest::collection::vec(step, 1..40)
}

/// Who heard of an alert before this delivery, by the deliveries alone.
fn is_recipient(world: &World, alert: AlertId, connector: ConnectorId, before: usize) -> bool {
    world.ledger.deliveries[..before]
        .iter()
        .any(|(one, state)| {
            one.alert_id == alert
                && one.connector_id == connector
                && matches!(state, DeliveryState::Pending | DeliveryState::Delivered)
        })
}

/// What holds after each step, of all that the step wrote.
fn check(world: &World, before: &[super::Problem], deliveries_before: usize) {
    let new = &world.ledger.deliveries[deliveries_before..];
    for (delivery, _) in new {
        let heard = is_recipient(
            world,
            delivery.alert_id,
            delivery.connector_id,
            deliveries_before,
        );
        let is_opening = delivery.kind == DeliveryKind::Opening;
        assert_ne!(is_opening, heard, "{:?} of {heard}", delivery.kind);
        let same = new.iter().filter(|(one, _)| {
            (one.alert_id, one.connector_id) == (delivery.alert_id, delivery.connector_id)
        });
        assert_eq!(same.count(), 1, "one message of a step for a connector");
    }
    for (old, now) in before.iter().zip(&world.ledger.alerts) {
        assert_eq!(old.id, now.id, "alerts are only added");
        assert!(
            now.alert.severity >= old.alert.severity,
            "severity only rises"
        );
        let ended =
            old.alert.status == AlertStatus::Active && now.alert.status == AlertStatus::Resolved;
        assert!(
            ended || old.alert.status == now.alert.status,
            "no problem comes back"
        );
        let notified = new.iter().filter(|(one, _)| one.alert_id == now.id).count();
        let recipients = world.roster.connectors.iter();
        let recipients = recipients
            .filter(|one| is_recipient(world, now.id, one.id, deliveries_before))
            .count();
        assert!(
            !ended || notified == recipients,
            "everyone who heard of it hears of its end"
        );
    }
}

proptest! {
    #[test]
    fn openings_come_first_and_everyone_who_heard_of_a_problem_hears_of_its_end(steps in steps()) {
        let mut world = World::new();
        let mut posts = 0_u64;
        for step in steps {
            let before = world.ledger.alerts.clone();
            let deliveries_before = world.ledger.deliveries.len();
            match step {
                Step::Post { key, severity, is_resolved, matched } => {
                    let status = if is_resolved { AlertStatus::Resolved } else { AlertStatus::Active };
                    let key = key.map(|key| key.to_string());
                    let alert = alert(key.as_deref(), Severity::ALL[severity], status, world.now);
                    let accepted = world.post(alert, matched);
                    posts += u64::from(!is_resolved || world.ledger.alerts.len() > before.len());
                    let queued = world.ledger.deliveries.len() - deliveries_before;
                    prop_assert_eq!(accepted.deliveries.len(), queued);
                }
                Step::Pass(hours) => world.pass(hours),
                Step::End(index, state) => {
                    if let Some((_, of_delivery)) = world.ledger.deliveries.get_mut(index)
                        && *of_delivery == DeliveryState::Pending
                    {
                        *of_delivery = state;
                    }
                }
                Step::Close(index) => {
                    if let Some(known) = before.get(index) {
                        world.resolve(known.id, None);
                    }
                }
            }
            check(&world, &before, deliveries_before);
            let active = |key| world.ledger.alerts.iter().filter(move |one| {
                one.alert.dedup_key.as_deref() == Some(key) && one.alert.status == AlertStatus::Active
            });
            prop_assert!(active("0").count() <= 1 && active("1").count() <= 1);
            prop_assert_eq!(world.events.len(), world.ledger.deliveries.len());
        }
        let occurrences: u64 = world.ledger.alerts.iter().map(|one| one.occurrences).sum();
        prop_assert_eq!(occurrences, posts, "each post counts once");
    }
}
