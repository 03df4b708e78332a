//! Accepting alerts: one transaction of two round trips for all that wait, however many.
//!
//! The first takes the numbering and reads what the group needs to know, the second writes and commits. Whoever holds the
//! numbering is alone, so what was read stays true.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use alert_connectors_model::{AlertId, ConnectorId, Random, SpaceId};
use alert_connectors_store::{
    Acceptance, AlertRecord, Event, Expiry, Idempotency, Intake, Resolution, Roster, StoreError,
    Submission, heard_of,
    stored::{self, StoredDelivery, time},
};
use async_trait::async_trait;
use tokio::try_join;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    PostgresStore,
    alerts::{self, uuid},
    deliveries,
    error::Columns,
    group::{Answer, Desk, KeptAnswer, Problem, Request, Resolved},
    session::Session,
    store_group,
    zones::{self, Noted, ZONE},
};

// By primary key. Held until the commit.
const NUMBERING: &str = "SELECT next_alert, next_delivery FROM numbering WHERE one = 1 FOR UPDATE";
// By primary key, and by the unique index on id.
const VERSIONS: &str = "SELECT (SELECT version FROM identity WHERE one = 1), id, no, version FROM spaces WHERE id = ANY ($1)";
// By the unique index on id.
const CONNECTORS: &str = "SELECT id, no FROM connectors WHERE id = ANY ($1)";
// By alerts_active.
const ACTIVE: &str = "FROM unnest($1::uuid[], $2::bytea[]) AS wanted (space, key) JOIN spaces s ON s.id = wanted.space
    JOIN alerts a ON a.space_no = s.no AND a.dedup_key = wanted.key AND a.dedup_key IS NOT NULL AND a.status = 0";
// By alerts_by_id.
const NAMED: &str =
    "FROM unnest($1::uuid[], $2::uuid[]) AS wanted (space, id) JOIN spaces s ON s.id = wanted.space
    JOIN alerts a ON a.id = wanted.id AND a.space_no = s.no";
const PROBLEM: &str = "SELECT s.id, a.seq, a.id, a.received_at, a.occurrences, a.content, coalesce(a.told_at, a.received_at)";
// By deliveries_by_alert, then by primary keys.
const HEARD: &str =
    "JOIN deliveries d ON d.alert_seq = a.seq JOIN connectors c ON c.no = d.connector_no
    LEFT JOIN destinations t ON t.fingerprint = c.destination ORDER BY d.seq";
// By primary key.
const KEPT: &str = "SELECT wanted.space, i.route, i.key, i.body_hash, i.answer, i.created_at
    FROM unnest($1::uuid[], $2::int2[], $3::text[], $4::int8[]) AS wanted (space, route, key, after)
    JOIN spaces s ON s.id = wanted.space
    JOIN idempotency i ON i.space_no = s.no AND i.route = wanted.route AND i.key = wanted.key AND i.created_at > wanted.after";

/// Connectors whose numbers are kept at hand.
const CONNECTOR_NUMBERS_MAX: usize = 50_000;

/// What the writer keeps between groups: the short names of connectors, which never change, where its last group
/// ended, and what zones tell.
pub(crate) struct Numbers {
    connectors: HashMap<ConnectorId, i64>,
    /// The next place in the order of deliveries after the last group.
    next_delivery: i64,
    noted: Noted,
    random: Arc<dyn Random>,
}

impl Numbers {
    pub(crate) fn new(random: Arc<dyn Random>) -> Self {
        Self {
            connectors: HashMap::new(),
            next_delivery: 0,
            noted: Noted::default(),
            random,
        }
    }

    /// Runs a group in one transaction. The answers hold once this returns without an error.
    pub(crate) async fn run_group(
        &mut self,
        session: &Session,
        requests: &[Request],
    ) -> Result<(Vec<Answer>, Vec<Event>), StoreError> {
        let asked = Asked::of(requests, &self.connectors);
        let known = asked.read(session).await?;
        if self.connectors.len() >= CONNECTOR_NUMBERS_MAX {
            self.connectors.clear();
        }
        self.connectors.extend(known.connectors);
        let first_delivery = known.next_delivery;
        let mut desk = Desk {
            next_alert: known.next_alert,
            next_delivery: first_delivery,
            identity_version: known.identity_version,
            spaces: known.spaces,
            connectors: &self.connectors,
            problems: known.problems,
            named: known.named,
            answers: known.answers,
            random: &*self.random,
            alerts: HashMap::new(),
            deliveries: Vec::new(),
            keys: Vec::new(),
            events: Vec::new(),
            is_checked: false,
        };
        let answers = requests
            .iter()
            .map(|request| desk.decide(request))
            .collect();
        let lacking = self.noted.lacks(&desk);
        store_group::write(session, &desk, &lacking).await?;
        self.noted.keep(lacking, desk.next_alert / ZONE);
        let mut events = Vec::new();
        if std::mem::replace(&mut self.next_delivery, desk.next_delivery) != first_delivery {
            // Another replica queued something in between.
            events.push(Event::QueuedElsewhere);
        }
        events.append(&mut desk.events);
        Ok((answers, events))
    }
}

/// The queries that are put together of parts.
struct Sql {
    problems: String,
    heard: String,
    named: String,
    named_heard: String,
}

static SQL: LazyLock<Sql> = LazyLock::new(|| {
    let columns = deliveries::COLUMNS;
    Sql {
        problems: format!("{PROBLEM} {ACTIVE}"),
        heard: format!("SELECT {columns} {ACTIVE} {HEARD}"),
        named: format!("{PROBLEM} {NAMED}"),
        named_heard: format!("SELECT {columns} {NAMED} {HEARD}"),
    }
});

/// Every statement of a group.
pub(crate) fn statements() -> Vec<&'static str> {
    vec![
        NUMBERING,
        VERSIONS,
        CONNECTORS,
        KEPT,
        store_group::CHANGE_ALERTS,
        store_group::INSERT,
        store_group::REMEMBER,
        store_group::FORGET_KEYS,
        zones::NOTE,
        &SQL.problems,
        &SQL.heard,
        &SQL.named,
        &SQL.named_heard,
    ]
}

/// What a group has to know.
#[derive(Default)]
struct Asked {
    spaces: Vec<Uuid>,
    connectors: Vec<Uuid>,
    problems: (Vec<Uuid>, Vec<Vec<u8>>),
    named: (Vec<Uuid>, Vec<Uuid>),
    keys: (Vec<Uuid>, Vec<i16>, Vec<String>, Vec<i64>),
    expiry: Option<Expiry>,
}

/// What it knows then.
struct BatchFacts {
    next_alert: i64,
    next_delivery: i64,
    identity_version: i64,
    spaces: HashMap<SpaceId, (i64, i64)>,
    connectors: Vec<(ConnectorId, i64)>,
    problems: HashMap<(SpaceId, String), Problem>,
    named: HashMap<AlertId, (SpaceId, Option<Problem>)>,
    answers: HashMap<(SpaceId, i16, String), ([u8; 32], KeptAnswer)>,
}

impl Asked {
    fn of(requests: &[Request], known: &HashMap<ConnectorId, i64>) -> Self {
        let mut asked = Self::default();
        for request in requests {
            let Some(roster) = request.roster() else {
                continue;
            };
            let space = uuid(roster.space.id.as_bytes());
            asked.spaces.push(space);
            let mut told_on = false;
            match request {
                Request::Accept(submission) => {
                    asked.expiry = Some(submission.expiry);
                    for new in &submission.alerts {
                        for (_, connector) in &new.deliveries {
                            if !known.contains_key(&connector.id) {
                                asked.connectors.push(uuid(connector.id.as_bytes()));
                            }
                        }
                        if let Some(name) = &new.alert.dedup_key {
                            told_on = true;
                            asked.problems.0.push(space);
                            asked.problems.1.push(name.clone().into_bytes());
                        }
                    }
                    if let Some(key) = &submission.idempotency {
                        asked.keys.0.push(space);
                        asked.keys.1.push(key.route as i16);
                        asked.keys.2.push(key.key.clone());
                        let after = submission.expiry.now.as_millisecond() - Idempotency::KEPT_MS;
                        asked.keys.3.push(after);
                    }
                }
                Request::Check => {}
                Request::Resolve { id, expiry, .. } => {
                    told_on = true;
                    asked.expiry = Some(*expiry);
                    asked.named.0.push(space);
                    asked.named.1.push(uuid(id.as_bytes()));
                }
            }
            if told_on {
                // Who heard of a problem is told on, whether or not it matches now.
                let unknown = roster.connectors.iter().map(|connector| connector.id);
                let unknown = unknown.filter(|id| !known.contains_key(id));
                asked
                    .connectors
                    .extend(unknown.map(|id| uuid(id.as_bytes())));
            }
        }
        for ids in [&mut asked.spaces, &mut asked.connectors] {
            ids.sort_unstable();
            ids.dedup();
        }
        asked
    }

    /// Reads all of it in one round trip, behind the lock that makes it stay true.
    async fn read(self, session: &Session) -> Result<BatchFacts, StoreError> {
        let problems = async |sql: &str| {
            if self.problems.0.is_empty() {
                return Ok(Vec::new());
            }
            let parameters = [&self.problems.0 as _, &self.problems.1 as _];
            session.rows(sql, &parameters).await
        };
        let named = async |sql: &str| {
            if self.named.0.is_empty() {
                return Ok(Vec::new());
            }
            session.rows(sql, &[&self.named.0, &self.named.1]).await
        };
        let (spaces, connectors, keys) = (&self.spaces, &self.connectors, &self.keys);
        let ((), numbering, versions, numbers, active, heard, by_name, heard_by_name, kept) = try_join!(
            biased;
            session.command("BEGIN"),
            session.row(NUMBERING, &[]),
            async { session.rows(VERSIONS, &[spaces]).await },
            async {
                if connectors.is_empty() {
                    return Ok(Vec::new());
                }
                session.rows(CONNECTORS, &[connectors]).await
            },
            problems(&SQL.problems),
            problems(&SQL.heard),
            named(&SQL.named),
            named(&SQL.named_heard),
            async {
                if keys.0.is_empty() {
                    return Ok(Vec::new());
                }
                let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
                    [&keys.0, &keys.1, &keys.2, &keys.3];
                session.rows(KEPT, &parameters).await
            },
        )?;
        let numbering =
            numbering.ok_or_else(|| stored::unreadable("numbering", "next_alert", "of all"))?;
        let mut known = BatchFacts {
            next_alert: numbering.at(0)?,
            next_delivery: numbering.at(1)?,
            identity_version: 0,
            spaces: HashMap::new(),
            connectors: Vec::new(),
            problems: HashMap::new(),
            named: HashMap::new(),
            answers: HashMap::new(),
        };
        for row in &versions {
            known.identity_version = row.at(0)?;
            let version = (row.at(2)?, row.at(3)?);
            known
                .spaces
                .insert(SpaceId::from_bytes(row.id(1)?), version);
        }
        for row in &numbers {
            let id = ConnectorId::from_bytes(row.id(0)?);
            known.connectors.push((id, row.at(1)?));
        }
        let heard = by_alert(&heard)?;
        for row in &active {
            let (space, problem) = problem(row, &heard, self.expiry)?;
            let name = problem.alert.dedup_key.clone().unwrap_or_default();
            known.problems.insert((space, name), problem);
        }
        let heard = by_alert(&heard_by_name)?;
        for row in &by_name {
            let (space, problem) = problem(row, &heard, self.expiry)?;
            known.named.insert(problem.id, (space, Some(problem)));
        }
        for row in &kept {
            let key: String = row.at(2)?;
            let unreadable = |_length| stored::unreadable("idempotency", "body_hash", &key);
            let body_hash = <[u8; 32]>::try_from(row.at::<Vec<u8>>(3)?).map_err(unreadable)?;
            let answer = KeptAnswer::Stored {
                json: row.at(4)?,
                created_at: row.at(5)?,
            };
            let name = (SpaceId::from_bytes(row.id(0)?), row.at(1)?, key);
            known.answers.insert(name, (body_hash, answer));
        }
        Ok(known)
    }
}

/// Deliveries by the names of their alerts.
fn by_alert(rows: &[Row]) -> Result<HashMap<AlertId, Vec<StoredDelivery>>, StoreError> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        let delivery = deliveries::delivery(row)?;
        found.entry(delivery.alert_id).or_default().push(delivery);
    }
    Ok(found)
}

fn problem(
    row: &Row,
    heard: &HashMap<AlertId, Vec<StoredDelivery>>,
    expiry: Option<Expiry>,
) -> Result<(SpaceId, Problem), StoreError> {
    let (seq, id): (i64, _) = (row.at(1)?, AlertId::from_bytes(row.id(2)?));
    let content: String = row.at(5)?;
    let problem = Problem {
        seq,
        id,
        received_at: time(row.at(3)?),
        occurrences: row.count(4)?,
        alert: Arc::new(stored::alert(&content, seq)?),
        told_at: time(row.at(6)?),
        heard: heard
            .get(&id)
            .zip(expiry)
            .map(|(deliveries, expiry)| heard_of(deliveries, expiry))
            .unwrap_or_default(),
    };
    Ok((SpaceId::from_bytes(row.id(0)?), problem))
}

#[async_trait]
impl Intake for PostgresStore {
    async fn accept(&self, submission: Submission) -> Result<Acceptance, StoreError> {
        let (space_id, expiry) = (submission.roster.space.id, submission.expiry);
        let key = submission.idempotency.as_ref().map(|one| one.key.clone());
        let request = Request::Accept(Box::new(submission));
        match self.shared.writer.accept(request).await? {
            Answer::Accepted(acceptance) => Ok(acceptance),
            Answer::Kept { json, created_at } => {
                let answer = stored::answer(&json, &key.unwrap_or_default())?;
                let mut accepted = Vec::with_capacity(answer.len());
                for kept in answer {
                    let record = self.record_of(space_id, kept.id, expiry).await?;
                    accepted.push(kept.again(record, created_at));
                }
                Ok(Acceptance::Repeated(accepted))
            }
            Answer::Resolution(_) | Answer::Checked => Err(StoreError::Stopped),
        }
    }
}

impl PostgresStore {
    /// One alert with its deliveries in short.
    pub(crate) async fn record_of(
        &self,
        space_id: SpaceId,
        id: AlertId,
        expiry: Expiry,
    ) -> Result<Option<AlertRecord>, StoreError> {
        self.read(async |session| alerts::one(session, space_id, id, expiry).await)
            .await
    }

    /// Closes a problem by its name.
    pub(crate) async fn close(
        &self,
        roster: Arc<Roster>,
        id: AlertId,
        expiry: Expiry,
    ) -> Result<Resolution, StoreError> {
        let space_id = roster.space.id;
        let request = Request::Resolve {
            roster,
            id,
            expiry,
            judged_at: self.judged_at,
        };
        match self.shared.writer.accept(request).await? {
            Answer::Resolution(resolved) => match *resolved {
                Resolved::Not(resolution) => Ok(resolution),
                Resolved::Done => {
                    let record = self.record_of(space_id, id, expiry).await?;
                    Ok(record.map_or(Resolution::Absent, |record| {
                        Resolution::Now(Box::new(record))
                    }))
                }
            },
            Answer::Accepted(_) | Answer::Kept { .. } | Answer::Checked => Err(StoreError::Stopped),
        }
    }
}
