//! How a delivery and its destination go on after a request.

use std::time::Duration;

use alert_connectors_model::{DeliveryState, EndReason, Random};
use alert_connectors_store::{Form, NextStep, Outcome};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Verdict,
    conduct::{Blame, Conduct, Failure, Moment, Refusal, Turn},
    load::Load,
    notice::ALERT_TYPE,
};

/// How it goes on after an attempt.
pub(crate) struct Decided {
    pub(crate) next: NextStep,
    /// Deliveries that are owed again.
    pub(crate) revived: Vec<i64>,
    /// The message that is set aside, if one is, and when it is tried again.
    pub(crate) set_aside: Option<Outcome>,
    /// Whether the destination got into trouble or out of it, which the spaces are to hear.
    pub(crate) turned: bool,
}

/// A request that was made, as far as it decides how it goes on.
pub(crate) struct Request<'a> {
    pub(crate) load: &'a Load,
    pub(crate) turn: Turn,
    pub(crate) blame: Blame,
}

/// Decides how it goes on after a request, and remembers in the conduct what that means for the next one.
pub(crate) fn decide(
    conduct: Option<&mut Conduct>,
    request: &Request<'_>,
    verdict: &Verdict,
    now: Moment,
    random: &dyn Random,
) -> Decided {
    let Some(conduct) = conduct else {
        // It was taken up before anything was sent.
        return Decided::next(again(request.load.form(), Duration::ZERO, now));
    };
    let was_troubled = conduct.is_troubled();
    let set_aside = match (request.turn, verdict) {
        (Turn::Trial(suspect), Verdict::Delivered | Verdict::Accepted) => {
            conduct.set_aside(suspect, now, random)
        }
        _ => None,
    };
    let mut revived = Vec::new();
    let next = match request.turn {
        Turn::SetAside => after_set_aside(conduct, request, verdict, now, random),
        Turn::Front | Turn::Trial(_) => {
            after_another(conduct, request, verdict, now, random, &mut revived)
        }
    };
    Decided {
        next,
        revived,
        set_aside: set_aside.map(|one| Outcome {
            seq: one.seq,
            attempt: None,
            next: NextStep::Again {
                form: Form::Plain,
                at: one.wait.ends_at(),
            },
        }),
        turned: conduct.is_troubled() != was_troubled,
    }
}

/// A message that was set aside: its failures say nothing of the channel.
fn after_set_aside(
    conduct: &mut Conduct,
    request: &Request<'_>,
    verdict: &Verdict,
    now: Moment,
    random: &dyn Random,
) -> NextStep {
    let seq = request.load.first().map_or(0, |(_, _, seq)| seq);
    let wait = match verdict {
        Verdict::Delivered | Verdict::Accepted => {
            conduct.forget_set_aside(seq);
            conduct.arrived(now);
            return arrived(verdict, now);
        }
        // It is sent in its plain form only.
        Verdict::Message(_) => {
            conduct.forget_set_aside(seq);
            return failed(now);
        }
        Verdict::Throttled { wait, .. } => conduct.throttled(*wait, now, random),
        Verdict::Unanswered(_) => conduct.failed_again(seq, Failure::Unanswered, now, random),
        Verdict::Transient { wait, .. } => {
            let asked = wait.unwrap_or_default();
            conduct.failed_again(seq, Failure::Other { asked }, now, random)
        }
        Verdict::Destination(_) => {
            let asked = Duration::ZERO;
            conduct.failed_again(seq, Failure::Other { asked }, now, random)
        }
    };
    again(Form::Plain, wait, now)
}

fn after_another(
    conduct: &mut Conduct,
    request: &Request<'_>,
    verdict: &Verdict,
    now: Moment,
    random: &dyn Random,
    revived: &mut Vec<i64>,
) -> NextStep {
    let load = request.load;
    let (form, quiet) = (load.form(), load.is_of_type(ALERT_TYPE));
    let blocked_before = conduct.is_blocked();
    match verdict {
        Verdict::Delivered | Verdict::Accepted => {
            conduct.arrived(now);
            arrived(verdict, now)
        }
        Verdict::Throttled { wait, .. } => again(form, conduct.throttled(*wait, now, random), now),
        Verdict::Transient { wait, reason } => {
            suspect(conduct, request);
            let wait = conduct.failed(&reason.to_string(), *wait, now, random);
            again(form, wait, now)
        }
        Verdict::Unanswered(reason) => {
            suspect(conduct, request);
            let wait = conduct.unanswered(&reason.to_string(), quiet, now, random);
            again(form, wait, now)
        }
        Verdict::Destination(reason) => {
            suspect(conduct, request);
            let wait = conduct.condemned(&reason.to_string(), quiet, now, random);
            again(form, wait, now)
        }
        Verdict::Message(reason) if load.is_many() => {
            conduct.refused_digest(load.size(), &reason.to_string(), now);
            again(Form::Full, Duration::ZERO, now)
        }
        Verdict::Message(_) if form == Form::Full && !blocked_before => {
            again(Form::Plain, Duration::ZERO, now)
        }
        Verdict::Message(reason) => {
            let seq = load.first().map_or(0, |(_, _, seq)| seq);
            match conduct.refused(seq, &reason.to_string(), quiet, now, random) {
                Refusal::Failed => return failed(now),
                Refusal::StillBlocked => {}
                Refusal::Blocked { revived: others } => *revived = others,
            }
            // It may be refused where another is not, so that the next probe is made with another.
            suspect(conduct, request);
            again(Form::Full, conduct.wait_left(now.instant), now)
        }
    }
}

/// Remembers which message failed. A digest is halved instead, so that the one that fails for what it carries is found.
fn suspect(conduct: &mut Conduct, request: &Request<'_>) {
    let Some((_, _, seq)) = request.load.first() else {
        return;
    };
    let is_many = request.load.is_many();
    if is_many && request.blame == Blame::Either {
        conduct.halve(request.load.size());
    }
    if !is_many || matches!(request.turn, Turn::Trial(_)) {
        conduct.suspect(seq, request.blame, request.turn);
    }
}

fn arrived(verdict: &Verdict, now: Moment) -> NextStep {
    let state = if *verdict == Verdict::Delivered {
        DeliveryState::Delivered
    } else {
        DeliveryState::Accepted
    };
    NextStep::End {
        state,
        reason: None,
        at: now.wall,
    }
}

fn failed(now: Moment) -> NextStep {
    NextStep::End {
        state: DeliveryState::Failed,
        reason: Some(EndReason::MessageRefused),
        at: now.wall,
    }
}

fn again(form: Form, wait: Duration, now: Moment) -> NextStep {
    NextStep::Again {
        form,
        at: after(now.wall, wait),
    }
}

impl Decided {
    const fn next(next: NextStep) -> Self {
        Self {
            next,
            revived: Vec::new(),
            set_aside: None,
            turned: false,
        }
    }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    now.checked_add(wait).unwrap_or(now)
}
