//! Every statement of the store is answered by an index: none of them may read a whole table that grows with history.

use tokio_util::task::TaskTracker;

use crate::database::Database;

/// Tables that grow with history, or with the number of tenants.
const GROWING: [&str; 9] = [
    "alerts",
    "deliveries",
    "attempts",
    "idempotency",
    "tokens",
    "missed",
    "leases",
    "pending",
    "type_zones",
];
/// What may walk a table: what waits is counted, and leases are, which are as many as destinations.
const WALKS: [&str; 3] = [
    "SELECT count(*), min(queued_at) FROM pending",
    "SELECT (SELECT count(*) FROM leases",
    "SELECT next_delivery, EXISTS (SELECT FROM leases",
];

/// The statements, as they stand in the source.
fn statements() -> Vec<String> {
    let sources = [
        include_str!("../../src/alerts.rs"),
        include_str!("../../src/audit.rs"),
        include_str!("../../src/digest_batch.rs"),
        include_str!("../../src/connectors.rs"),
        include_str!("../../src/counts.rs"),
        include_str!("../../src/deliveries.rs"),
        include_str!("../../src/history.rs"),
        include_str!("../../src/intake/facts.rs"),
        include_str!("../../src/intake/rows.rs"),
        include_str!("../../src/leases.rs"),
        include_str!("../../src/listen.rs"),
        include_str!("../../src/users.rs"),
        include_str!("../../src/openings.rs"),
        include_str!("../../src/queue.rs"),
        include_str!("../../src/record.rs"),
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
            // A part that a list of columns is put before.
            let sql = if sql.starts_with("FROM (") {
                format!("SELECT d.seq {sql}")
            } else {
                sql.to_owned()
            };
            if ["SELECT", "UPDATE", "INSERT", "DELETE", "WITH"]
                .iter()
                .any(|verb| sql.starts_with(verb))
            {
                found.push(sql.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
    found
}

fn parameters(sql: &str) -> usize {
    let numbers = sql.split('$').skip(1);
    numbers
        .filter_map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .max()
        .unwrap_or(0)
}

fn line_of(message: &tokio_postgres::SimpleQueryMessage) -> Option<&str> {
    match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    }
}

#[tokio::test]
async fn no_statement_scans_what_grows_with_history() {
    let database = Database::make();
    drop(database.open().await);
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    TaskTracker::new().spawn(connection);
    client
        .batch_execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
        .await
        .unwrap();
    let statements = statements();
    assert!(
        statements.len() > 60,
        "only {} statements were found",
        statements.len()
    );
    for sql in statements {
        // Parts of statements, which are seen as wholes elsewhere.
        if sql.ends_with("coalesce(a.told_at, a.received_at)") {
            continue;
        }
        let nulls = vec!["NULL"; parameters(&sql)].join(", ");
        let call = if nulls.is_empty() {
            String::new()
        } else {
            format!("({nulls})")
        };
        client
            .batch_execute(&format!("DEALLOCATE ALL; PREPARE one AS {sql}"))
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let plan = client
            .simple_query(&format!("EXPLAIN EXECUTE one{call}"))
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let lines: Vec<&str> = plan.iter().filter_map(line_of).collect();
        // Of a space's alerts in their order, the primary key would have those of all spaces read.
        let is_by_space = sql.contains("ORDER BY space_no, severity, seq");
        let by_key = |line: &&str| line.contains("using alerts_pkey");
        assert!(
            !is_by_space || !lines.iter().any(by_key),
            "{sql}\n{lines:?}"
        );
        for line in lines {
            let walks = GROWING
                .iter()
                .any(|table| line.contains(&format!("Seq Scan on {table} ")));
            let may = WALKS.iter().any(|walk| sql.starts_with(walk));
            assert!(!walks || may, "{sql}\n{line}");
        }
    }
}
