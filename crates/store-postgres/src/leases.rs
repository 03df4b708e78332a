//! Leases of destinations, by the database's clock.

use std::{sync::atomic::Ordering, time::Duration};

use alert_connectors_model::Fingerprint;
use alert_connectors_store::{
    Lease, Leases, ReleasedLease, Renewal, Renewed, StoreError, stored::Columns as _,
};
use async_trait::async_trait;

use crate::{
    PostgresStore,
    listen::{NOTIFY, Word},
    row::Row,
};

/// How long a lease holds without renewal. The statements below say the same.
const TERM: Duration = Duration::from_secs(15);

// By primary key. A lease that another server is taking at this moment is left to it.
const TAKE: &str = "WITH wanted AS (SELECT DISTINCT d FROM unnest($1::bytea[]) AS d),
    fresh AS (INSERT INTO leases (destination, number, holder, until)
        SELECT d, nextval('lease_numbers'), $2, clock_timestamp() + interval '15 s' FROM wanted
        WHERE NOT EXISTS (SELECT FROM leases l WHERE l.destination = d) ORDER BY d
        ON CONFLICT DO NOTHING RETURNING destination, number, changed),
    free AS MATERIALIZED (SELECT destination FROM leases WHERE destination = ANY ($1) AND (until <= clock_timestamp() OR holder = $2)
        ORDER BY destination FOR UPDATE SKIP LOCKED),
    taken AS (UPDATE leases l SET number = nextval('lease_numbers'), holder = $2, wanted = false,
        until = clock_timestamp() + interval '15 s' FROM free WHERE l.destination = free.destination
        RETURNING l.destination, l.number, l.changed)
    SELECT * FROM fresh UNION ALL SELECT * FROM taken";
// By primary key.
const RENEW: &str = "WITH mine AS MATERIALIZED (SELECT l.destination FROM unnest($1::bytea[], $2::int8[]) AS g (destination, number)
        JOIN leases l ON l.destination = g.destination AND l.number = g.number ORDER BY l.destination FOR UPDATE OF l)
    UPDATE leases l SET until = clock_timestamp() + interval '15 s' FROM mine WHERE l.destination = mine.destination
    RETURNING l.destination, l.number, l.changed, l.wanted";
/// With its sign of life, or without one.
const SEEN: &str = "INSERT INTO replicas (id, seen_at, life_lock, life_server)
    VALUES ($1, clock_timestamp(), $2, CASE WHEN $2::int8 IS NOT NULL THEN pg_postmaster_start_time() END)
    ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, life_lock = excluded.life_lock, life_server = excluded.life_server";
const FORGET: &str = "DELETE FROM replicas WHERE seen_at < clock_timestamp() - interval '1 min'";
// Walks the destinations that were ever worked, every few seconds.
const SHARE: &str = "SELECT (SELECT count(*) FROM leases WHERE until > clock_timestamp()),
    (SELECT count(*) FROM replicas WHERE seen_at > clock_timestamp() - interval '15 s')";
// By primary key, in its order.
const HAND_ON: &str = "WITH mine AS MATERIALIZED (SELECT l.destination FROM unnest($1::bytea[], $2::int8[]) AS g (destination, number)
        JOIN leases l ON l.destination = g.destination AND l.number = g.number ORDER BY l.destination FOR UPDATE OF l)
    UPDATE leases l SET until = '-infinity', wanted = false FROM mine WHERE l.destination = mine.destination";
const GONE: &str = "DELETE FROM replicas WHERE id = $1";
// By primary key.
const ASK_FOR: &str = "UPDATE leases SET wanted = true WHERE destination = $1 AND holder <> $2";

#[async_trait]
impl Leases for PostgresStore {
    fn term(&self) -> Option<Duration> {
        Some(TERM)
    }

    async fn acquire(&self, destinations: &[Fingerprint]) -> Result<Vec<Lease>, StoreError> {
        let names = names(destinations.iter());
        self.read(async |connection| {
            let rows = connection
                .rows(TAKE, &[&names, &self.shared.replica])
                .await?;
            rows.iter().map(lease).collect()
        })
        .await
    }

    async fn renew(&self, held: &[Lease]) -> Result<Renewal, StoreError> {
        let (names, numbers) = columns(held.iter());
        self.read(async |connection| {
            let life_lock = self.shared.sign_of_life.lock();
            connection
                .run(SEEN, &[&self.shared.replica, &life_lock])
                .await?;
            connection.run(FORGET, &[]).await?;
            let rows = connection.rows(RENEW, &[&names, &numbers]).await?;
            let renewed = |row: &Row| {
                Ok::<_, StoreError>(Renewed {
                    lease: lease(row)?,
                    wanted: row.at(3)?,
                })
            };
            let held = rows.iter().map(renewed).collect::<Result<_, _>>()?;
            let (leased, replicas) = match connection.row(SHARE, &[]).await? {
                Some(row) => (row.count::<usize>(0)?, row.count::<usize>(1)?),
                None => (0, 1),
            };
            let is_alone = &self.shared.looks.is_alone;
            is_alone.store(replicas <= 1, Ordering::Relaxed);
            Ok(Renewal {
                held,
                share: leased.div_ceil(replicas.max(1)),
            })
        })
        .await
    }

    async fn release(&self, held: &[ReleasedLease]) -> Result<(), StoreError> {
        let (names, numbers) = columns(held.iter().map(|handed| &handed.lease));
        let with_work: Vec<[u8; 16]> = held
            .iter()
            .filter(|handed| handed.has_work)
            .map(|handed| handed.lease.destination.0)
            .collect();
        let step = self.step().await?;
        step.run(HAND_ON, &[&names, &numbers]).await?;
        for message in Word::Free.messages(&with_work) {
            step.run(NOTIFY, &[&message]).await?;
        }
        step.commit().await
    }

    async fn leave(&self) -> Result<(), StoreError> {
        let step = self.step().await?;
        step.run(GONE, &[&self.shared.replica]).await?;
        step.commit().await
    }

    async fn notify_holders(&self, destinations: &[Fingerprint]) -> Result<(), StoreError> {
        let names: Vec<[u8; 16]> = destinations.iter().map(|one| one.0).collect();
        let step = self.step().await?;
        for message in Word::More.messages(&names) {
            step.run(NOTIFY, &[&message]).await?;
        }
        step.commit().await
    }

    async fn request(&self, destination: Fingerprint) -> Result<(), StoreError> {
        let step = self.step().await?;
        step.run(ASK_FOR, &[&&destination.0[..], &self.shared.replica])
            .await?;
        for message in Word::Wanted.messages(&[destination.0]) {
            step.run(NOTIFY, &[&message]).await?;
        }
        step.commit().await
    }
}

fn names<'d>(destinations: impl Iterator<Item = &'d Fingerprint>) -> Vec<&'d [u8]> {
    destinations.map(|one| &one.0[..]).collect()
}

fn columns<'l>(leases: impl Iterator<Item = &'l Lease>) -> (Vec<&'l [u8]>, Vec<i64>) {
    leases
        .map(|lease| (&lease.destination.0[..], lease.number))
        .unzip()
}

fn lease(row: &Row) -> Result<Lease, StoreError> {
    Ok(Lease {
        destination: row.fingerprint(0)?,
        number: row.at(1)?,
        changes: row.at(2)?,
    })
}
