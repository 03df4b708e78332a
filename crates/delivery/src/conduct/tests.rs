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

fn conduct(known: Known, now: Moment) -> Conduct {
    let rate = Rates::default().of(ConnectorType::Slack);
    Conduct::taken_up(known, rate, Patience::default(), now)
}

fn random() -> SeededRandom {
    SeededRandom::new(3)
}

fn known(standing: &Standing) -> Known {
    Known {
        standing: standing.clone(),
        last_request_at: None,
    }
}

fn seconds_left(conduct: &Conduct, now: Moment) -> u64 {
    let until = conduct.wait_until(now.instant);
    until.map_or(0, |until| (until - now.instant).as_secs())
}

#[test]
fn a_request_to_wait_is_kept_over_a_restart_and_a_clock_that_steps_and_no_burst_follows() {
    let start = now();
    let mut before = conduct(Known::default(), start);
    let wait = before.throttled(Duration::from_mins(1), start, &random());
    assert!((60..=61).contains(&wait.as_secs()));
    let standing = before.take_changed().unwrap();
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
        let after = conduct(known(&standing), restarted);
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
    let restarted = conduct(
        Known {
            last_request_at: Some(start.wall + SignedDuration::from_hours(1)),
            ..Known::default()
        },
        start,
    );
    assert_eq!(restarted.tokens(start.instant), Some(0));
    assert!(seconds_left(&restarted, start) <= 1);
}

#[test]
fn a_blocked_destination_is_probed_after_a_minute_then_ever_more_rarely_up_to_an_hour() {
    let start = now();
    let mut conduct = conduct(Known::default(), start);
    let mut waits = Vec::new();
    for _ in 0..10 {
        waits.push(
            conduct
                .condemned("no_service", false, start, &random())
                .as_secs()
                / 60,
        );
    }
    assert_eq!(waits[..4], [1, 2, 4, 8]);
    assert_eq!(waits[9] / 66, 0, "{waits:?}");
    assert!(waits[9] >= 60);
    assert!(conduct.is_blocked());
    assert!(
        conduct.arrived(later(start, 60)),
        "a probe that arrives releases it"
    );
    let standing = conduct.take_changed().unwrap();
    assert_eq!(standing.repaired_at, Some(later(start, 60).wall));
    assert!(standing.wait.is_none() && standing.block.is_none() && standing.failures == 0);
    assert!(!conduct.arrived(later(start, 61)));
    assert_eq!(conduct.take_changed(), None, "calm changes nothing");
}

#[test]
fn three_different_messages_refused_in_a_row_are_the_destinations_fault() {
    let start = now();
    let mut conduct = conduct(Known::default(), start);
    let refuse = |conduct: &mut Conduct, seq| {
        conduct.refused(seq, "invalid_blocks", false, start, &random())
    };
    assert_eq!(refuse(&mut conduct, 1), Refusal::Failed);
    assert_eq!(
        refuse(&mut conduct, 1),
        Refusal::Failed,
        "the same one again"
    );
    assert_eq!(refuse(&mut conduct, 2), Refusal::Failed);
    conduct.arrived(start);
    assert_eq!(
        refuse(&mut conduct, 3),
        Refusal::Failed,
        "something arrived"
    );
    assert_eq!(refuse(&mut conduct, 4), Refusal::Failed);
    let revived = vec![3, 4];
    assert_eq!(refuse(&mut conduct, 5), Refusal::Blocked { revived });
    assert_eq!(conduct.standing().failures, 3);
    assert_eq!(refuse(&mut conduct, 5), Refusal::StillBlocked);
}

#[test]
fn a_refused_digest_is_halved_until_one_stands_alone_and_grows_again() {
    let start = now();
    let mut conduct = conduct(Known::default(), start);
    let mut sizes = Vec::new();
    let mut carried = 9;
    while carried > 1 {
        conduct.refused_digest(carried, "invalid_blocks", start);
        carried = conduct.digest_max();
        sizes.push(carried);
    }
    assert_eq!(sizes, [5, 3, 2, 1]);
    conduct.arrived(start);
    assert_eq!(conduct.digest_max(), 2);
}

#[test]
fn a_repair_forgets_all_but_what_the_channel_asked_for() {
    let start = now();
    let mut conduct = conduct(Known::default(), start);
    conduct.condemned("no_service", false, start, &random());
    conduct.repaired(start);
    assert_eq!(seconds_left(&conduct, start), 0);
    conduct.throttled(Duration::from_secs(30), start, &random());
    conduct.repaired(start);
    assert!(seconds_left(&conduct, start) >= 30);
}

#[test]
fn a_channel_that_never_answered_is_repaired_by_an_arrival_and_nothing_else() {
    let start = now();
    let mut conduct = conduct(Known::default(), start);
    for _ in 0..UNANSWERED_TOLD {
        conduct.unanswered("timeout", false, start, &random());
    }
    assert!(conduct.is_troubled());
    conduct.throttled(Duration::from_secs(1), start, &random());
    conduct.failed("HTTP 500", None, start, &random());
    conduct.unanswered("timeout", true, start, &random());
    assert!(conduct.is_troubled());
    conduct.arrived(start);
    assert!(!conduct.is_troubled());
}

#[test]
fn what_is_set_aside_waits_as_long_as_it_should() {
    let start = now();
    let culprit = Culprit {
        seq: 1,
        alert_id: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
        connector_id: "00000000-0000-7000-8000-000000000002".parse().unwrap(),
    };
    let mut conduct = conduct(Known::default(), start);
    conduct.suspect(culprit.seq, Blame::Either, Turn::Front);
    conduct.unanswered("timeout", false, start, &random());
    conduct.set_aside(culprit, start, &random());
    let (_, due) = conduct.next_set_aside(start).unwrap();
    assert!(due - start.instant >= Patience::default().unanswered_first);
    let asked = Duration::from_mins(20);
    let wait = conduct.failed_again(1, Failure::Other { asked }, start, &random());
    assert_eq!(wait, asked);
}
