//! A database of its own for a test, on the server that `DATABASE_URL_TEST` names.

use std::{path::PathBuf, sync::Arc};

use alert_connectors_model::SeededRandom;
use alert_connectors_store::{SealingKey, write_new_key_file};
use alert_connectors_store_postgres::{Opening, PostgresStore, PostgresUrl};
use tokio_postgres::NoTls;

/// A database that is removed when the test is over.
pub(crate) struct Database {
    server: String,
    name: String,
    folder: tempfile::TempDir,
}

impl Database {
    pub(crate) async fn make() -> Self {
        let server = std::env::var("DATABASE_URL_TEST").expect(
            "DATABASE_URL_TEST names a PostgreSQL server; `cargo xtask test` starts one by itself",
        );
        let folder = tempfile::tempdir().unwrap();
        let key = SealingKey::generate(&SeededRandom::new(1));
        write_new_key_file(&folder.path().join("secret.key"), &key).unwrap();
        let name = format!(
            "test_{}",
            folder
                .path()
                .file_name()
                .unwrap()
                .to_string_lossy()
                .trim_start_matches('.')
                .to_lowercase()
        );
        let name = format!("{name}_{}", std::process::id());
        run(&server, &format!("CREATE DATABASE \"{name}\"")).await;
        Self {
            server,
            name,
            folder,
        }
    }

    pub(crate) fn url(&self) -> String {
        match self.server.split_once('?') {
            Some((before, query)) => {
                let (before, _) = before.rsplit_once('/').unwrap();
                format!("{before}/{}?{query}", self.name)
            }
            None => {
                let (before, _) = self.server.rsplit_once('/').unwrap();
                format!("{before}/{}", self.name)
            }
        }
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("secret.key")
    }

    pub(crate) fn opening(&self) -> Opening {
        Opening {
            url: PostgresUrl::parse(&self.url()).unwrap(),
            key_file: self.key_file(),
            listens: true,
            random: Arc::new(SeededRandom::new(7)),
        }
    }

    pub(crate) async fn open(&self) -> PostgresStore {
        PostgresStore::open(self.opening()).await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A thread of its own, since a runtime can't be waited for inside another.
        let remove = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(run(
                &server,
                &format!("DROP DATABASE \"{name}\" WITH (FORCE)"),
            ));
        };
        drop(std::thread::spawn(remove).join());
    }
}

async fn run(server: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    drop(driver.await);
}
