//! Where the tests keep their data: a SQLite file.

use std::path::Path;

/// The tasks that run from the start, by name.
pub(crate) const TASKS: &[&str] = &[
    "recorder",
    "dispatcher",
    "announcer",
    "health-events",
    "feed",
    "upkeep",
    "server",
];

/// A fresh database.
pub(crate) struct Place {
    /// The arguments that point the program at it.
    pub(crate) arguments: Vec<String>,
}

impl Place {
    pub(crate) fn make(folder: &Path) -> Self {
        let url = format!("sqlite://{}", folder.join("test.db").display());
        Self {
            arguments: vec!["--database-url".to_owned(), url],
        }
    }
}
