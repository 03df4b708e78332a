//! The next step of a delivery and its destination after a request.

use std::time::Duration;

use alert_connectors_model::{DeliveryState, EndReason, Random};
use alert_connectors_store::{Disposition, Form, Outcome};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Verdict,
    block_alert::ALERT_TYPE,
    payload::Payload,
    send_policy::{Blame, Moment, Refusal, SendPolicy, SetAsideFailure, Turn},
};

/// What follows from an attempt.
pub(crate) struct NextStep {
    pub(crate) disposition: Disposition,
    /// Deliveries that are pending again.
    pub(crate) revived: Vec<i64>,
    /// The message that is set aside, if one is, and when it is tried again.
    pub(crate) set_aside: Option<Outcome>,
    /// Whether the destination got into trouble or out of it, of which the spaces are notified.
    pub(crate) turned: bool,
}

/// The parts of a request that decide what follows from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    /// The place in the queue of the oldest delivery that it carried.
    seq: Option<i64>,
    form: Form,
    size: usize,
    /// Whether it carried more than one message, any of which could be the one that is refused.
    is_many: bool,
    /// Whether it was about a blocked connector itself: nobody is notified of that.
    quiet: bool,
    turn: Turn,
    blame: Blame,
}

impl Request {
    pub(crate) fn of(payload: &Payload, turn: Turn, blame: Blame) -> Self {
        Self {
            seq: payload.first().map(|(_, _, seq)| seq),
            form: payload.form(),
            size: payload.size(),
            is_many: payload.is_many(),
            quiet: payload.is_of_type(ALERT_TYPE),
            turn,
            blame,
        }
    }
}

/// Decides what follows from a request, and updates the send policy.
pub(crate) fn next_step(
    policy: Option<&mut SendPolicy>,
    request: &Request,
    verdict: &Verdict,
    now: Moment,
    random: &dyn Random,
) -> NextStep {
    let Some(policy) = policy else {
        // The lease was lost during the request, and the policy with it. The fence is stale, so only the attempt is kept.
        return NextStep::of(retry(request.form, Duration::ZERO, now));
    };
    let was_troubled = policy.is_troubled();
    let set_aside = match (request.turn, verdict) {
        (Turn::Trial(suspect), Verdict::Delivered | Verdict::Accepted) => {
            policy.set_aside(suspect, now, random)
        }
        _ => None,
    };
    let mut revived = Vec::new();
    let disposition = match request.turn {
        Turn::SetAside => after_set_aside(policy, request, verdict, now, random),
        Turn::Front | Turn::Trial(_) => {
            after_another(policy, request, verdict, now, random, &mut revived)
        }
    };
    NextStep {
        disposition,
        revived,
        set_aside: set_aside.map(|one| Outcome {
            seq: one.seq,
            attempt: None,
            disposition: Disposition::Retry {
                form: Form::Plain,
                at: one.wait.ends_at(),
            },
        }),
        turned: policy.is_troubled() != was_troubled,
    }
}

/// For a message that was set aside: its failures say nothing about the channel.
fn after_set_aside(
    policy: &mut SendPolicy,
    request: &Request,
    verdict: &Verdict,
    now: Moment,
    random: &dyn Random,
) -> Disposition {
    let seq = request.seq.unwrap_or_default();
    let wait = match verdict {
        Verdict::Delivered | Verdict::Accepted => {
            policy.forget_set_aside(seq);
            policy.arrived(now);
            return arrived(verdict, now);
        }
        // It is sent in its plain form only.
        Verdict::MessageRefused(_) => {
            policy.forget_set_aside(seq);
            return failed(now);
        }
        Verdict::Throttled { wait, .. } => policy.throttled(*wait, now, random),
        Verdict::Unanswered(_) => {
            policy.failed_again(seq, SetAsideFailure::Unanswered, now, random)
        }
        Verdict::Transient { wait, .. } => {
            let asked = wait.unwrap_or_default();
            policy.failed_again(seq, SetAsideFailure::Other { asked }, now, random)
        }
        Verdict::DestinationRefused(_) => {
            let asked = Duration::ZERO;
            policy.failed_again(seq, SetAsideFailure::Other { asked }, now, random)
        }
    };
    retry(Form::Plain, wait, now)
}

fn after_another(
    policy: &mut SendPolicy,
    request: &Request,
    verdict: &Verdict,
    now: Moment,
    random: &dyn Random,
    revived: &mut Vec<i64>,
) -> Disposition {
    let Request { form, quiet, .. } = *request;
    let blocked_before = policy.is_blocked();
    match verdict {
        Verdict::Delivered | Verdict::Accepted => {
            policy.arrived(now);
            arrived(verdict, now)
        }
        Verdict::Throttled { wait, .. } => retry(form, policy.throttled(*wait, now, random), now),
        Verdict::Transient { wait, reason } => {
            suspect(policy, request);
            let wait = policy.failed(&reason.to_string(), *wait, now, random);
            retry(form, wait, now)
        }
        Verdict::Unanswered(reason) => {
            suspect(policy, request);
            let wait = policy.unanswered(&reason.to_string(), quiet, now, random);
            retry(form, wait, now)
        }
        Verdict::DestinationRefused(reason) => {
            suspect(policy, request);
            let wait = policy.condemned(&reason.to_string(), quiet, now, random);
            retry(form, wait, now)
        }
        Verdict::MessageRefused(reason) if request.is_many => {
            policy.refused_digest(request.size, &reason.to_string(), now);
            retry(Form::Full, Duration::ZERO, now)
        }
        Verdict::MessageRefused(_) if form == Form::Full && !blocked_before => {
            retry(Form::Plain, Duration::ZERO, now)
        }
        Verdict::MessageRefused(reason) => {
            let seq = request.seq.unwrap_or_default();
            match policy.refused(seq, &reason.to_string(), quiet, now, random) {
                Refusal::Failed => return failed(now),
                Refusal::StillBlocked => {}
                Refusal::Blocked { revived: others } => *revived = others,
            }
            // It may be refused where another is not, so that the next probe is made with another.
            suspect(policy, request);
            retry(Form::Full, policy.wait_left(now.instant), now)
        }
    }
}

/// Remembers which message failed. A digest is halved instead, so that the one that fails for what it carries is found.
fn suspect(policy: &mut SendPolicy, request: &Request) {
    let Some(seq) = request.seq else {
        return;
    };
    let is_many = request.is_many;
    if is_many && request.blame == Blame::Either {
        policy.halve(request.size);
    }
    if !is_many || matches!(request.turn, Turn::Trial(_)) {
        policy.suspect(seq, request.blame, request.turn);
    }
}

fn arrived(verdict: &Verdict, now: Moment) -> Disposition {
    let state = if *verdict == Verdict::Delivered {
        DeliveryState::Delivered
    } else {
        DeliveryState::Accepted
    };
    Disposition::End {
        state,
        reason: None,
        at: now.wall,
    }
}

fn failed(now: Moment) -> Disposition {
    Disposition::End {
        state: DeliveryState::Failed,
        reason: Some(EndReason::MessageRefused),
        at: now.wall,
    }
}

fn retry(form: Form, wait: Duration, now: Moment) -> Disposition {
    Disposition::Retry {
        form,
        at: after(now.wall, wait),
    }
}

impl NextStep {
    const fn of(disposition: Disposition) -> Self {
        Self {
            disposition,
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

#[cfg(test)]
mod tests;
