//! How a delivery and its destination go on after a request.

use std::time::Duration;

use alert_connectors_model::{DeliveryState, EndReason, Random};
use alert_connectors_store::{Form, NextStep};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Verdict,
    conduct::{Conduct, Moment, Refusal},
    load::Load,
    notice::ALERT_TYPE,
};

/// How it goes on after an attempt.
pub(crate) struct Decided {
    pub(crate) next: NextStep,
    /// Deliveries that are owed again.
    pub(crate) revived: Vec<i64>,
    /// Whether the destination was blocked or released by it, which the spaces are to hear.
    pub(crate) turned: bool,
}

/// Decides how it goes on after a request, and remembers in the conduct what that means for the next one.
pub(crate) fn decide(
    conduct: Option<&mut Conduct>,
    load: &Load,
    verdict: &Verdict,
    now: Moment,
    random: &dyn Random,
) -> Decided {
    let end = |state, reason| NextStep::End {
        state,
        reason,
        at: now.wall,
    };
    let again = |form, wait: Duration| NextStep::Again {
        form,
        at: after(now.wall, wait),
    };
    let form = load.form();
    let Some(conduct) = conduct else {
        // It was taken up before anything was sent.
        return Decided::next(again(form, Duration::ZERO));
    };
    let blocked_before = conduct.is_blocked();
    let quiet = load.is_of_type(ALERT_TYPE);
    let mut revived = Vec::new();
    let next = match verdict {
        Verdict::Delivered | Verdict::Accepted => {
            conduct.arrived(now);
            let delivered = *verdict == Verdict::Delivered;
            let state = if delivered {
                DeliveryState::Delivered
            } else {
                DeliveryState::Accepted
            };
            end(state, None)
        }
        Verdict::Throttled { wait, .. } => again(form, conduct.throttled(*wait, now, random)),
        Verdict::Transient(reason) => again(form, conduct.failed(&reason.to_string(), now, random)),
        Verdict::Destination(reason) => {
            let wait = conduct.condemned(&reason.to_string(), quiet, now, random);
            again(form, wait)
        }
        Verdict::Message(reason) if load.is_many() => {
            conduct.halve(load.size(), &reason.to_string(), now);
            again(Form::Full, Duration::ZERO)
        }
        Verdict::Message(_) if form == Form::Full && !blocked_before => {
            again(Form::Plain, Duration::ZERO)
        }
        Verdict::Message(reason) => {
            let seq = load.first().map_or(0, |(_, _, seq)| seq);
            match conduct.refused(seq, &reason.to_string(), quiet, now, random) {
                Refusal::Failed => end(DeliveryState::Failed, Some(EndReason::MessageRefused)),
                Refusal::StillBlocked => again(Form::Full, conduct.wait_left(now.instant)),
                Refusal::Blocked { revived: failed } => {
                    revived = failed;
                    again(Form::Full, conduct.wait_left(now.instant))
                }
            }
        }
    };
    Decided {
        next,
        revived,
        turned: conduct.is_blocked() != blocked_before,
    }
}

impl Decided {
    const fn next(next: NextStep) -> Self {
        Self {
            next,
            revived: Vec::new(),
            turned: false,
        }
    }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    now.checked_add(wait).unwrap_or(now)
}
