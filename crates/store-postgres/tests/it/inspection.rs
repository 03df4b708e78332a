//! What an inspection finds in a database that is broken. A superuser breaks it by its catalogs, as a bad disk would by its files.

use std::sync::Arc;

use alert_connectors_store::{Inspection, Upkeep as _, conformance::World};
use alert_connectors_store_postgres::PostgresStore;

use crate::database::{Database, execute};

/// A database with a connector and an alert.
async fn furnished() -> (Database, PostgresStore) {
    let database = Database::make();
    let store = database.open().await;
    let world = World::furnished(Arc::new(store.clone())).await;
    world.connect("").await;
    world.post("").await;
    (database, store)
}

async fn inspected(store: &PostgresStore) -> Inspection {
    store.inspect().await.unwrap()
}

#[tokio::test]
async fn a_sound_database_has_no_findings() {
    let (database, store) = furnished().await;
    let sound = inspected(&store).await;
    assert_eq!((sound.findings.len(), sound.webhook_urls), (0, 1));
    assert!(sound.not_looked_at[0].contains("amcheck"), "{sound:?}");
    execute(&database, "CREATE EXTENSION amcheck").await;
    let sound = inspected(&store).await;
    assert_eq!((sound.findings.len(), sound.not_looked_at.len()), (0, 0));
}

#[tokio::test]
async fn a_health_that_cannot_be_read_is_found() {
    let (database, store) = furnished().await;
    let sql = "INSERT INTO destinations (fingerprint, failures, throttles, wait_ms, wait_asked, refused, probes, quiet, told,
        failing_messages) VALUES ('\\x01010101010101010101010101010101', 0, 0, 0, false, '[]', 0, false, false, '{}')";
    execute(&database, sql).await;
    let broken = inspected(&store).await;
    let finding = "destinations row of a webhook: failing_messages can't be read";
    assert!(broken.findings[0].ends_with(finding), "{broken:?}");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_and_an_index_that_lacks_a_row_are_found() {
    let (database, store) = furnished().await;
    execute(
        &database,
        "CREATE EXTENSION amcheck;
        CREATE TYPE lost AS ENUM ('a');
        CREATE TABLE unreadable (one lost);
        INSERT INTO unreadable VALUES ('a');
        DELETE FROM pg_enum WHERE enumtypid = 'lost'::regtype;
        CREATE TABLE indexed (one integer);
        CREATE INDEX lacking ON indexed (one);
        CREATE INDEX unfinished ON indexed (one);
        UPDATE pg_index SET indisready = false WHERE indexrelid = 'lacking'::regclass",
    )
    .await;
    execute(
        &database,
        "INSERT INTO indexed VALUES (1);
        UPDATE pg_index SET indisready = true WHERE indexrelid = 'lacking'::regclass;
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'unfinished'::regclass",
    )
    .await;
    let broken = inspected(&store).await;
    let findings = broken.findings.join("\n");
    for part in [
        "table unreadable: ",
        "index lacking: ",
        "index unfinished is not valid",
    ] {
        assert!(findings.contains(part), "{part}: {findings}");
    }
    assert_eq!(broken.findings.len(), 3, "{findings}");
    assert!(broken.not_looked_at[0].contains("webhook URLs"));
}

#[tokio::test]
async fn a_url_that_cannot_be_opened_is_named_by_its_connector_and_not_shown() {
    let (database, store) = furnished().await;
    execute(
        &database,
        "UPDATE connectors SET url_sealed = set_byte(url_sealed, 20, 255 - get_byte(url_sealed, 20))",
    )
    .await;
    let broken = inspected(&store).await;
    assert_eq!((broken.findings.len(), broken.webhook_urls), (1, 0));
    let finding = &broken.findings[0];
    assert!(finding.starts_with("connector "), "{finding}");
    assert!(!finding.contains("https"), "{finding}");
}
