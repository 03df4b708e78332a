//! Properties of the life of a problem.

use alert_connectors_model::{Alert, DeliveryKind, Raise, Severity};
use jiff::SignedDuration;

use super::world::{World, idempotency, stored};
use crate::{Acceptance, Accepted, Expiry, OpeningState};

impl World {
    /// Posts a problem with a severity, some hours after the beginning.
    async fn problem(&self, severity: Severity, hours: i64, extra: &str) -> Accepted {
        let alert = Alert {
            severity,
            ..self.alert(&format!(r#","dedup_key":"k"{extra}"#))
        };
        self.problem_of(alert, hours).await
    }

    /// Posts a problem with a title that happened some minutes from now.
    async fn titled(
        &self,
        title: &str,
        minutes: i64,
        severity: Severity,
        status: &str,
    ) -> Accepted {
        let alert = self.titled_alert(title, minutes, severity, status);
        self.problem_of(alert, 0).await
    }

    fn titled_alert(&self, title: &str, minutes: i64, severity: Severity, status: &str) -> Alert {
        let at = self.later(minutes * 60);
        let extra = format!(r#","dedup_key":"k","occurred_at":"{at}","status":"{status}""#);
        Alert {
            title: title.to_owned(),
            severity,
            ..self.alert(&extra)
        }
    }

    async fn problem_of(&self, alert: Alert, hours: i64) -> Accepted {
        let mut submission = self.submission(&[alert]).await;
        submission.expiry = Expiry {
            now: self.now + SignedDuration::from_hours(hours),
            ..self.expiry()
        };
        stored(self.store.accept(submission).await.unwrap()).remove(0)
    }

    async fn kinds(&self, connector: &alert_connectors_model::Connector) -> Vec<DeliveryKind> {
        self.due(connector)
            .await
            .iter()
            .map(|due| due.kind)
            .collect()
    }
}

/// When the severity rises, connectors that had the opening are notified of it; those that match for the first time get
/// the whole message.
pub async fn a_rise_is_told_to_those_who_know_and_opened_to_those_who_do_not(world: World) {
    let all = world.connect("").await;
    let critical = world
        .connect_url("", Some("https://a.example/critical"))
        .await;
    let only = alert_connectors_model::ConnectorChange {
        severity_filter: Some(alert_connectors_model::SeverityFilter::new([
            Severity::Critical,
        ])),
        ..alert_connectors_model::ConnectorChange::default()
    };
    let (space, version) = (world.space_id().await, world.roster().await.version);
    world
        .store
        .change_connector(space, version, critical.id, only, world.now)
        .await
        .unwrap();
    world.problem(Severity::High, 0, "").await;
    world.all_arrive(&all).await;
    let again = world.problem(Severity::High, 0, "").await;
    assert_eq!((again.occurrences, again.deliveries.len()), (2, 0));
    let rose = world.problem(Severity::Critical, 0, "").await;
    assert_eq!(rose.deliveries.len(), 2);
    assert_eq!(world.kinds(&all).await, [DeliveryKind::Raised]);
    assert_eq!(world.kinds(&critical).await, [DeliveryKind::Opening]);
    assert_eq!(world.due(&all).await[0].opening, OpeningState::Arrived);
    assert_eq!(world.due(&all).await[0].alert.severity, Severity::Critical);
    let fell = world.problem(Severity::Low, 0, "").await;
    assert_eq!(fell.deliveries.len(), 0);
}

/// One request that raises a problem and ends it notifies the connector of both.
pub async fn one_request_raises_a_problem_and_ends_it(world: World) {
    let connector = world.connect("").await;
    world.titled("one", 0, Severity::High, "active").await;
    world.all_arrive(&connector).await;
    let alerts = [
        world.titled_alert("two", 1, Severity::Critical, "active"),
        world.titled_alert("three", 2, Severity::Critical, "resolved"),
    ];
    let submission = world.submission(&alerts).await;
    let accepted = stored(world.store.accept(submission).await.unwrap());
    assert_eq!(accepted[0].id, accepted[1].id);
    assert_eq!(
        world.kinds(&connector).await,
        [DeliveryKind::Raised, DeliveryKind::Resolved]
    );
}

/// A reminder comes with the first repeat after the interval, and then not before the next one.
pub async fn a_repeat_after_the_interval_is_a_reminder(world: World) {
    let connector = world.connect("").await;
    world.problem(Severity::High, 0, "").await;
    world.all_arrive(&connector).await;
    for (hours, told) in [(3, 0), (4, 1), (7, 0), (8, 1)] {
        let repeat = world.problem(Severity::High, hours, "").await;
        assert_eq!(repeat.deliveries.len(), told, "{hours}");
        world.all_arrive(&connector).await;
    }
}

/// Connectors that any message of the problem reached or will reach are notified of its end, and none of them twice.
pub async fn the_end_is_told_to_those_who_heard_of_it(world: World) {
    let (heard, waits) = (
        world.connect("").await,
        world.connect_url("", Some("https://a.example/2")).await,
    );
    let failed = world.connect_url("", Some("https://a.example/3")).await;
    let opened = world.problem(Severity::High, 0, "").await;
    world.all_arrive(&heard).await;
    let due = world.due(&failed).await;
    let refused = crate::Disposition::End {
        state: alert_connectors_model::DeliveryState::Failed,
        reason: Some(alert_connectors_model::EndReason::MessageRefused),
        at: world.now,
    };
    world
        .report(&failed, vec![world.outcome(&due[0], refused)])
        .await;
    let resolved = world
        .problem(Severity::High, 1, r#","status":"resolved""#)
        .await;
    let mut told: Vec<_> = resolved
        .deliveries
        .iter()
        .map(|one| one.connector_id)
        .collect();
    told.sort_unstable();
    let mut expected = [heard.id, waits.id];
    expected.sort_unstable();
    assert_eq!((resolved.id, told.as_slice()), (opened.id, &expected[..]));
    assert_eq!(world.kinds(&heard).await, [DeliveryKind::Resolved]);
    assert_eq!(
        world.kinds(&waits).await,
        [DeliveryKind::Opening, DeliveryKind::Resolved]
    );
    assert!(world.kinds(&failed).await.is_empty());
    world.resolve(opened.id).await;
    assert_eq!(world.kinds(&heard).await.len(), 1);
}

/// A `resolved` that happened before the problem began is about an earlier one: it is stored, and no connector is
/// notified.
pub async fn a_resolved_of_before_the_beginning_ends_nothing(world: World) {
    let connector = world.connect("").await;
    world.problem(Severity::High, 0, "").await;
    world.all_arrive(&connector).await;
    let early = world.titled("early", -5, Severity::High, "resolved").await;
    assert!(early.precedes_problem && early.deliveries.is_empty());
    let listed = world
        .store
        .alert(world.space_id().await, early.id, world.expiry())
        .await;
    let warnings = listed.unwrap().unwrap().warnings;
    assert!(warnings.get().contains("occurred_at"), "{warnings}");
    // A request that is repeated is answered as it was the first time.
    let keyed = async || {
        let alert = world.titled_alert("keyed", -5, Severity::High, "resolved");
        let mut submission = world.submission(&[alert]).await;
        submission.idempotency = Some(idempotency("early", 1));
        world.store.accept(submission).await.unwrap()
    };
    let first = stored(keyed().await).remove(0);
    let Acceptance::AlreadyStored(again) = keyed().await else {
        unreachable!("the key is known");
    };
    assert!(first.precedes_problem && again[0].precedes_problem);
    assert_eq!(first.id, again[0].id);
    let late = world.titled("late", 42, Severity::High, "resolved").await;
    assert!(!late.precedes_problem);
    assert_eq!(late.deliveries.len(), 1);
}

/// A problem's end, by the producer's clock, and its newest title come back with the follow-up.
pub async fn a_problem_keeps_when_it_ended_and_its_newest_title(world: World) {
    let connector = world.connect("").await;
    world.titled("one", -60, Severity::High, "active").await;
    world.all_arrive(&connector).await;
    world.titled("two", -30, Severity::Critical, "active").await;
    assert_eq!(world.due(&connector).await[0].alert.title, "two");
    world.all_arrive(&connector).await;
    world.titled("three", -18, Severity::High, "resolved").await;
    let due = world.due(&connector).await;
    let alert = &due[0].alert;
    assert_eq!(alert.title, "three");
    assert_eq!(alert.occurred_at, world.later(-60 * 60));
    let rose = Raise {
        at: world.later(0),
        from: Severity::High,
        to: Severity::Critical,
    };
    assert_eq!(alert.raises, [rose]);
    assert_eq!(alert.resolved_at, Some(world.later(-18 * 60)));
    let lasted = alert.resolved_at.and_then(|end| alert.lasted_until(end));
    assert_eq!(lasted, Some(std::time::Duration::from_mins(42)));
}

/// A delivery's message stays what it was when it was queued, whatever becomes of its problem; and it goes with its alert.
pub async fn a_message_stays_what_it_was(world: World) {
    use alert_connectors_model::AlertStatus::{Active, Resolved};
    let connector = world.connect("").await;
    let opened = world.titled("one", -50, Severity::High, "active").await;
    let id = opened.deliveries[0].id;
    let said = async |id| {
        let message = world.store.message(world.space_id().await, id, 1).await;
        let alert = message.unwrap().unwrap().alert;
        (alert.title, alert.severity, alert.status)
    };
    let one = ("one".to_owned(), Severity::High, Active);
    assert_eq!(said(id).await, one);
    // Repeats that no connector is notified of.
    world.titled("two", -40, Severity::High, "active").await;
    world.titled("three", -30, Severity::Low, "active").await;
    assert_eq!(said(id).await, one);
    let raised = world
        .titled("four", -20, Severity::Critical, "active")
        .await;
    world.titled("five", -15, Severity::High, "active").await;
    let ended = world.titled("six", -10, Severity::High, "resolved").await;
    let (raised, ended) = (raised.deliveries[0].id, ended.deliveries[0].id);
    let four = ("four".to_owned(), Severity::Critical, Active);
    let six = ("six".to_owned(), Severity::Critical, Resolved);
    assert_eq!(
        (said(id).await, said(raised).await, said(ended).await),
        (one, four, six)
    );
    // What is pending is read the same after a restart.
    let due = world.due(&connector).await;
    let titles: Vec<_> = due.iter().map(|one| one.alert.title.as_str()).collect();
    assert_eq!(titles, ["one", "four", "six"]);
}

/// Deliveries of a problem that were merged into one message share it: it says what the last of them says.
pub async fn a_merged_message_says_what_its_last_part_says(world: World) {
    let connector = world.connect("").await;
    let opened = world.titled("one", -50, Severity::High, "active").await;
    let raised = world.titled("two", -20, Severity::Critical, "active").await;
    let due = world.due(&connector).await;
    let one = world.outcome(&due[0], world.arrived());
    let attempt = std::sync::Arc::new(alert_connectors_model::Attempt {
        digest_size: 2,
        ..(**one.attempt.as_ref().unwrap()).clone()
    });
    let outcomes = due.iter().map(|due| crate::Outcome {
        seq: due.seq,
        attempt: Some(std::sync::Arc::clone(&attempt)),
        ..one.clone()
    });
    world.report(&connector, outcomes.collect()).await;
    world.titled("three", -10, Severity::High, "active").await;
    for id in [opened.deliveries[0].id, raised.deliveries[0].id] {
        let message = world.store.message(world.space_id().await, id, 1).await;
        let message = message.unwrap().unwrap();
        assert_eq!(message.carried.len(), 2);
        assert_eq!(
            (&*message.alert.title, message.alert.severity),
            ("two", Severity::Critical)
        );
    }
}
