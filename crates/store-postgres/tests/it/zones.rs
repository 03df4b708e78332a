//! Lists by type over long stretches of the order.

use std::sync::Arc;

use alert_connectors_model::{Alert, AlertId, AlertType};
use alert_connectors_store::{
    AlertQuery, Tidying,
    conformance::{World, stored},
};
use jiff::SignedDuration;

use crate::database::{Database, execute};

async fn post_rare(world: &World) -> AlertId {
    let rare = Alert {
        alert_type: AlertType::parse("rare").unwrap(),
        ..world.alert("")
    };
    let submission = world.submission(&[rare]).await;
    stored(world.store.accept(submission).await.unwrap())[0].id
}

/// The rare ones, in pages of two.
async fn listed(world: &World) -> Vec<AlertId> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let query = AlertQuery {
            alert_types: vec![AlertType::parse("rare").unwrap()],
            limit: 2,
            before,
            ..AlertQuery::default()
        };
        let space = world.space_id().await;
        let page = world.store.alerts(space, query, world.expiry()).await;
        let page = page.unwrap();
        found.extend(page.items.iter().map(|alert| alert.id));
        before = page.next;
        if before.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn a_type_is_found_across_zones_and_its_zones_are_forgotten_with_it() {
    let database = Database::make();
    let one = World::furnished(Arc::new(database.open().await)).await;
    let other = one.beside(Arc::new(database.open_as(9).await), 99);
    let mut rare = Vec::new();
    // From the last place of a zone to the first of the next, zones apart, and by two replicas.
    for skipped in [1_022, 0, 0, 5_000, 700, 20_000] {
        execute(
            &database,
            &format!("UPDATE numbering SET next_alert = next_alert + {skipped}"),
        )
        .await;
        one.post("").await;
        rare.insert(0, post_rare(&one).await);
        rare.insert(0, post_rare(&other).await);
    }
    assert_eq!(listed(&one).await, rare);
    let rules = Tidying {
        now: one.later(60),
        retention: SignedDuration::from_secs(1),
        audit_retention: SignedDuration::from_hours(24 * 365),
    };
    one.tidy_by(rules).await;
    assert!(listed(&one).await.is_empty());
    // Only the newest zone may be written to again.
    execute(
        &database,
        "DO $$ BEGIN ASSERT (SELECT count(DISTINCT zone) FROM type_zones) = 1; END $$",
    )
    .await;
    let again = post_rare(&one).await;
    assert_eq!(listed(&one).await, [again]);
}
