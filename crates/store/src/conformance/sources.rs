//! Properties of what spaces set for sources.

use alert_connectors_model::{Secret, SpaceId};

use super::world::World;
use crate::{SourceSecret, SourceSettings};

/// The store keeps each setting by itself, and each change gives the roster a new version.
pub async fn settings_of_a_source_come_back_and_change_the_roster(world: World) {
    let before = world.roster().await;
    assert_eq!(before.sources, []);
    let (store, space) = (&world.store, before.space.id);
    let mapping = Some(r#"{"rules": []}"#.to_owned());
    let secret = Secret::new("s3cret");
    assert!(
        store
            .set_mapping(space, "dbt", mapping.clone())
            .await
            .unwrap()
    );
    assert!(
        store
            .set_source_secret(space, "grafana", Some(secret.clone()))
            .await
            .unwrap()
    );
    let settings = |source: &str, mapping, secret| SourceSettings {
        source: source.to_owned(),
        mapping,
        secret,
    };
    let set = world.roster().await;
    let expected = [
        settings("dbt", mapping, SourceSecret::None),
        settings("grafana", None, SourceSecret::Set(secret.clone())),
    ];
    assert_eq!(set.sources, expected);
    assert!(set.version > before.version);

    assert!(store.set_mapping(space, "dbt", None).await.unwrap());
    let removed = world.roster().await;
    let expected = [
        settings("dbt", None, SourceSecret::None),
        settings("grafana", None, SourceSecret::Set(secret)),
    ];
    assert_eq!(removed.sources, expected);
    assert!(removed.version > set.version);
    let elsewhere = SpaceId::from_bytes([9; 16]);
    assert!(!store.set_mapping(elsewhere, "dbt", None).await.unwrap());
    assert!(
        !store
            .set_source_secret(elsewhere, "dbt", None)
            .await
            .unwrap()
    );
}
