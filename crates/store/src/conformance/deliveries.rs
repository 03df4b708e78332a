//! Properties of the lists of deliveries: of a connector and of a space.

use alert_connectors_model::{Connector, ConnectorChange, DeliveryId, DeliveryKind, DeliveryState};

use super::world::World;
use crate::DeliveryQuery;

/// Pages join to the whole list, newest first, whatever states are asked for.
pub async fn deliveries_of_a_connector_are_listed_newest_first_by_state(world: World) {
    let connector = world.connect("").await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, world.post("").await.deliveries[0].id);
    }
    let due = world.due(&connector).await;
    let outcomes = vec![
        world.outcome(&due[0], world.arrived()),
        world.outcome(&due[2], world.failed()),
    ];
    world.report(&connector, outcomes).await;
    let space = world.space_id().await;
    let list = async |states: &[DeliveryState], expiry| {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let query = DeliveryQuery {
                connectors: vec![connector.id],
                states: states.to_vec(),
                limit: 2,
                before,
                ..DeliveryQuery::default()
            };
            let page = world.store.deliveries(space, query, expiry).await.unwrap();
            found.extend(page.items.iter().map(|delivery| delivery.id));
            before = page.next;
            if before.is_none() {
                return found;
            }
        }
    };
    let now = world.expiry();
    assert_eq!(list(&[], now).await, ids);
    assert_eq!(list(&[DeliveryState::Delivered], now).await, ids[4..]);
    let (pending, failed) = (DeliveryState::Pending, DeliveryState::Failed);
    assert_eq!(list(&[pending, failed], now).await, ids[..4]);
    let later = world.hours_later(25);
    assert_eq!(list(&[pending], later).await, []);
    assert_eq!(
        list(&[DeliveryState::Expired], later).await,
        [ids[0], ids[1], ids[3]]
    );
}

/// The second connector of a space.
pub(super) const SECOND_URL: &str = "https://hooks.slack.com/services/T/B/second";

impl World {
    /// The whole list of a space, page by page.
    async fn listed(&self, query: DeliveryQuery) -> Vec<DeliveryId> {
        let space = self.space_id().await;
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let query = DeliveryQuery {
                limit: 3,
                before,
                ..query.clone()
            };
            let page = self.store.deliveries(space, query, self.expiry()).await;
            let page = page.unwrap();
            found.extend(page.items.iter().map(|delivery| delivery.id));
            before = page.next;
            if before.is_none() {
                return found;
            }
        }
    }

    /// Posts some alerts; returns their deliveries, newest first, and those for one connector.
    pub(super) async fn posted(
        &self,
        extras: &[&str],
        connector: &Connector,
    ) -> (Vec<DeliveryId>, Vec<DeliveryId>) {
        let (mut all, mut of_one) = (Vec::new(), Vec::new());
        for extra in extras {
            for one in self.post(extra).await.deliveries {
                all.insert(0, one.id);
                if one.connector_id == connector.id {
                    of_one.insert(0, one.id);
                }
            }
        }
        (all, of_one)
    }
}

/// The list of a space merges its connectors by the order of acceptance; each filter leaves out the others, and pages join to the
/// whole.
pub async fn deliveries_of_a_space_are_listed_newest_first(world: World) {
    let a = world.connect("").await;
    let b = world.connect_url("", Some(SECOND_URL)).await;
    let (opened, resolved) = (
        r#","dedup_key":"k""#,
        r#","dedup_key":"k","status":"resolved""#,
    );
    let (all, of_a) = world.posted(&[opened, "", resolved, ""], &a).await;
    assert_eq!((all.len(), of_a.len()), (8, 4));
    let any = DeliveryQuery::default();
    assert_eq!(world.listed(any.clone()).await, all);
    let of = |connectors| DeliveryQuery {
        connectors,
        ..any.clone()
    };
    assert_eq!(world.listed(of(vec![a.id])).await, of_a);
    assert_eq!(world.listed(of(vec![a.id, b.id])).await, all);
    let kinds = DeliveryQuery {
        kinds: vec![DeliveryKind::Resolved],
        ..any.clone()
    };
    assert_eq!(world.listed(kinds).await, all[2..4]);
    let span = |since, until| DeliveryQuery {
        since,
        until,
        ..any.clone()
    };
    assert_eq!(world.listed(span(Some(world.now), None)).await, all);
    assert_eq!(world.listed(span(Some(world.later(1)), None)).await, []);
    assert_eq!(world.listed(span(None, Some(world.now))).await, []);
    let elsewhere = alert_connectors_model::SpaceId::new(world.now, &world.random);
    let page = world.store.deliveries(elsewhere, any, world.expiry()).await;
    assert!(page.unwrap().items.is_empty());
}

/// The list of a space knows every state of every connector: what waits for one that is off counts as cancelled.
pub async fn deliveries_of_a_space_are_listed_by_state(world: World) {
    let a = world.connect("").await;
    let b = world.connect_url("", Some(SECOND_URL)).await;
    let (all, of_a) = world.posted(&["", "", "", ""], &a).await;
    let due = world.due(&a).await;
    let outcomes = vec![
        world.outcome(&due[0], world.arrived()),
        world.outcome(&due[1], world.failed()),
    ];
    world.report(&a, outcomes).await;
    let off = ConnectorChange {
        is_active: Some(false),
        ..ConnectorChange::default()
    };
    let (space, version) = (world.space_id().await, world.roster().await.version);
    world
        .store
        .change_connector(space, version, b.id, off, world.now)
        .await
        .unwrap();
    let listed = async |states: &[DeliveryState]| {
        let states = states.to_vec();
        world
            .listed(DeliveryQuery {
                states,
                ..DeliveryQuery::default()
            })
            .await
    };
    assert_eq!(listed(&[DeliveryState::Pending]).await, of_a[..2]);
    let ended = [DeliveryState::Delivered, DeliveryState::Failed];
    assert_eq!(listed(&ended).await, of_a[2..]);
    let of_b: Vec<_> = all.iter().filter(|id| !of_a.contains(id)).collect();
    assert!(listed(&[DeliveryState::Cancelled]).await.iter().eq(of_b));
    assert_eq!(listed(&[]).await, all);
    // The history of one that is deleted stays.
    let deleted = world.store.delete_connector(space, a.id, world.now).await;
    assert!(deleted.unwrap());
    assert_eq!(listed(&[]).await, all);
    assert_eq!(listed(&ended).await, of_a[2..]);
    assert_eq!(listed(&[DeliveryState::Pending]).await, []);
}
