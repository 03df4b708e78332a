//! The sign of life of a replica: an advisory lock in the session in which it listens, with its number in `replicas`.
//!
//! PostgreSQL ends the session of a process that is killed, and others free its leases at their next poll. A replica that stands still, or
//! whose machine is lost, keeps its session for a while, so its leases lapse. One that only loses the session doubts its leases until
//! it has renewed them, which also takes its number back: it can't be missed any more until it shows another sign. Where nobody
//! listens there is no sign of life, and leases lapse.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alert_connectors_store::StoreError;
use tokio::time::Instant;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::PostgresStore;

/// A replica that lost its session declares no other replica dead for this long: the term of a lease.
const JUDGES_AFTER: Duration = Duration::from_secs(15);
const LOCK: &str = "SELECT pg_advisory_lock($1)";
/// A replica that was forgotten meanwhile gets no share of the destinations before it is seen.
const NOTE_LIFE: &str = "INSERT INTO replicas (id, seen_at, life_lock, life_server)
    VALUES ($1, clock_timestamp() - interval '16 s', $2, pg_postmaster_start_time())
    ON CONFLICT (id) DO UPDATE SET life_lock = excluded.life_lock, life_server = excluded.life_server";
/// Those whose lock nobody holds: <https://www.postgresql.org/docs/15/view-pg-locks.html>.
const DEAD: &str = "SELECT id FROM replicas r WHERE id <> $1 AND life_server = pg_postmaster_start_time() AND NOT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (classid::int8 << 32 | objid::int8) = r.life_lock)";
/// A replica is dead if its lock can be taken, which is then held until the commit. Walks the destinations that were ever worked, only
/// where a replica died.
const FREE: &str = "WITH dead AS (DELETE FROM replicas WHERE id = ANY ($1) AND life_server = pg_postmaster_start_time()
        AND pg_try_advisory_xact_lock(life_lock) RETURNING id),
    theirs AS MATERIALIZED (SELECT destination FROM leases JOIN dead ON holder = dead.id WHERE until > clock_timestamp()
        ORDER BY destination FOR UPDATE OF leases)
    UPDATE leases l SET until = clock_timestamp(), wanted = false FROM theirs WHERE l.destination = theirs.destination";

/// The sign of life of this replica.
#[derive(Debug, Default)]
pub(crate) struct SignOfLife(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How many sessions were to show one.
    sessions: i64,
    /// The sign that this session shows.
    shown: Option<Shown>,
}

#[derive(Debug, Clone, Copy)]
struct Shown {
    lock: i64,
    since: Instant,
}

impl SignOfLife {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows it for as long as the session of a client lasts.
    pub(crate) async fn show(
        &self,
        client: &Client,
        replica: Uuid,
    ) -> Result<(), tokio_postgres::Error> {
        let lock = self.next_lock(replica);
        client.execute(LOCK, &[&lock]).await?;
        // Before the number is stored, since the answer to that may be lost.
        let since = Instant::now();
        self.state().shown = Some(Shown { lock, since });
        client
            .execute(NOTE_LIFE, &[&replica, &lock])
            .await
            .map(drop)
    }

    /// The number of a lock for one more session. Nobody holds it: PostgreSQL may not have noticed yet that the previous session is over,
    /// so each session has a number of its own.
    fn next_lock(&self, replica: Uuid) -> i64 {
        let mut state = self.state();
        state.sessions += 1;
        let first = replica.as_u64_pair().0.cast_signed();
        first.wrapping_add(state.sessions)
    }

    /// Whether an earlier session was to show it, too.
    pub(crate) fn was_shown_before(&self) -> bool {
        self.state().sessions > 1
    }

    /// The session is over. Returns whether it showed a sign of life.
    pub(crate) fn end(&self) -> bool {
        self.state().shown.take().is_some()
    }

    /// The number of its lock, while it is shown.
    pub(crate) fn lock(&self) -> Option<i64> {
        self.state().shown.map(|shown| shown.lock)
    }

    /// Whether this replica may take others for dead. A fault that ended its own session may have ended theirs, so that it waits
    /// until they had time to come back. One that has just started has not seen such a fault.
    fn may_judge(&self) -> bool {
        let state = self.state();
        state
            .shown
            .is_some_and(|shown| state.sessions == 1 || shown.since.elapsed() >= JUDGES_AFTER)
    }
}

impl PostgresStore {
    /// Frees the leases of replicas that died. Whatever fails is tried again at the next poll.
    pub(crate) async fn free_leases_of_dead(&self) {
        if !self.shared.sign_of_life.may_judge() {
            return;
        }
        match self.try_free_leases_of_dead().await {
            Ok(0) => {}
            Ok(dead) => tracing::info!(
                replicas = dead,
                "other replicas died; their webhooks are taken over"
            ),
            Err(error) => tracing::debug!(
                error = &error as &dyn std::error::Error,
                "failed to look for replicas that died"
            ),
        }
    }

    /// Returns how many died.
    async fn try_free_leases_of_dead(&self) -> Result<usize, StoreError> {
        self.read(async |connection| {
            let rows = connection.rows(DEAD, &[&self.shared.replica]).await?;
            if rows.is_empty() {
                return Ok(0);
            }
            let dead: Vec<Uuid> = rows.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
            connection.run(FREE, &[&dead]).await?;
            Ok(dead.len())
        })
        .await
    }
}
