//! Where the tests keep their data: a PostgreSQL database of their own.

use std::path::Path;

use alert_connectors_cluster::TestDatabase;

use crate::world::PROGRAM;

/// The tasks that run from the start, by name.
pub(crate) const TASKS: &[&str] = &[
    "recorder",
    "dispatcher",
    "announcer",
    "health-events",
    "feed",
    "upkeep",
    "server",
    "lease-keeper",
    "postgres-intake",
    "postgres-records",
    "postgres-listener",
];

/// A fresh database.
pub(crate) struct Place {
    /// The arguments that point the program at it.
    pub(crate) arguments: Vec<String>,
    _database: Option<TestDatabase>,
}

impl Place {
    pub(crate) fn make(folder: &Path) -> Self {
        let database = TestDatabase::make().unwrap();
        let program = Path::new(PROGRAM);
        let key_file = folder.join("secret.key");
        let arguments = alert_connectors_cluster::arguments(program, &database.url(), &key_file);
        Self {
            arguments: arguments.unwrap(),
            _database: Some(database),
        }
    }

    /// A SQLite file, for what moves to PostgreSQL.
    pub(crate) fn in_file(folder: &Path) -> Self {
        let url = format!("sqlite://{}", folder.join("test.db").display());
        Self {
            arguments: vec!["--database-url".to_owned(), url],
            _database: None,
        }
    }
}
