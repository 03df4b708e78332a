//! Waiting, blocking and releasing, without a clock.

use alert_connectors_model::{ConnectorType, SeededRandom};

use super::*;
use crate::Rates;

fn now() -> Moment {
    Moment {
        wall: Timestamp::from_second(1_790_000_000).unwrap(),
        instant: Instant::now(),
    }
}

fn later(moment: Moment, seconds: u64) -> Moment {
    Moment {
        wall: moment.wall + SignedDuration::try_from(Duration::from_secs(seconds)).unwrap(),
        instant: moment.instant + Duration::from_secs(seconds),
    }
}

fn restored(known: DestinationState, now: Moment) -> SendPolicy {
    let rate = Rates::default().of(ConnectorType::Slack);
    SendPolicy::restore(known, rate, BackoffConfig::default(), now)
}

fn random() -> SeededRandom {
    SeededRandom::new(3)
}

fn known(health: &DestinationHealth) -> DestinationState {
    DestinationState {
        health: health.clone(),
        last_request_at: None,
    }
}

fn seconds_left(policy: &SendPolicy, now: Moment) -> u64 {
    let until = policy.wait_until(now.instant);
    until.map_or(0, |until| (until - now.instant).as_secs())
}

#[test]
fn a_request_to_wait_is_kept_over_a_restart_and_a_clock_that_steps_and_no_burst_follows() {
    let start = now();
    let mut before = restored(DestinationState::default(), start);
    let wait = before.throttled(Duration::from_mins(1), start, &random());
    assert!((60..=61).contains(&wait.as_secs()));
    let health = before.take_changed().unwrap();
    for (step, left) in [
        (0_i64, 60..=61_u64),
        (20, 40..=41),
        (-3_600, 60..=61),
        (3_600, 0..=0),
    ] {
        let restarted = Moment {
            wall: start.wall + SignedDuration::from_secs(step),
            instant: start.instant,
        };
        let after = restored(known(&health), restarted);
        assert!(left.contains(&seconds_left(&after, restarted)), "{step}");
        assert_eq!(
            after.asked_to_wait(restarted.instant).is_some(),
            *left.end() > 0
        );
        if let Some(until) = after.wait_until(restarted.instant) {
            assert_eq!(after.tokens(until), Some(1), "no burst follows");
        }
    }
}

#[test]
fn the_pace_goes_on_after_a_restart_even_if_the_clock_stepped_back() {
    let start = now();
    let restarted = restored(
        DestinationState {
            last_request_at: Some(start.wall + SignedDuration::from_hours(1)),
            ..DestinationState::default()
        },
        start,
    );
    assert_eq!(restarted.tokens(start.instant), Some(0));
    assert!(seconds_left(&restarted, start) <= 1);
}

#[test]
fn a_blocked_destination_is_probed_after_a_minute_then_ever_more_rarely_up_to_an_hour() {
    let start = now();
    let mut policy = restored(DestinationState::default(), start);
    let mut waits = Vec::new();
    for _ in 0..10 {
        waits.push(
            policy
                .condemned("no_service", false, start, &random())
                .as_secs()
                / 60,
        );
    }
    assert_eq!(waits[..4], [1, 2, 4, 8]);
    assert_eq!(waits[9] / 66, 0, "{waits:?}");
    assert!(waits[9] >= 60);
    assert!(policy.is_blocked());
    assert!(
        policy.arrived(later(start, 60)),
        "a probe that arrives releases it"
    );
    let health = policy.take_changed().unwrap();
    assert_eq!(health.repaired_at, Some(later(start, 60).wall));
    assert!(health.wait.is_none() && health.block.is_none() && health.failures == 0);
    assert!(!policy.arrived(later(start, 61)));
    assert_eq!(policy.take_changed(), None, "calm changes nothing");
}

#[test]
fn three_different_messages_refused_in_a_row_are_the_destinations_fault() {
    let start = now();
    let mut policy = restored(DestinationState::default(), start);
    let refuse = |policy: &mut SendPolicy, seq| {
        policy.refused(seq, "invalid_blocks", false, start, &random())
    };
    assert_eq!(refuse(&mut policy, 1), Refusal::Failed);
    assert_eq!(
        refuse(&mut policy, 1),
        Refusal::Failed,
        "the same one again"
    );
    assert_eq!(refuse(&mut policy, 2), Refusal::Failed);
    policy.arrived(start);
    assert_eq!(refuse(&mut policy, 3), Refusal::Failed, "something arrived");
    assert_eq!(refuse(&mut policy, 4), Refusal::Failed);
    let revived = vec![3, 4];
    assert_eq!(refuse(&mut policy, 5), Refusal::Blocked { revived });
    assert_eq!(policy.health().failures, 3);
    assert_eq!(refuse(&mut policy, 5), Refusal::StillBlocked);
}

#[test]
fn a_refused_digest_is_halved_until_one_stands_alone_and_grows_again() {
    let start = now();
    let mut policy = restored(DestinationState::default(), start);
    let mut sizes = Vec::new();
    let mut carried = 9;
    while carried > 1 {
        policy.refused_digest(carried, "invalid_blocks", start);
        carried = policy.digest_max();
        sizes.push(carried);
    }
    assert_eq!(sizes, [5, 3, 2, 1]);
    policy.arrived(start);
    assert_eq!(policy.digest_max(), 2);
}

#[test]
fn a_repair_forgets_all_but_what_the_channel_asked_for() {
    let start = now();
    let mut policy = restored(DestinationState::default(), start);
    policy.condemned("no_service", false, start, &random());
    policy.repaired(start);
    assert_eq!(seconds_left(&policy, start), 0);
    policy.throttled(Duration::from_secs(30), start, &random());
    policy.repaired(start);
    assert!(seconds_left(&policy, start) >= 30);
}

#[test]
fn a_channel_that_never_answered_is_repaired_by_an_arrival_and_nothing_else() {
    let start = now();
    let mut policy = restored(DestinationState::default(), start);
    for _ in 0..UNANSWERED_TOLD {
        policy.unanswered("timeout", false, start, &random());
    }
    assert!(policy.is_troubled());
    policy.throttled(Duration::from_secs(1), start, &random());
    policy.failed("HTTP 500", None, start, &random());
    policy.unanswered("timeout", true, start, &random());
    assert!(policy.is_troubled());
    policy.arrived(start);
    assert!(!policy.is_troubled());
}

#[test]
fn what_is_set_aside_waits_as_long_as_it_should() {
    let start = now();
    let culprit = MessageRef {
        seq: 1,
        alert_id: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
        connector_id: "00000000-0000-7000-8000-000000000002".parse().unwrap(),
    };
    let mut policy = restored(DestinationState::default(), start);
    policy.suspect(culprit.seq, Blame::Either, Turn::Front);
    policy.unanswered("timeout", false, start, &random());
    policy.set_aside(culprit, start, &random());
    let (_, due) = policy.next_set_aside(start).unwrap();
    assert!(due - start.instant >= BackoffConfig::default().unanswered_first);
    let asked = Duration::from_mins(20);
    let wait = policy.failed_again(1, SetAsideFailure::Other { asked }, start, &random());
    assert_eq!(wait, asked);
}

/// The state of a destination by the drawing.
fn drawn_state(policy: &SendPolicy, now: Moment) -> &'static str {
    if policy.is_blocked() {
        "Blocked"
    } else if policy.asked_to_wait(now.instant).is_some() {
        "Waiting"
    } else if policy.health().failures > 0 {
        "Failing"
    } else {
        "Healthy"
    }
}

/// Lets something happen to a policy, and returns when. Responses come once its wait is over; a person repairs it at once.
fn happen(policy: &mut SendPolicy, event: &str, now: Moment) -> Moment {
    let left = policy.wait_left(now.instant).as_secs();
    let answered = later(now, left + 1);
    let wait = Duration::from_secs(30);
    match event {
        "arrived" => drop(policy.arrived(answered)),
        "repaired" => policy.repaired(now),
        "failed" => drop(policy.failed("503", None, answered, &random())),
        "unanswered" => drop(policy.unanswered("none", true, answered, &random())),
        "throttled" => drop(policy.throttled(wait, answered, &random())),
        "condemned" => drop(policy.condemned("gone", true, answered, &random())),
        "refused" => drop(policy.refused(9, "no", true, answered, &random())),
        _ => unreachable!("{event}"),
    }
    if event == "repaired" { now } else { answered }
}

#[test]
fn the_drawing_of_a_destination_is_that_of_the_code() {
    let events = [
        "arrived",
        "repaired",
        "failed",
        "unanswered",
        "throttled",
        "condemned",
        "refused",
        "third refused",
    ];
    let mut real = std::collections::BTreeSet::new();
    for before in [None, Some("failed"), Some("throttled"), Some("condemned")] {
        for event in events {
            let start = now();
            let mut policy = restored(DestinationState::default(), start);
            if event == "third refused" {
                policy.refused(1, "no", true, start, &random());
                policy.refused(2, "no", true, start, &random());
            }
            if let Some(before) = before {
                happen(&mut policy, before, start);
            }
            // Where two were refused the destination fails already, and a block forgets them.
            if event == "third refused" && [None, Some("condemned")].contains(&before) {
                continue;
            }
            let at = later(start, 1);
            let from = drawn_state(&policy, at);
            let name = event.strip_prefix("third ").unwrap_or(event);
            let then = happen(&mut policy, name, at);
            real.insert((from, drawn_state(&policy, then), event));
        }
    }
    let drawn = crate::drawing::transitions(include_str!("../send_policy.rs"), &events);
    assert_eq!(drawn, real);
}
