//! Which revisions of an alert are kept.

use alert_connectors_model::{AlertStatus, DeliveryState, Severity};

use super::World;

/// What was said is kept where a delivery says it, and nowhere else.
#[test]
fn what_deliveries_say_is_kept_when_it_changes() {
    use AlertStatus::{Active, Resolved};
    let mut world = World::new();
    world.problem(Severity::Low, Active);
    world.end_all(DeliveryState::Delivered);
    assert_eq!(world.ledger.revisions, []);
    // The opening, then a repeat that nobody hears of.
    world.problem(Severity::Low, Active);
    world.problem(Severity::Low, Active);
    world.problem(Severity::High, Active);
    world.problem(Severity::High, Resolved);
    let kept = world.ledger.revisions.iter();
    let severity =
        |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap()["severity"].clone();
    let kept: Vec<_> = kept
        .map(|(alert, first, json)| (*alert, *first, severity(json)))
        .collect();
    let (low, high) = ("low".into(), "high".into());
    assert_eq!(kept, [(1, 0, low), (1, 4, high), (1, 7, "high".into())]);
}
