//! What stands in the way of opening a database, each with a sentence of its own.

use std::{fs, os::unix::fs::PermissionsExt};

use alert_connectors_store::UnsealError;
use alert_connectors_store_sqlite::{OpenError, SqliteStore, Use};

use crate::opening;

fn refused(folder: &std::path::Path) -> OpenError {
    SqliteStore::open(opening(folder, Use::Server))
        .err()
        .expect("it must be refused")
}

#[tokio::test]
async fn a_second_server_is_refused_and_a_command_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = SqliteStore::open(opening(folder.path(), Use::Server)).unwrap();
    assert!(matches!(refused(folder.path()), OpenError::InUse(_)));
    assert!(SqliteStore::open(opening(folder.path(), Use::Command)).is_ok());
    drop(first);
    assert!(SqliteStore::open(opening(folder.path(), Use::Server)).is_ok());
}

#[tokio::test]
async fn a_lost_a_wrong_and_a_readable_key_file_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(opening(folder.path(), Use::Server)).unwrap());
    let key_file = folder.path().join("secret.key");
    assert_eq!(
        fs::metadata(&key_file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let key = fs::read(&key_file).unwrap();
    fs::remove_file(&key_file).unwrap();
    assert!(matches!(
        refused(folder.path()),
        OpenError::Sealing(UnsealError::Lost { .. })
    ));
    fs::write(&key_file, "0".repeat(64)).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(
        refused(folder.path()),
        OpenError::Sealing(UnsealError::WrongKey { .. })
    ));
    fs::write(&key_file, &key).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o644)).unwrap();
    let error = refused(folder.path()).to_string();
    assert!(
        error.contains("may be read by others (mode 644)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_newer_schema_and_another_kind_of_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(opening(folder.path(), Use::Server)).unwrap());
    let path = folder.path().join("test.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert!(matches!(
        refused(folder.path()),
        OpenError::Newer { found: 99, .. }
    ));
    // In a folder of its own: the threads of a store that was dropped may still write to its file.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    fs::write(
        &path,
        "this is a text file and no database at all, however long it may be".repeat(40),
    )
    .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(refused(folder.path()), OpenError::NotADatabase(_)));
}

#[tokio::test]
async fn what_was_written_with_a_key_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(opening(folder.path(), Use::Server)).unwrap());
    assert!(SqliteStore::open(opening(folder.path(), Use::Server)).is_ok());
}

/// Undoes the last migration.
const LAST_UNDONE: &str = "ALTER TABLE deliveries DROP COLUMN trace";

#[tokio::test]
async fn only_a_server_and_a_migration_change_the_schema_and_few_make_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let opened = |used_by| SqliteStore::open(opening(folder.path(), used_by));
    for used_by in [Use::Command, Use::Migration] {
        assert!(matches!(opened(used_by), Err(OpenError::Missing(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    assert!(opened(Use::Founding).is_ok());
    let schema = |set: Option<i64>| {
        let connection = rusqlite::Connection::open(&path).unwrap();
        if let Some(older) = set {
            connection
                .pragma_update(None, "user_version", older)
                .unwrap();
            connection.execute_batch(LAST_UNDONE).unwrap();
        }
        let read = connection.query_row("PRAGMA user_version", [], |row| row.get(0));
        read.unwrap()
    };
    let newest: i64 = schema(None);
    schema(Some(newest - 1));
    for used_by in [Use::Command, Use::Founding] {
        let refused = opened(used_by).err().expect("it must be refused");
        assert!(matches!(refused, OpenError::Older { .. }), "{refused}");
        assert!(refused.to_string().contains("migrate-schema"), "{refused}");
        assert_eq!(schema(None), newest - 1);
    }
    assert!(opened(Use::Migration).is_ok());
    assert_eq!(schema(None), newest);
    assert!(opened(Use::Command).is_ok());
}
