//! What a group has to know before it is decided, read in one round trip.

use std::{
    collections::{BTreeSet, HashMap},
    sync::LazyLock,
};

use alert_connectors_model::{AlertId, ConnectorId, SpaceId};
use alert_connectors_store::{
    Idempotency, Roster, StoreError, Submission,
    accept::{KeptAnswer, Problem, ResolveRequest, SpaceRow},
    stored::{self, Columns as _, DELIVERY_COLUMNS, StoredDelivery},
};
use tokio::try_join;
use uuid::Uuid;

use crate::{
    alerts::uuid,
    connection::{Connection, NUMBERING},
    row::Row,
};

// By primary key, and by the unique index on id.
const VERSIONS: &str = "SELECT (SELECT version FROM identity WHERE one = 1), id, no, version FROM spaces WHERE id = ANY ($1)";
// By the unique index on id.
const CONNECTORS: &str = "SELECT id, no FROM connectors WHERE id = ANY ($1)";
// By alerts_active.
const ACTIVE: &str = "FROM unnest($1::uuid[], $2::bytea[]) AS wanted (space, key) JOIN spaces s ON s.id = wanted.space
    JOIN alerts a ON a.space_no = s.no AND a.dedup_key = wanted.key AND a.dedup_key IS NOT NULL AND a.status = 0";
// By alerts_by_id.
const BY_ID: &str =
    "FROM unnest($1::uuid[], $2::uuid[]) AS wanted (space, id) JOIN spaces s ON s.id = wanted.space
    JOIN alerts a ON a.id = wanted.id AND a.space_no = s.no";
const PROBLEM: &str = "SELECT a.space_no, a.seq, a.id, a.received_at, a.occurrences, a.content, coalesce(a.told_at, a.received_at)";
// By deliveries_by_alert, then by primary keys.
const DELIVERIES: &str =
    "JOIN deliveries d ON d.alert_seq = a.seq JOIN connectors c ON c.no = d.connector_no
    LEFT JOIN destinations t ON t.fingerprint = c.destination ORDER BY d.seq";
// By primary key.
const KEPT: &str = "SELECT s.no, i.route, i.key, i.body_hash, i.answer, i.created_at
    FROM unnest($1::uuid[], $2::int2[], $3::text[], $4::int8[]) AS wanted (space, route, key, after)
    JOIN spaces s ON s.id = wanted.space
    JOIN idempotency i ON i.space_no = s.no AND i.route = wanted.route AND i.key = wanted.key AND i.created_at > wanted.after";

/// The queries that are put together of parts.
struct Sql {
    active: String,
    active_deliveries: String,
    by_id: String,
    by_id_deliveries: String,
}

static SQL: LazyLock<Sql> = LazyLock::new(|| {
    let columns = DELIVERY_COLUMNS;
    Sql {
        active: format!("{PROBLEM} {ACTIVE}"),
        active_deliveries: format!("SELECT {columns} {ACTIVE} {DELIVERIES}"),
        by_id: format!("{PROBLEM} {BY_ID}"),
        by_id_deliveries: format!("SELECT {columns} {BY_ID} {DELIVERIES}"),
    }
});

/// Every statement that reads facts.
pub(super) fn statements() -> [&'static str; 8] {
    [
        NUMBERING,
        VERSIONS,
        CONNECTORS,
        KEPT,
        &SQL.active,
        &SQL.active_deliveries,
        &SQL.by_id,
        &SQL.by_id_deliveries,
    ]
}

/// How things stood when the group began.
pub(super) struct Facts {
    pub(super) next_alert: i64,
    pub(super) next_delivery: i64,
    pub(super) identity_version: i64,
    pub(super) spaces: HashMap<SpaceId, SpaceRow>,
    /// The numbers of connectors that were unknown.
    pub(super) connectors: Vec<(ConnectorId, i64)>,
    pub(super) problems: Vec<ProblemFacts>,
    pub(super) answers: HashMap<AnswerKey, KeptAnswer>,
}

/// A stored alert with its deliveries.
pub(super) struct ProblemFacts {
    pub(super) space_no: i64,
    pub(super) problem: Problem,
    pub(super) deliveries: Vec<StoredDelivery>,
}

/// Where the answer to a request is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct AnswerKey {
    pub(super) space_no: i64,
    pub(super) route: i16,
    pub(super) key: String,
}

/// The keys by which a group's facts are read. Lists of one subject are read side by side.
#[derive(Default)]
pub(super) struct FactKeys {
    spaces: BTreeSet<Uuid>,
    connectors: BTreeSet<Uuid>,
    /// Spaces and deduplication keys, each pair once: what is read of a problem is read for all that concerns it.
    active: BTreeSet<(Uuid, Vec<u8>)>,
    /// Spaces and ids of problems, each pair once.
    by_id: BTreeSet<(Uuid, Uuid)>,
    answers: AnswerKeys,
}

#[derive(Default)]
struct AnswerKeys {
    spaces: Vec<Uuid>,
    routes: Vec<i16>,
    keys: Vec<String>,
    after: Vec<i64>,
}

impl FactKeys {
    /// Adds what a submission may meet.
    pub(super) fn add_submission(&mut self, submission: &Submission) {
        let space = self.add_space(&submission.roster);
        for new in &submission.alerts {
            if let Some(dedup_key) = &new.alert.dedup_key {
                let dedup_key = dedup_key.clone().into_bytes();
                self.active.insert((space, dedup_key));
            }
        }
        if let Some(idempotency) = &submission.idempotency {
            let after = submission.received_at().as_millisecond() - Idempotency::KEPT_MS;
            self.answers.spaces.push(space);
            self.answers.routes.push(idempotency.route as i16);
            self.answers.keys.push(idempotency.key.clone());
            self.answers.after.push(after);
        }
    }

    /// Adds the problem that a request closes.
    pub(super) fn add_resolve(&mut self, request: &ResolveRequest) {
        let space = self.add_space(&request.roster);
        self.by_id.insert((space, uuid(request.id.as_bytes())));
    }

    fn add_space(&mut self, roster: &Roster) -> Uuid {
        let space = uuid(roster.space.id.as_bytes());
        self.spaces.insert(space);
        space
    }

    /// Adds a connector whose number is unknown.
    pub(super) fn add_connector(&mut self, id: ConnectorId) {
        self.connectors.insert(uuid(id.as_bytes()));
    }

    /// Opens the transaction and reads all of it, behind the lock that makes it stay true.
    pub(super) async fn read(&self, connection: &Connection) -> Result<Facts, StoreError> {
        let spaces: Vec<Uuid> = self.spaces.iter().copied().collect();
        let ((), numbering, versions, connectors, active, by_id, answers) = try_join!(
            biased;
            connection.command("BEGIN"),
            connection.row(NUMBERING, &[]),
            async { connection.rows(VERSIONS, &[&spaces]).await },
            self.connectors(connection),
            self.active(connection),
            self.by_id(connection),
            self.answers(connection),
        )?;
        let numbering =
            numbering.ok_or_else(|| stored::unreadable("numbering", "next_alert", "of all"))?;
        let mut facts = Facts {
            next_alert: numbering.at(0)?,
            next_delivery: numbering.at(1)?,
            identity_version: 0,
            spaces: HashMap::new(),
            connectors,
            problems: active,
            answers,
        };
        facts.problems.extend(by_id);
        for row in &versions {
            facts.identity_version = row.at(0)?;
            let space = SpaceRow {
                no: row.at(2)?,
                version: row.at(3)?,
            };
            let id = SpaceId::from_bytes(row.id(1)?);
            facts.spaces.insert(id, space);
        }
        Ok(facts)
    }

    async fn connectors(
        &self,
        connection: &Connection,
    ) -> Result<Vec<(ConnectorId, i64)>, StoreError> {
        if self.connectors.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Uuid> = self.connectors.iter().copied().collect();
        let rows = connection.rows(CONNECTORS, &[&ids]).await?;
        rows.iter()
            .map(|row| Ok((ConnectorId::from_bytes(row.id(0)?), row.at(1)?)))
            .collect()
    }

    async fn active(&self, connection: &Connection) -> Result<Vec<ProblemFacts>, StoreError> {
        if self.active.is_empty() {
            return Ok(Vec::new());
        }
        let (spaces, dedup_keys): (Vec<Uuid>, Vec<Vec<u8>>) = self.active.iter().cloned().unzip();
        let (spaces, dedup_keys) = (&spaces, &dedup_keys);
        let (rows, deliveries) = try_join!(
            biased;
            async { connection.rows(&SQL.active, &[spaces, dedup_keys]).await },
            async { connection.rows(&SQL.active_deliveries, &[spaces, dedup_keys]).await },
        )?;
        problems(&rows, &deliveries)
    }

    async fn by_id(&self, connection: &Connection) -> Result<Vec<ProblemFacts>, StoreError> {
        if self.by_id.is_empty() {
            return Ok(Vec::new());
        }
        let (spaces, ids): (Vec<Uuid>, Vec<Uuid>) = self.by_id.iter().copied().unzip();
        let (spaces, ids) = (&spaces, &ids);
        let (rows, deliveries) = try_join!(
            biased;
            async { connection.rows(&SQL.by_id, &[spaces, ids]).await },
            async { connection.rows(&SQL.by_id_deliveries, &[spaces, ids]).await },
        )?;
        problems(&rows, &deliveries)
    }

    async fn answers(
        &self,
        connection: &Connection,
    ) -> Result<HashMap<AnswerKey, KeptAnswer>, StoreError> {
        let AnswerKeys {
            spaces,
            routes,
            keys,
            after,
        } = &self.answers;
        if spaces.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = connection
            .rows(KEPT, &[spaces, routes, keys, after])
            .await?;
        rows.iter().map(kept).collect()
    }
}

fn kept(row: &Row) -> Result<(AnswerKey, KeptAnswer), StoreError> {
    let key: String = row.at(2)?;
    let unreadable = |_length| stored::unreadable("idempotency", "body_hash", &key);
    let answer = KeptAnswer {
        body_hash: <[u8; 32]>::try_from(row.at::<Vec<u8>>(3)?).map_err(unreadable)?,
        json: row.at(4)?,
        created_at: row.time(5)?,
    };
    let key = AnswerKey {
        space_no: row.at(0)?,
        route: row.at(1)?,
        key,
    };
    Ok((key, answer))
}

fn problems(rows: &[Row], deliveries: &[Row]) -> Result<Vec<ProblemFacts>, StoreError> {
    let mut of_alerts: HashMap<AlertId, Vec<StoredDelivery>> = HashMap::new();
    for row in deliveries {
        let delivery = StoredDelivery::of(row)?;
        let of_alert = of_alerts.entry(delivery.alert_id).or_default();
        of_alert.push(delivery);
    }
    let problem = |row: &Row| {
        let problem = Problem::of(row, 1)?;
        Ok(ProblemFacts {
            space_no: row.at(0)?,
            deliveries: of_alerts.remove(&problem.id).unwrap_or_default(),
            problem,
        })
    };
    rows.iter().map(problem).collect()
}
