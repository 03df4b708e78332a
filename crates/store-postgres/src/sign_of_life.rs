//! The sign of life of a replica: an advisory lock in the session in which it listens.
//!
//! PostgreSQL ends the session of a process that is killed, and others free its leases at their next look, within a second. A replica
//! that stands still, or that the network cuts off, keeps its session, so its leases lapse. One that only loses the session gets another
//! one at once. Where nobody listens there is no sign of life, and leases lapse.

use std::time::Duration;

use alert_connectors_store::StoreError;
use tokio::time;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{PostgresStore, connection::Connection};

/// How long to wait while PostgreSQL has not noticed yet that the previous session is over.
const AGAIN: Duration = Duration::from_secs(1);
const LOCK: &str = "SELECT pg_try_advisory_lock($1)";
/// A replica that is forgotten meanwhile gets no share of the destinations before it is seen.
const NOTE: &str = "INSERT INTO replicas (id, seen_at, life_lock, life_server)
    VALUES ($1, clock_timestamp() - interval '16 s', $2, pg_postmaster_start_time())
    ON CONFLICT (id) DO UPDATE SET life_lock = excluded.life_lock, life_server = excluded.life_server";
/// An advisory lock of one number: <https://www.postgresql.org/docs/15/view-pg-locks.html>.
const DEAD: &str = "SELECT id FROM replicas r WHERE id <> $1 AND life_server = pg_postmaster_start_time() AND NOT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (classid::int8 << 32 | objid::int8) = r.life_lock)";
/// Walks the destinations that were ever worked, only where a replica died.
const FREE: &str = "WITH dead AS (DELETE FROM replicas WHERE id = ANY ($1) RETURNING id),
    theirs AS MATERIALIZED (SELECT destination FROM leases JOIN dead ON holder = dead.id WHERE until > clock_timestamp()
        ORDER BY destination FOR UPDATE OF leases SKIP LOCKED)
    UPDATE leases l SET until = clock_timestamp(), wanted = false FROM theirs WHERE l.destination = theirs.destination";

/// Shows the sign of life for as long as the session lasts.
pub(crate) async fn show(client: &Client, replica: Uuid) -> Result<(), tokio_postgres::Error> {
    let lock = lock_of(replica);
    while !client.query_one(LOCK, &[&lock]).await?.get::<_, bool>(0) {
        time::sleep(AGAIN).await;
    }
    client.execute(NOTE, &[&replica, &lock]).await.map(drop)
}

/// The number of a replica's lock: the first half of its name.
fn lock_of(replica: Uuid) -> i64 {
    replica.as_u64_pair().0.cast_signed()
}

impl PostgresStore {
    /// Frees the leases of replicas that died.
    pub(crate) async fn free_leases_of_dead(
        &self,
        connection: &Connection,
    ) -> Result<(), StoreError> {
        let rows = connection.rows(DEAD, &[&self.shared.replica]).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let dead: Vec<Uuid> = rows.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
        tracing::info!(
            replicas = dead.len(),
            "other replicas died; their webhooks are taken over"
        );
        connection.run(FREE, &[&dead]).await.map(drop)
    }
}
