//! Copying a SQLite database into one on PostgreSQL.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use alert_connectors_model::{Random, SeededRandom};
use alert_connectors_store::{
    Intake as _, StoreError, Use,
    conformance::World,
    copying::{
        COPIED_TABLES, CopiedTable, CopyError, CopyReport, CopySource, CopyStep, LastNumbers,
        copy_everything,
    },
};
use alert_connectors_store_postgres::{OpenError, OpenOptions, PostgresStore};
use alert_connectors_store_sqlite::SqliteStore;
use async_trait::async_trait;
use tempfile::TempDir;

use crate::database::{Database, execute};

fn open_file(folder: &Path, seed: u64) -> SqliteStore {
    let random: Arc<dyn Random> = Arc::new(SeededRandom::new(seed));
    let opening = alert_connectors_store_sqlite::OpenOptions {
        path: folder.join("test.db"),
        key_file: folder.join("secret.key"),
        used_by: Use::Server,
        random,
    };
    SqliteStore::open(opening).unwrap()
}

/// A file with alerts, of which some were sent and one ended a problem.
async fn furnished(seed: u64) -> (TempDir, SqliteStore, World) {
    let folder = tempfile::tempdir().unwrap();
    let store = open_file(folder.path(), seed);
    let world = World::furnished(Arc::new(store.clone())).await;
    let connector = world.connect("").await;
    let alerts = vec![world.alert(""); 500];
    for _ in 0..5 {
        let submission = world.submission(&alerts).await;
        store.accept(submission).await.unwrap();
    }
    let due = world.due(&connector).await;
    assert!(!due.is_empty());
    (folder, store, world)
}

/// A database for the copy, which has the key file of the source.
async fn target(folder: &TempDir, used_by: Use) -> (Database, Result<PostgresStore, OpenError>) {
    let database = Database::make();
    let opened = PostgresStore::open(opening(&database, folder, used_by)).await;
    (database, opened)
}

fn opening(database: &Database, folder: &TempDir, used_by: Use) -> OpenOptions {
    OpenOptions {
        key_file: folder.path().join("secret.key"),
        used_by,
        ..database.opening()
    }
}

async fn copy(source: &dyn CopySource, target: &PostgresStore) -> Result<CopyReport, CopyError> {
    let target = target.copying().await.unwrap();
    copy_everything(source, &target, |_| {}).await
}

/// A source that fails after some steps.
struct Failing<'s> {
    source: &'s SqliteStore,
    steps_left: AtomicUsize,
}

#[async_trait]
impl CopySource for Failing<'_> {
    async fn fingerprint_key(&self) -> Result<Vec<u8>, StoreError> {
        self.source.fingerprint_key().await
    }

    async fn state(&self) -> Result<String, StoreError> {
        self.source.state().await
    }

    async fn count(&self, table: &'static CopiedTable) -> Result<u64, StoreError> {
        CopySource::count(self.source, table).await
    }

    async fn span(&self, table: &'static CopiedTable) -> Result<Option<(i64, i64)>, StoreError> {
        self.source.span(table).await
    }

    async fn last_numbers(&self) -> Result<LastNumbers, StoreError> {
        self.source.last_numbers().await
    }

    async fn step(
        &self,
        table: &'static CopiedTable,
        after: i64,
    ) -> Result<Option<CopyStep>, StoreError> {
        let step = self.source.step(table, after).await?;
        if step.is_some() {
            let left = self.steps_left.load(Ordering::Relaxed);
            let left = left.checked_sub(1).ok_or(StoreError::Stopped)?;
            self.steps_left.store(left, Ordering::Relaxed);
        }
        Ok(step)
    }
}

#[tokio::test]
async fn a_copy_that_is_interrupted_anywhere_goes_on_and_is_whole() {
    let (folder, source, _world) = furnished(1).await;
    let (database, store) = target(&folder, Use::CopyTarget).await;
    let store = store.unwrap();
    for steps in 0.. {
        let failing = Failing {
            source: &source,
            steps_left: AtomicUsize::new(1),
        };
        match copy(&failing, &store).await {
            Err(CopyError::Store(StoreError::Stopped)) => {}
            other => unreachable!("{other:?}"),
        }
        // No server takes a part for the whole.
        let server = PostgresStore::open(opening(&database, &folder, Use::Server)).await;
        assert!(matches!(server, Err(OpenError::HalfCopied { .. })));
        if steps == 6 {
            break;
        }
    }
    let report = copy(&source, &store).await.unwrap();
    let alerts = report.tables.iter().find(|(name, _)| *name == "alerts");
    assert_eq!(alerts, Some(&("alerts", 2_500)));
    assert!(report.compared > 5_000, "{}", report.compared);
    let server = PostgresStore::open(opening(&database, &folder, Use::Server)).await;
    assert!(server.is_ok());
}

#[tokio::test]
async fn only_an_empty_database_and_the_same_source_are_copied() {
    let (folder, source, world) = furnished(1).await;
    let (_database, store) = target(&folder, Use::CopyTarget).await;
    let store = store.unwrap();
    let failing = Failing {
        source: &source,
        steps_left: AtomicUsize::new(3),
    };
    assert!(copy(&failing, &store).await.is_err());
    let (_other, another, _) = furnished(2).await;
    let refused = copy(&another, &store).await.unwrap_err();
    assert!(matches!(refused, CopyError::OtherCopy), "{refused}");
    // The source was used since.
    world.post("").await;
    let refused = copy(&source, &store).await.unwrap_err();
    assert!(matches!(refused, CopyError::SourceChanged), "{refused}");

    let used = Database::make();
    let founded = opening(&used, &folder, Use::Founding);
    let other = PostgresStore::open(founded).await.unwrap();
    World::furnished(Arc::new(other.clone())).await;
    let refused = copy(&source, &other).await.unwrap_err();
    assert!(matches!(refused, CopyError::NotEmpty(_)), "{refused}");
    let busy = Database::make();
    let running = busy.open().await;
    let refused = copy(&source, &running).await.unwrap_err();
    assert!(matches!(refused, CopyError::InUse(_)), "{refused}");
}

#[tokio::test]
async fn what_was_changed_in_the_copy_is_found() {
    let (folder, source, _world) = furnished(1).await;
    let (database, store) = target(&folder, Use::CopyTarget).await;
    let store = store.unwrap();
    let failing = Failing {
        source: &source,
        steps_left: AtomicUsize::new(10),
    };
    assert!(copy(&failing, &store).await.is_err());
    execute(&database, "DELETE FROM members").await;
    let found = copy(&source, &store).await.unwrap_err();
    let expected = "members: the source has 1 rows, the copy 0; drop the copy, and repeat";
    assert_eq!(found.to_string(), expected);
    execute(&database, "UPDATE users SET full_name = full_name || '.'").await;
    let found = copy(&source, &store).await.unwrap_err();
    let expected = "users: 2 of the rows that were compared differ; drop the copy, and repeat";
    assert_eq!(found.to_string(), expected);
}

async fn value(database: &Database, sql: &str) -> i64 {
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio_util::task::TaskTracker::new().spawn(connection);
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// What was removed may have left history, or counts, that its number would lead to.
#[tokio::test]
async fn no_number_of_what_was_removed_is_given_again() {
    let (folder, source, _world) = furnished(1).await;
    let file = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    let sql = "UPDATE sqlite_sequence SET seq = 70 WHERE name = 'spaces';
        UPDATE sqlite_sequence SET seq = 80 WHERE name = 'connectors';
        UPDATE counting SET counted = 9000";
    file.execute_batch(sql).unwrap();
    drop(file);
    let (database, store) = target(&folder, Use::CopyTarget).await;
    copy(&source, &store.unwrap()).await.unwrap();
    for (sql, expected) in [
        ("SELECT nextval(pg_get_serial_sequence('spaces', 'no'))", 71),
        (
            "SELECT nextval(pg_get_serial_sequence('connectors', 'no'))",
            81,
        ),
        ("SELECT next_alert FROM numbering", 9_001),
        ("SELECT next_delivery FROM numbering", 2_501),
    ] {
        assert_eq!(value(&database, sql).await, expected, "{sql}");
    }
}

/// Numbers with large gaps, at both ends of what there is, and a value that is larger than a step.
#[tokio::test]
async fn odd_rows_are_copied_in_few_steps() {
    let (folder, source, _world) = furnished(1).await;
    let file = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    let key = "INSERT INTO idempotency (space_no, route, key, body_hash, created_at, answer) VALUES (1, 0, ?1, x'00', ?2, ?3)";
    let large = "\\.\r\n\\N\0 ".repeat(2_000_000);
    for (name, at, answer) in [
        ("old", -9_000_000_000_000_000_i64, "a"),
        ("new", 9_000_000_000_000_000_000, &*large),
        ("same time", 9_000_000_000_000_000_000, "b"),
    ] {
        file.execute(key, rusqlite::params![name, at, answer])
            .unwrap();
    }
    drop(file);
    let (_database, store) = target(&folder, Use::CopyTarget).await;
    let counted = Failing {
        source: &source,
        steps_left: AtomicUsize::new(60),
    };
    let report = copy(&counted, &store.unwrap()).await.unwrap();
    assert!(report.tables.contains(&("idempotency", 3)), "{report:?}");
}

#[tokio::test]
async fn a_copy_that_is_finished_says_so_and_an_old_database_stays_as_it_is() {
    let (folder, source, _world) = furnished(1).await;
    let (_database, store) = target(&folder, Use::CopyTarget).await;
    let store = store.unwrap();
    copy(&source, &store).await.unwrap();
    let again = copy(&source, &store).await.unwrap_err();
    assert!(matches!(again, CopyError::Finished), "{again}");

    let old = Database::make();
    drop(old.open().await);
    let undone = "DELETE FROM migrations WHERE no = (SELECT max(no) FROM migrations)";
    execute(&old, undone).await;
    let refused = PostgresStore::open(opening(&old, &folder, Use::CopyTarget)).await;
    assert!(matches!(refused, Err(OpenError::Older { .. })));
}

#[tokio::test]
async fn nothing_is_copied_beside_the_tables_of_others() {
    let (folder, _source, _world) = furnished(1).await;
    let database = Database::make();
    execute(
        &database,
        "CREATE TABLE orders (no int); CREATE SEQUENCE numbers",
    )
    .await;
    let refused = PostgresStore::open(opening(&database, &folder, Use::CopyTarget)).await;
    let found = match refused {
        Err(OpenError::NotEmpty { found, .. }) => found,
        Err(other) => other.to_string(),
        Ok(_) => "nothing".to_owned(),
    };
    assert_eq!(found, "the table orders");
    execute(&database, "DROP TABLE orders").await;
    let opened = PostgresStore::open(opening(&database, &folder, Use::CopyTarget)).await;
    assert!(opened.is_ok());
}

/// What PostgreSQL has besides: each is made of other rows, or concerns servers that run.
const OF_POSTGRES: [&str; 17] = [
    "deliveries.digest_size",
    "deliveries.duration_ms",
    "deliveries.ended_by",
    "deliveries.error",
    "deliveries.outcome",
    "deliveries.started_at",
    "deliveries.status_code",
    "destinations.wait_noted_at",
    "identity",
    "leases",
    "meta",
    "migrations",
    "missed",
    "numbering",
    "pending",
    "replicas",
    "spaces.version",
];

/// The same of SQLite.
const OF_SQLITE: [&str; 5] = [
    "connector_zones",
    "identity",
    "meta",
    "severity_zones",
    "spaces.version",
];

/// A column that a migration adds is copied, too.
#[tokio::test]
async fn every_column_of_both_stores_is_copied_or_named_here() {
    let copied: BTreeSet<String> = COPIED_TABLES
        .iter()
        .flat_map(|table| {
            let columns = table.columns.iter();
            columns.map(|(column, _)| format!("{}.{column}", table.name))
        })
        .collect();
    let is_known = |column: &String, known: &[&str]| {
        let table = column.split('.').next().unwrap_or_default();
        // Zones are derived from alerts.
        copied.contains(column)
            || known.contains(&&**column)
            || known.contains(&table)
            || table == "type_zones"
    };
    let folder = tempfile::tempdir().unwrap();
    drop(open_file(folder.path(), 1));
    let file = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    let sql = "SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'";
    let mut statement = file.prepare(sql).unwrap();
    let found = statement.query_map([], |row| row.get(0)).unwrap();
    let found: BTreeSet<String> = found.collect::<Result<_, _>>().unwrap();
    assert!(copied.is_subset(&found), "{copied:?} {found:?}");
    let others: Vec<_> = found
        .iter()
        .filter(|column| !is_known(column, &OF_SQLITE))
        .collect();
    assert!(others.is_empty(), "{others:?}");

    let database = Database::make();
    drop(database.open().await);
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio_util::task::TaskTracker::new().spawn(connection);
    let sql = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema()";
    let rows = client.query(sql, &[]).await.unwrap();
    let found: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(copied.is_subset(&found), "{copied:?} {found:?}");
    let others: Vec<_> = found
        .iter()
        .filter(|column| !is_known(column, &OF_POSTGRES))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}
