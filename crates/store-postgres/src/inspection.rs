//! Inspecting a database: every row is read whole, every index is compared with its table where the server can do that, and every
//! webhook URL is opened.

use alert_connectors_model::SpaceId;
use alert_connectors_store::{
    Inspection, StoreError,
    stored::{self, Columns as _, StoredConnector},
};

use crate::{PostgresStore, connection::Connection, connectors, sources};

/// An inspection has no time limit, and reads whole tables.
const SETTINGS: &str = "SET statement_timeout = 0; SET lock_timeout = '10s'; SET enable_seqscan = on; SET enable_hashjoin = on";
const TABLES: &str = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
    ORDER BY relname";
const INDEXES: &str = "SELECT c.relname::text FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_am a ON a.oid = c.relam
    WHERE c.relnamespace = current_schema()::regnamespace AND a.amname = 'btree' AND i.indisvalid ORDER BY c.relname";
const HAS_AMCHECK: &str = "SELECT 1 FROM pg_extension WHERE extname = 'amcheck'";
const NOT_VALID: &str =
    "SELECT c.relname::text FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND NOT i.indisvalid ORDER BY c.relname";

/// Inspects the whole database, table by table.
pub(crate) async fn inspect(store: &PostgresStore) -> Result<Inspection, StoreError> {
    // The connection is not returned to the pool, since its settings differ.
    let connection = Connection::of(store.shared.pools.work()).await?;
    connection.command(SETTINGS).await?;
    let mut inspection = Inspection::default();
    for table in names(&connection, TABLES).await? {
        // As text, each value is read whole, also those that are stored apart from their row.
        let sql = format!("SELECT sum(octet_length(t::text)) FROM \"{table}\" t");
        look(
            &connection,
            &sql,
            &format!("table {table}"),
            &mut inspection,
        )
        .await;
    }
    look_at_indexes(&connection, &mut inspection).await?;
    if inspection.findings.is_empty() {
        for row in connection.rows(&stored::every_health(), &[]).await? {
            inspection.health(&row)?;
        }
        open_urls(store, &connection, &mut inspection).await?;
    } else {
        inspection.leaves_webhook_urls();
    }
    Ok(inspection)
}

async fn names(connection: &Connection, sql: &str) -> Result<Vec<String>, StoreError> {
    let rows = connection.rows(sql, &[]).await?;
    rows.iter().map(|row| row.at(0)).collect()
}

async fn look(connection: &Connection, sql: &str, what: &str, inspection: &mut Inspection) {
    if let Err(error) = connection.row(sql, &[]).await {
        let cause = std::error::Error::source(&error);
        let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
        inspection.finds(format!("{what}: {cause}"));
    }
}

async fn look_at_indexes(
    connection: &Connection,
    inspection: &mut Inspection,
) -> Result<(), StoreError> {
    for index in names(connection, NOT_VALID).await? {
        inspection.finds(format!(
            "index {index} is not valid; rebuild it with REINDEX"
        ));
    }
    if connection.row(HAS_AMCHECK, &[]).await?.is_none() {
        let why = "the indexes: PostgreSQL compares them with their tables once an administrator has run CREATE EXTENSION amcheck";
        inspection.not_looked_at.push(why.to_owned());
        return Ok(());
    }
    for index in names(connection, INDEXES).await? {
        let sql = format!("SELECT bt_index_check('\"{index}\"'::regclass, true)::text");
        look(connection, &sql, &format!("index {index}"), inspection).await;
    }
    Ok(())
}

async fn open_urls(
    store: &PostgresStore,
    connection: &Connection,
    inspection: &mut Inspection,
) -> Result<(), StoreError> {
    let (columns, every) = (StoredConnector::COLUMNS, connectors::EVERY);
    let sql = format!("SELECT {columns}, s.slug, s.id {every}");
    for row in connection.rows(&sql, &[]).await? {
        let (slug, space): (String, _) = (row.at(13)?, SpaceId::from_bytes(row.id(14)?));
        let stored = StoredConnector::of(&row)?;
        inspection.connector(&store.shared.sealing, stored, &slug, space);
    }
    for row in connection.rows(sources::EVERY_SECRET, &[]).await? {
        let (space, slug) = (SpaceId::from_bytes(row.id(3)?), row.text(4)?);
        inspection.source(&store.shared.sealing, &row, &slug, space)?;
    }
    Ok(())
}
