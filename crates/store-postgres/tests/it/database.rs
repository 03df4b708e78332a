//! A database of its own for a test.

use std::sync::Arc;

use alert_connectors_cluster::TestDatabase;
use alert_connectors_model::{Random, SeededRandom};
use alert_connectors_store::{SealingKey, Use, write_new_key_file};
use alert_connectors_store_postgres::{OpenOptions, PostgresStore, PostgresUrl};
use alert_connectors_tasks::Tasks;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A database, and the key file that its replicas share.
pub(crate) struct Database(TestDatabase);

impl Database {
    pub(crate) fn make() -> Self {
        Self::of(TestDatabase::make().unwrap())
    }

    /// One on another server.
    pub(crate) fn on(server: &str) -> Self {
        Self::of(TestDatabase::on(server).unwrap())
    }

    fn of(database: TestDatabase) -> Self {
        let key = SealingKey::generate(&SeededRandom::new(1));
        write_new_key_file(&database.folder().join("secret.key"), &key).unwrap();
        Self(database)
    }

    pub(crate) fn opening(&self) -> OpenOptions {
        self.opening_as(7)
    }

    /// How to open it as the replica of this number.
    pub(crate) fn opening_as(&self, replica: u64) -> OpenOptions {
        self.opening_at(&self.0.url(), replica)
    }

    /// How to open it behind another address.
    pub(crate) fn opening_at(&self, url: &str, replica: u64) -> OpenOptions {
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(replica));
        OpenOptions {
            url: PostgresUrl::parse(url).unwrap(),
            key_file: self.0.folder().join("secret.key"),
            used_by: Use::Server,
            random,
            tasks: Tasks::new(CancellationToken::new(), None),
        }
    }

    pub(crate) async fn open(&self) -> PostgresStore {
        self.open_as(7).await
    }

    pub(crate) async fn open_as(&self, replica: u64) -> PostgresStore {
        PostgresStore::open(self.opening_as(replica)).await.unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    pub(crate) fn name(&self) -> &str {
        self.0.name()
    }
}

/// Runs statements on a connection of their own.
pub(crate) async fn execute(database: &Database, sql: &str) {
    connected(database).await.batch_execute(sql).await.unwrap();
}

/// The number that a statement finds.
pub(crate) async fn number(database: &Database, sql: &str) -> i64 {
    let row = connected(database).await.query_one(sql, &[]).await;
    row.unwrap().get(0)
}

async fn connected(database: &Database) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    TaskTracker::new().spawn(connection);
    client
}
