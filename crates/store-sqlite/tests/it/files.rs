//! The files of a database: who may read them, whose they are, and what becomes of them while a server runs.

use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt, symlink},
    path::Path,
};

use alert_connectors_store::{Spaces, Store, StoreError, Upkeep, Users, conformance::World};
use alert_connectors_store_sqlite::{OpenError, OpenOptions, SqliteStore, Use};

use crate::opening;

fn refused(folder: &Path) -> OpenError {
    let opened = SqliteStore::open(opening(folder, Use::Server));
    opened.err().expect("it must be refused")
}

#[tokio::test]
async fn only_their_owner_reads_the_files_that_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made");
    let store = SqliteStore::open(opening(&folder, Use::Server)).unwrap();
    store.check().await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let keys = folder.join("keys");
    let apart = tempfile::tempdir().unwrap();
    let elsewhere = OpenOptions {
        key_file: keys.join("secret.key"),
        ..opening(apart.path(), Use::Server)
    };
    drop(SqliteStore::open(elsewhere).unwrap());
    assert_eq!(mode(&keys), 0o700);
    fs::remove_dir_all(keys).unwrap();
    let files = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let files: Vec<_> = files.collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn the_lock_is_of_the_file_by_whichever_name() {
    let folder = tempfile::tempdir().unwrap();
    let _store = SqliteStore::open(opening(folder.path(), Use::Server)).unwrap();
    let other = tempfile::tempdir().unwrap();
    symlink(folder.path().join("test.db"), other.path().join("test.db")).unwrap();
    assert!(matches!(refused(other.path()), OpenError::InUse(_)));
    let spelled = folder
        .path()
        .join("../")
        .join(folder.path().file_name().unwrap());
    assert!(matches!(refused(&spelled), OpenError::InUse(_)));
    let hard = tempfile::tempdir_in(folder.path()).unwrap();
    fs::hard_link(folder.path().join("test.db"), hard.path().join("test.db")).unwrap();
    assert!(matches!(refused(hard.path()), OpenError::InUse(_)));
}

#[tokio::test]
async fn the_log_of_a_server_is_never_empty() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("test.db-wal");
    for _ in 0..2 {
        let store = SqliteStore::open(opening(folder.path(), Use::Server)).unwrap();
        assert!(fs::metadata(&log).unwrap().len() > 0);
        store.move_log().await;
    }
}

#[tokio::test]
async fn a_file_with_several_names_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let hard = tempfile::tempdir_in(folder.path()).unwrap();
    fs::write(folder.path().join("test.db"), "").unwrap();
    fs::hard_link(folder.path().join("test.db"), hard.path().join("test.db")).unwrap();
    assert!(matches!(refused(hard.path()), OpenError::SeveralNames(_)));
}

#[tokio::test]
async fn a_file_that_is_removed_or_replaced_under_a_server_ends_it() {
    for name in ["test.db", "test.db-wal", "test.db-shm"] {
        for is_replaced in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let store = SqliteStore::open(opening(folder.path(), Use::Server)).unwrap();
            let path = folder.path().join(name);
            fs::rename(&path, folder.path().join("away")).unwrap();
            if is_replaced {
                fs::copy(folder.path().join("away"), &path).unwrap();
            }
            let reason = store.failed().await;
            let what = if is_replaced {
                "was replaced"
            } else {
                "was removed"
            };
            assert!(reason.contains(what) && reason.contains(name), "{reason}");
        }
    }
}

#[tokio::test]
async fn a_log_that_is_cut_short_under_a_server_ends_it_and_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(opening(folder.path(), Use::Server)).unwrap();
    let _world = World::furnished(std::sync::Arc::new(store.clone())).await;
    let log = folder.path().join("test.db-wal");
    let file = fs::File::options().write(true).open(&log).unwrap();
    let cut = fs::metadata(&log).unwrap().len() / 2;
    file.set_len(cut).unwrap();
    let reason = store.failed().await;
    assert!(reason.contains("was cut short"), "{reason}");
    // The next start says what is missing of it.
    store.move_log().await;
    assert_eq!(fs::metadata(&log).unwrap().len(), cut);
}

/// The next commit would write behind the cut, and make the log as long as it was.
#[tokio::test]
async fn a_log_that_is_cut_short_between_two_commits_ends_the_server_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(opening(folder.path(), Use::Server)).unwrap();
    let world = World::furnished(std::sync::Arc::new(store.clone())).await;
    let slug = alert_connectors_model::Slug::parse("data").unwrap();
    let log = folder.path().join("test.db-wal");
    let file = fs::File::options().write(true).open(&log).unwrap();
    file.set_len(fs::metadata(&log).unwrap().len() / 2).unwrap();
    let renamed = world.store.rename_space(&slug, "Other".to_owned()).await;
    assert!(matches!(renamed, Err(StoreError::Stopped)), "{renamed:?}");
    let reason = store.failed().await;
    assert!(reason.contains("was cut short"), "{reason}");
}

/// What a command changed is in the database itself once it has ended, unless somebody reads it.
#[tokio::test]
async fn a_copy_of_the_file_alone_is_whole_after_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(opening(folder.path(), Use::Founding)).unwrap();
    let world = World::furnished(std::sync::Arc::new(store.clone())).await;
    assert!(store.move_log().await);
    let copy = tempfile::tempdir().unwrap();
    for name in ["test.db", "secret.key"] {
        fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let copied = SqliteStore::open(opening(copy.path(), Use::Command)).unwrap();
    assert_eq!(copied.spaces().await.unwrap().len(), 1);

    let reader = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM spaces").unwrap();
    let slug = alert_connectors_model::Slug::parse("data").unwrap();
    world
        .store
        .rename_space(&slug, "Other".to_owned())
        .await
        .unwrap();
    assert!(!store.move_log().await);
}

/// SQLite keeps any bytes as text, and says nothing of them.
#[tokio::test]
async fn text_that_is_no_text_is_found_and_is_fatal() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(opening(folder.path(), Use::Server)).unwrap();
    let _world = World::furnished(std::sync::Arc::new(store.clone())).await;
    let other = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    let sql = "UPDATE spaces SET name = CAST(x'ff41' AS TEXT)";
    other.execute(sql, []).unwrap();
    let inspection = store.inspect().await.unwrap();
    assert_eq!(inspection.findings, ["spaces: name of row 1 is no text"]);
    assert!(matches!(store.spaces().await, Err(StoreError::Fatal(_))));
    let reason = store.failed().await;
    assert!(reason.contains("can't be used any more"), "{reason}");
}

/// A health that was changed by hand does not pass as one without failures.
#[tokio::test]
async fn a_health_that_cannot_be_read_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(opening(folder.path(), Use::Server)).unwrap();
    let _world = World::furnished(std::sync::Arc::new(store.clone())).await;
    let other = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    let add = |number: u8, refused: &str, failing: &str| {
        let sql = "INSERT INTO destinations (fingerprint, failures, throttles, wait_ms, wait_asked, refused, probes, quiet, told,
            failing_messages) VALUES (?1, 0, 0, 0, 0, ?2, 0, 0, 0, ?3)";
        let columns = rusqlite::params![[number; 16], refused, failing];
        other.execute(sql, columns).unwrap();
    };
    add(1, "[]", "");
    add(2, "[7]", "[null, []]");
    add(3, "{}", "");
    add(4, "[]", "[null, [5]]");
    let inspection = store.inspect().await.unwrap();
    let finding = |digits: &str, column: &str| {
        let destination = digits.repeat(4);
        format!(
            "the health of destination #{destination}: destinations row of a webhook: {column} can't be read"
        )
    };
    let expected = [finding("03", "refused"), finding("04", "failing_messages")];
    assert_eq!(inspection.findings, expected);
}

/// SQLite's own findings name the page.
#[tokio::test]
async fn an_inspection_names_the_page_that_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(opening(folder.path(), Use::Server)).unwrap();
    let _world = World::furnished(std::sync::Arc::new(store.clone())).await;
    store.move_log().await;
    let path = folder.path().join("test.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'users'";
    let root: u64 = other.query_row(root, [], |row| row.get(0)).unwrap();
    drop((other, store));
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0xa5; 2_048], (root - 1) * 2_048)
        .unwrap();
    let store = SqliteStore::open(opening(folder.path(), Use::Command)).unwrap();
    let inspection = store.inspect().await.unwrap();
    let page = format!("page {root}");
    assert!(
        inspection
            .findings
            .iter()
            .any(|finding| finding.contains(&page)),
        "{:?}",
        inspection.findings
    );
    assert_eq!(inspection.not_looked_at.len(), 1);
}

#[tokio::test]
async fn no_new_database_is_made_where_there_was_one() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(opening(folder.path(), Use::Server)).unwrap());
    for left in ["secret.key", "test.db-wal"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(left), "x").unwrap();
        let error = refused(folder.path());
        assert!(matches!(error, OpenError::Lost { .. }), "{error}");
        assert!(error.to_string().contains(left), "{error}");
        assert!(!folder.path().join("test.db").exists());
    }
}

#[tokio::test]
async fn a_copy_of_the_file_alone_is_whole_after_the_log_was_moved() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(opening(folder.path(), Use::Server)).unwrap();
    let world = World::furnished(std::sync::Arc::new(store.clone())).await;
    let log = folder.path().join("test.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0);
    store.move_log().await;
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    let copy = tempfile::tempdir().unwrap();
    for name in ["test.db", "secret.key"] {
        fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let copied = SqliteStore::open(opening(copy.path(), Use::Server)).unwrap();
    assert_eq!(copied.spaces().await.unwrap().len(), 1);
    drop(world);
}

#[tokio::test]
async fn a_database_that_can_not_be_opened_says_what_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(opening(folder.path(), Use::Server)).unwrap();
    store.move_log().await;
    drop(store);
    // Other than the first page, in which the schema begins.
    let copy = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(folder.path().join("test.db")).unwrap();
    bytes[2_048..].fill(0xA5);
    fs::write(copy.path().join("test.db"), bytes).unwrap();
    let error = refused(copy.path()).to_string();
    assert!(
        error.contains("is damaged") && error.contains(".recover"),
        "{error}"
    );
}

#[tokio::test]
async fn a_reader_that_meets_a_broken_page_ends_the_service() {
    const PAGE_BYTES: usize = 2_048;
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(opening(folder.path(), Use::Server)).unwrap();
    let _world = World::furnished(std::sync::Arc::new(store.clone())).await;
    store.move_log().await;
    // The file stays the same one; only what stands in it is broken, from the second page on.
    let path = folder.path().join("test.db");
    let rest = fs::metadata(&path).unwrap().len() - PAGE_BYTES as u64;
    let file = fs::File::options().write(true).open(&path).unwrap();
    let broken = vec![0xA5; usize::try_from(rest).unwrap()];
    file.write_all_at(&broken, PAGE_BYTES as u64).unwrap();
    let read = store.users().await;
    assert!(matches!(read, Err(StoreError::Fatal(_))), "{read:?}");
    let ready = store.check().await;
    assert!(matches!(ready, Err(StoreError::Stopped)), "{ready:?}");
    let reason = store.failed().await;
    assert!(
        reason.contains("can't be used any more") && reason.contains(".recover"),
        "{reason}"
    );
}
