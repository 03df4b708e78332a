//! Properties of connectors.

use alert_connectors_model::{
    AlertTypeFilter, CONNECTORS_PER_SPACE_MAX, ConnectorChange, ConnectorId, DeliveryState,
    EndReason, WebhookUrl,
};

use super::world::World;
use crate::{Changed, ConnectorCreation, Created};

async fn change(world: &World, id: ConnectorId, change: ConnectorChange) -> Changed {
    let roster = world.roster().await;
    world
        .store
        .change_connector(roster.space.id, roster.version, id, change, world.later(60))
        .await
        .unwrap()
}

/// What comes back is what was made, the URL byte for byte.
pub async fn connectors_come_back_as_they_were_made(world: World) {
    let url = "https://prod-1.logic.azure.com:443/workflows/x?sp=%2Ftriggers%2f&sig=a'b";
    let made = world
        .connect_url(
            r#","alert_type_filter":["dq_alert","a.b"],"is_active":false"#,
            Some(url),
        )
        .await;
    let roster = world.roster().await;
    assert_eq!(*roster.connectors[0], *made);
    assert_eq!(roster.connectors[0].webhook_url.expose(), url);
}

/// Only a change of a value is a change.
pub async fn a_change_of_no_value_leaves_updated_at(world: World) {
    let made = world.connect("").await;
    let same = ConnectorChange {
        webhook_url: Some(made.webhook_url.clone()),
        ..ConnectorChange::default()
    };
    let Changed::Now(unchanged) = change(&world, made.id, same).await else {
        unreachable!("it is there")
    };
    assert_eq!(unchanged.updated_at, made.updated_at);
    let filter = Some(AlertTypeFilter::only([]));
    let other = ConnectorChange {
        name: Some("n".to_owned()),
        alert_type_filter: filter,
        ..ConnectorChange::default()
    };
    let Changed::Now(changed) = change(&world, made.id, other).await else {
        unreachable!("it is there")
    };
    assert_eq!(changed.updated_at, world.later(60));
    assert_eq!(*world.roster().await.connectors[0], *changed);
}

/// A change that was judged together with older values must be judged again.
pub async fn a_change_judged_at_an_old_version_is_stale(world: World) {
    let made = world.connect("").await;
    let roster = world.roster().await;
    world.connect("").await;
    let rename = ConnectorChange {
        name: Some("n".to_owned()),
        ..ConnectorChange::default()
    };
    let late = world
        .store
        .change_connector(
            roster.space.id,
            roster.version,
            made.id,
            rename.clone(),
            world.now,
        )
        .await;
    assert!(matches!(late.unwrap(), Changed::Stale));
    let absent = change(&world, ConnectorId::new(world.now, &world.random), rename).await;
    assert!(matches!(absent, Changed::Absent));
}

/// Switching a connector off or deleting it cancels its pending deliveries, with the reason; history keeps its name.
pub async fn deactivation_and_deletion_cancel_what_is_pending(world: World) {
    let (off, gone) = (
        world.connect("").await,
        world.connect_url("", Some("https://a.example/2")).await,
    );
    let id = world.post("").await.id;
    change(
        &world,
        off.id,
        ConnectorChange {
            is_active: Some(false),
            ..ConnectorChange::default()
        },
    )
    .await;
    assert!(
        world
            .store
            .delete_connector(world.space_id().await, gone.id, world.now)
            .await
            .unwrap()
    );
    assert!(
        !world
            .store
            .delete_connector(world.space_id().await, gone.id, world.now)
            .await
            .unwrap()
    );
    let deliveries = world.deliveries_of(id).await;
    let ended: Vec<_> = deliveries
        .iter()
        .map(|one| (one.connector_id, one.state, one.reason))
        .collect();
    assert_eq!(
        ended,
        [
            (
                off.id,
                DeliveryState::Cancelled,
                Some(EndReason::ConnectorInactive)
            ),
            (
                gone.id,
                DeliveryState::Cancelled,
                Some(EndReason::ConnectorDeleted)
            ),
        ]
    );
    assert!(world.due(&off).await.is_empty() && world.due(&gone).await.is_empty());
    assert!(world.store.backlog().await.unwrap().pending.is_empty());
}

/// Pending deliveries belong to the connector, not to the URL that it had.
pub async fn a_new_url_takes_what_is_pending_along(world: World) {
    let made = world.connect("").await;
    world.post("").await;
    let url = WebhookUrl::parse("https://a.example/new").unwrap();
    let Changed::Now(moved) = change(
        &world,
        made.id,
        ConnectorChange {
            webhook_url: Some(url),
            ..ConnectorChange::default()
        },
    )
    .await
    else {
        unreachable!("it is there")
    };
    assert!(world.due(&made).await.is_empty());
    let due = world.due(&moved).await;
    assert_eq!(
        (due.len(), due[0].connector.webhook_url.expose()),
        (1, "https://a.example/new")
    );
}

/// A destination is a URL, whichever connectors point at it.
pub async fn equal_urls_share_a_destination(world: World) {
    let (one, same) = (world.connect("").await, world.connect("").await);
    let other = world.connect_url("", Some("https://a.example/2")).await;
    assert_eq!(one.destination, same.destination);
    assert_ne!(one.destination, other.destination);
}

/// A space has at most 500 connectors, or fewer if its maker says so; deleted ones do not count.
pub async fn the_connector_after_the_last_is_refused(world: World) {
    let space_id = world.space_id().await;
    let make_of = async |connectors_max| {
        let creation = ConnectorCreation {
            connectors_max,
            ..world.creation(World::new_connector(""))
        };
        let created = world.store.create_connector(space_id, creation).await;
        created.unwrap()
    };
    assert!(matches!(make_of(1).await, Created::Made(_)));
    assert!(matches!(make_of(1).await, Created::TooMany));
    let make = async || make_of(usize::MAX).await;
    for _ in 1..CONNECTORS_PER_SPACE_MAX {
        assert!(matches!(make().await, Created::Made(_)));
    }
    assert!(matches!(make().await, Created::TooMany));
    let one = world.roster().await.connectors[0].id;
    world
        .store
        .delete_connector(space_id, one, world.now)
        .await
        .unwrap();
    assert!(matches!(make().await, Created::Made(_)));
}

/// An inspection of a sound store opens every URL and finds nothing.
pub async fn an_inspection_of_a_sound_store_finds_nothing(world: World) {
    world.connect("").await;
    let gone = world.connect("").await;
    world
        .store
        .delete_connector(world.space_id().await, gone.id, world.now)
        .await
        .unwrap();
    let submission = world.submission(&[world.alert("")]).await;
    world.store.accept(submission).await.unwrap();
    let inspection = world.store.inspect().await.unwrap();
    assert_eq!(inspection.findings, Vec::<String>::new());
    assert_eq!(inspection.webhook_urls, 1);
}
