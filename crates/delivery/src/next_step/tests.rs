//! What follows from each verdict, as a table.

use alert_connectors_model::{AlertId, ConnectorId, ConnectorType, SeededRandom};
use alert_connectors_store::DestinationState;
use tokio::time::Instant;

use super::*;
use crate::{BackoffConfig, Rates, answer::Reason, send_policy::MessageRef};

fn now() -> Moment {
    Moment {
        wall: Timestamp::from_second(1_790_000_000).unwrap(),
        instant: Instant::now(),
    }
}

fn policy() -> SendPolicy {
    let rate = Rates::default().of(ConnectorType::Slack);
    SendPolicy::restore(
        DestinationState::default(),
        rate,
        BackoffConfig::default(),
        now(),
    )
}

const fn request(seq: i64, form: Form, turn: Turn) -> Request {
    Request {
        seq: Some(seq),
        form,
        size: 1,
        is_many: false,
        quiet: false,
        turn,
        blame: Blame::Either,
    }
}

fn digest() -> Request {
    Request {
        size: 5,
        is_many: true,
        ..request(1, Form::Full, Turn::Front)
    }
}

fn because() -> Reason {
    Reason {
        what: "why".to_owned(),
        advice: "do this",
    }
}

fn throttled() -> Verdict {
    let (wait, reason) = (Duration::from_mins(2), because());
    Verdict::Throttled { wait, reason }
}

fn transient() -> Verdict {
    let reason = because();
    Verdict::Transient { wait: None, reason }
}

/// What follows, in a line: the end or the form of the retry and whether it waits, and what else follows.
fn follows(policy: Option<&mut SendPolicy>, request: &Request, verdict: &Verdict) -> String {
    let now = now();
    let step = next_step(policy, request, verdict, now, &SeededRandom::new(3));
    let mut line = match step.disposition {
        Disposition::Retry { form, at } if at > now.wall => format!("{form:?} later"),
        Disposition::Retry { form, .. } => format!("{form:?} at once"),
        Disposition::End { state, reason, .. } => {
            let reason = reason.map_or_else(String::new, |reason| format!(": {}", reason.as_str()));
            format!("{}{reason}", state.as_str())
        }
    };
    if step.turned {
        line += ", spaces notified";
    }
    if let Some(set_aside) = step.set_aside {
        line += &format!(", {} set aside", set_aside.seq);
    }
    if !step.revived.is_empty() {
        line += &format!(", {:?} pending again", step.revived);
    }
    line
}

#[test]
fn each_verdict_has_one_consequence() {
    let suspect = MessageRef {
        seq: 1,
        alert_id: AlertId::from_bytes([1; 16]),
        connector_id: ConnectorId::from_bytes([2; 16]),
    };
    let full = request(1, Form::Full, Turn::Front);
    let plain = request(1, Form::Plain, Turn::Front);
    let trial = request(2, Form::Full, Turn::Trial(suspect));
    let aside = request(1, Form::Plain, Turn::SetAside);
    let (refused, dead) = (
        Verdict::MessageRefused(because()),
        Verdict::DestinationRefused(because()),
    );
    let unanswered = Verdict::Unanswered(because());
    let table = [
        (full, &Verdict::Delivered, "delivered"),
        (full, &Verdict::Accepted, "accepted"),
        (full, &throttled(), "Full later"),
        (full, &transient(), "Full later"),
        (plain, &transient(), "Plain later"),
        (full, &unanswered, "Full later"),
        (full, &refused, "Plain at once"),
        (plain, &refused, "failed: message_refused"),
        (full, &dead, "Full later, spaces notified"),
        (plain, &dead, "Plain later, spaces notified"),
        (digest(), &refused, "Full at once"),
        (digest(), &transient(), "Full later"),
        (trial, &Verdict::Delivered, "delivered, 1 set aside"),
        (trial, &Verdict::Accepted, "accepted, 1 set aside"),
        (trial, &transient(), "Full later"),
        (aside, &Verdict::Delivered, "delivered"),
        (aside, &refused, "failed: message_refused"),
        (aside, &throttled(), "Plain later"),
        (aside, &transient(), "Plain later"),
        (aside, &unanswered, "Plain later"),
        // A message that is set aside says nothing about the channel.
        (aside, &dead, "Plain later"),
    ];
    for (request, verdict, expected) in table {
        let mut policy = policy();
        if request.turn != Turn::Front {
            for _ in 0..3 {
                policy.suspect(suspect.seq, Blame::Either, Turn::Front);
            }
        }
        if request.turn == Turn::SetAside {
            policy.set_aside(suspect, now(), &SeededRandom::new(3));
        }
        let got = follows(Some(&mut policy), &request, verdict);
        assert_eq!(got, expected, "{request:?}: {verdict:?}");
    }
}

#[test]
fn the_third_message_in_a_row_that_is_refused_blocks_the_webhook() {
    let mut policy = policy();
    let refused = Verdict::MessageRefused(because());
    let mut follow = |seq| {
        let request = request(seq, Form::Plain, Turn::Front);
        follows(Some(&mut policy), &request, &refused)
    };
    assert_eq!(follow(1), "failed: message_refused");
    assert_eq!(follow(2), "failed: message_refused");
    assert_eq!(
        follow(3),
        "Full later, spaces notified, [1, 2] pending again"
    );
    // A probe that is refused too is sent in its plain form no more.
    assert_eq!(follow(4), "Full later");
}

#[test]
fn without_a_lease_the_attempt_alone_is_kept() {
    let request = request(1, Form::Plain, Turn::Front);
    assert_eq!(
        follows(None, &request, &Verdict::Delivered),
        "Plain at once"
    );
}
