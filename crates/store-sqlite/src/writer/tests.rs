//! Which requests share a commit.

use std::sync::mpsc;

use alert_connectors_model::SeededRandom;
use alert_connectors_store::{Intake as _, Queue as _, SMALL_ROWS_MAX, Use, conformance::World};

use super::*;
use crate::OpenOptions;

fn store(folder: &tempfile::TempDir) -> SqliteStore {
    SqliteStore::open(OpenOptions {
        path: folder.path().join("test.db"),
        key_file: folder.path().join("secret.key"),
        used_by: Use::Server,
        random: Arc::new(SeededRandom::new(1)),
    })
    .unwrap()
}

/// How many deliveries each group queued.
async fn queued_by_group(store: &SqliteStore, mut missing: usize) -> Vec<usize> {
    let mut groups = Vec::new();
    while missing > 0 {
        let events = store.next_events().await.unwrap();
        let is_queued = |event: &&StoreEvent| matches!(event, StoreEvent::Queued(_));
        let queued = events.iter().filter(is_queued).count();
        missing -= queued;
        groups.extend((queued > 0).then_some(queued));
    }
    groups
}

#[tokio::test]
async fn small_requests_share_a_commit_and_a_large_one_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let world = World::furnished(Arc::new(store.clone())).await;
    world.connect("").await;
    let submission = async |alerts| world.submission(&vec![world.alert(""); alerts]).await;
    let large = submission(SMALL_ROWS_MAX).await;
    let [before, after, last] = [
        submission(1).await,
        submission(1).await,
        submission(1).await,
    ];
    let (release, wait) = mpsc::channel();
    let busy = store.change(move |_connection, _events| {
        wait.recv().unwrap();
        Ok(())
    });
    // Each is polled in its turn, so they wait for the writer in this order.
    let (_busy, first, second, third, fourth, ()) = tokio::join!(
        busy,
        store.accept(before),
        store.accept(large),
        store.accept(after),
        store.accept(last),
        async { release.send(()).unwrap() },
    );
    for accepted in [first, second, third, fourth] {
        assert!(matches!(accepted.unwrap(), Acceptance::Stored(_)));
    }
    let groups = queued_by_group(&store, SMALL_ROWS_MAX + 3).await;
    assert_eq!(groups, [1, SMALL_ROWS_MAX, 2]);
}
