//! Where the tests keep their data: a PostgreSQL database of their own.

use std::path::Path;

use alert_connectors_cluster::TestDatabase;

use crate::world::output;

/// A fresh database.
pub(crate) struct Place {
    /// How the program is told of it.
    pub(crate) arguments: Vec<String>,
    _database: TestDatabase,
}

impl Place {
    pub(crate) fn make(folder: &Path) -> Self {
        let database = TestDatabase::make().unwrap();
        let key_file = folder.join("secret.key").display().to_string();
        output(&["key", "new", &key_file]);
        let arguments = [
            "--database-url",
            &database.url(),
            "--secret-key-file",
            &key_file,
        ];
        Self {
            arguments: arguments.map(str::to_owned).to_vec(),
            _database: database,
        }
    }
}
