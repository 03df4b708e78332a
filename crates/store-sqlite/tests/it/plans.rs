//! Every statement of the store is answered by an index: none of them may read a whole table that grows with history.

use alert_connectors_store_sqlite::{SqliteStore, Use};

use crate::opening;

/// The statements of the hot path and of the lists, as they stand in the source.
fn statements() -> Vec<String> {
    let sources = [
        include_str!("../../src/alerts.rs"),
        include_str!("../../src/digest_batch.rs"),
        include_str!("../../src/connectors.rs"),
        include_str!("../../src/counts.rs"),
        include_str!("../../src/history.rs"),
        include_str!("../../src/idempotency.rs"),
        include_str!("../../src/intake.rs"),
        include_str!("../../src/openings.rs"),
        include_str!("../../src/users.rs"),
        include_str!("../../src/ledger.rs"),
        include_str!("../../src/queue.rs"),
        include_str!("../../src/spaces.rs"),
        include_str!("../../src/storage.rs"),
        include_str!("../../src/stored_bytes.rs"),
        include_str!("../../src/destination_health.rs"),
        include_str!("../../src/upkeep.rs"),
        include_str!("../../src/zones.rs"),
    ];
    let mut found = Vec::new();
    for source in sources {
        for piece in source.split("&str =").skip(1) {
            let Some((_, text)) = piece.split_once('"') else {
                continue;
            };
            let sql = text.split('"').next().unwrap_or_default();
            // A condition that a list of columns is put before.
            let sql = match sql.strip_prefix("WHERE d.") {
                Some(rest) => format!("SELECT d.seq FROM deliveries d WHERE d.{rest}"),
                None => sql.to_owned(),
            };
            if ["SELECT", "UPDATE", "INSERT", "DELETE"]
                .iter()
                .any(|verb| sql.starts_with(verb))
            {
                found.push(sql.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
    found
}

#[tokio::test]
async fn no_statement_scans_what_grows_with_history() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(opening(folder.path(), Use::Server)).unwrap());
    let connection = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    let statements = statements();
    assert!(
        statements.len() > 60,
        "only {} statements were found",
        statements.len()
    );
    let shared = alert_connectors_store::SELECT_PAUSES.to_owned();
    for sql in statements.into_iter().chain([shared]) {
        let mut plan = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        let count = plan.parameter_count();
        let details: Vec<String> = plan
            .query_map(
                rusqlite::params_from_iter(vec![rusqlite::types::Null; count]),
                |row| row.get(3),
            )
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for detail in details {
            // What waits may be counted; it does not grow with history.
            if detail.ends_with("USING COVERING INDEX deliveries_pending") {
                continue;
            }
            let whole = [
                "alerts",
                "deliveries",
                "attempts",
                "idempotency",
                "tokens",
                "pauses",
                "connectors",
                "severity_zones",
                "type_zones",
                "connector_zones",
            ]
            .iter()
            .any(|table| {
                detail.starts_with(&format!("SCAN {table}"))
                    || detail == "SCAN d"
                    || detail == "SCAN a"
                    || detail == "SCAN p"
                    || detail == "SCAN c"
            });
            assert!(!whole, "{sql}\n{detail}");
        }
    }
}
