//! What becomes of an end that ends no problem.

use alert_connectors_model::{AlertStatus, Severity};
use jiff::SignedDuration;

use super::{World, alert};
use crate::{Acceptance, Submission, accept::Decision};

#[test]
fn an_end_that_ends_nothing_is_left_out_where_the_request_says_so() {
    let mut world = World::new();
    let end = |at| alert(Some("k"), Severity::High, AlertStatus::Resolved, at);
    let leaving_out = |world: &mut World, alert| {
        let submission = Submission {
            leaves_out_idle_ends: true,
            ..world.submission(alert, 0b111)
        };
        let Decision::Answered(Acceptance::Stored(mut accepted)) = world.decide(&submission) else {
            unreachable!("nothing is stale");
        };
        accepted.remove(0).is_stored
    };
    let now = world.now;
    assert!(!leaving_out(&mut world, end(now)));
    world.problem(Severity::High, AlertStatus::Active);
    let written = world.ledger.len();
    let before = now - SignedDuration::from_secs(1);
    assert!(!leaving_out(&mut world, end(before)));
    assert_eq!(world.ledger.len(), written);
    assert!(leaving_out(&mut world, end(now)));
}
