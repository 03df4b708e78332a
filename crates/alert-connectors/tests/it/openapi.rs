//! The OpenAPI document: the one that is served is the one that is checked in.

use std::{fs, path::Path};

use crate::world::World;

#[tokio::test]
async fn the_document_is_the_one_that_is_checked_in() {
    let world = World::start().await;
    let served = world.get("/openapi.json").await;
    assert_eq!(served.body["openapi"], "3.1.0");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(&path, &served.text).unwrap();
    }
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == served.text,
        "openapi.json is stale; run the tests with UPDATE_OPENAPI=1 and look at the diff"
    );
}
