//! A connection keeps the plans of its statements, and a full disk refuses writes until there is room.

use std::sync::Arc;

use alert_connectors_model::SeededRandom;
use alert_connectors_store::{Store, StoreError, conformance::World};

use rusqlite::StatementStatus;

use super::*;

#[tokio::test]
async fn a_full_disk_refuses_and_room_lets_it_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let opening = OpenOptions {
        path: folder.path().join("test.db"),
        key_file: folder.path().join("secret.key"),
        used_by: Use::Server,
        random: Arc::new(SeededRandom::new(1)),
    };
    let store = SqliteStore::open(opening).unwrap();
    let _world = World::furnished(Arc::new(store.clone())).await;
    let limit = async |pages: u32| {
        let sql = format!("PRAGMA max_page_count={pages}");
        store
            .change(move |connection, _events| Ok(connection.query_row(&sql, [], |_row| Ok(()))?))
            .await
            .unwrap();
    };
    let write_page = async || {
        let sql = "INSERT INTO meta VALUES (lower(hex(randomblob(8))), zeroblob(4000))";
        store
            .change(move |connection, _events| Ok(connection.execute(sql, []).map(drop)?))
            .await
    };
    limit(1).await;
    let full = loop {
        if let Err(error) = write_page().await {
            break error;
        }
    };
    assert!(matches!(full, StoreError::Full(_)), "{full:?}");
    limit(1_000_000).await;
    write_page().await.unwrap();
    store.check().await.unwrap();
}

#[test]
fn a_statement_is_prepared_once_whatever_is_bound_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let mut connection = connect(&path).unwrap();
    migrate(&mut connection, &path, Use::Server).unwrap();
    // Where the partial index suits depends on the value.
    let sql = "SELECT seq FROM deliveries WHERE connector_no = ?1 AND state = ?2 LIMIT ?3";
    let mut statement = connection.prepare(sql).unwrap();
    for state in 0..4 {
        assert!(!statement.exists([1, state, 10]).unwrap());
    }
    assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
}
