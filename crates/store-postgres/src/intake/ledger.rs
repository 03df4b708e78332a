//! The ledger of a group: it answers from the facts and from what the group decided so far, and keeps what is to be
//! written. Nothing here touches the database.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    sync::Arc,
};

use alert_connectors_model::{
    Alert, AlertId, AlertStatus, ConnectorId, DeliveryId, DeliveryKind, SpaceId, TraceContext,
};
use alert_connectors_store::{
    AuditEntry, Expiry, Idempotency, NewAlert, OpeningState,
    accept::{KeptAnswer, Ledger, NewDelivery, Problem, Recipients, SpaceRow, recipients_of},
    storage::size,
    stored::{StoredDelivery, warnings_json},
};
use jiff::Timestamp;

use super::facts::{AnswerKey, Facts};
use crate::zones;

/// What the group writes.
pub(super) struct GroupRows {
    /// The place of the first new alert in the order of alerts; the others follow it without a gap.
    first_alert: i64,
    pub(super) next_delivery: i64,
    pub(super) alerts: Vec<AlertRow>,
    pub(super) changed: BTreeMap<i64, ChangedAlertRow>,
    pub(super) revisions: Vec<RevisionRow>,
    pub(super) deliveries: Vec<DeliveryRow>,
    pub(super) answers: HashMap<AnswerKey, KeptAnswer>,
    /// For the audit trail.
    pub(super) entries: Vec<AuditEntry>,
    /// Somebody asks whether anything can be written.
    must_write: bool,
}

/// A new alert.
pub(super) struct AlertRow {
    pub(super) seq: i64,
    pub(super) id: AlertId,
    pub(super) space_no: i64,
    pub(super) alert: Arc<Alert>,
    pub(super) json: Arc<str>,
    pub(super) occurrences: u64,
    pub(super) received_at: Timestamp,
    pub(super) notified_at: Option<Timestamp>,
    pub(super) warnings: Option<String>,
    pub(super) bytes: i64,
}

/// An alert that was stored before, as it is now.
pub(super) struct ChangedAlertRow {
    pub(super) alert: Arc<Alert>,
    pub(super) json: Arc<str>,
    pub(super) occurrences: u64,
    pub(super) notified_at: Timestamp,
    /// By how much it grew beside its JSON, in bytes.
    pub(super) growth: i64,
}

/// What an alert said when deliveries were queued for it.
pub(super) struct RevisionRow {
    pub(super) alert_seq: i64,
    pub(super) first_delivery: i64,
    pub(super) json: Arc<str>,
}

/// A new delivery.
pub(super) struct DeliveryRow {
    pub(super) seq: i64,
    pub(super) id: DeliveryId,
    pub(super) alert_seq: i64,
    pub(super) connector_no: i64,
    pub(super) kind: DeliveryKind,
    pub(super) created_at: Timestamp,
    pub(super) trace: Option<TraceContext>,
}

impl AlertRow {
    /// The zone that it is in, with what it holds there.
    pub(super) fn zone(&self) -> zones::ZoneEntry {
        let alert_type = self.alert.alert_type.clone();
        (self.space_no, alert_type, self.seq / zones::ZONE)
    }
}

impl GroupRows {
    pub(super) fn next_alert(&self) -> i64 {
        self.first_alert + i64::try_from(self.alerts.len()).unwrap_or(i64::MAX)
    }

    /// Whether there is nothing to write but the end of the transaction.
    pub(super) fn is_empty(&self) -> bool {
        self.alerts.is_empty() && self.changed.is_empty() && !self.must_write
    }

    fn new_alert(&mut self, seq: i64) -> Option<&mut AlertRow> {
        let index = usize::try_from(seq - self.first_alert).ok()?;
        self.alerts.get_mut(index)
    }
}

/// An alert that the group may repeat, raise or resolve, with those who are notified of it.
struct KnownProblem {
    space_no: i64,
    problem: Problem,
    stored: Vec<StoredDelivery>,
    /// Connectors for which this group queued a delivery.
    queued: Vec<ConnectorId>,
}

/// How things stand for the next request of the group.
pub(super) struct GroupLedger<'n> {
    identity_version: i64,
    spaces: HashMap<SpaceId, SpaceRow>,
    connectors: &'n HashMap<ConnectorId, i64>,
    problems: HashMap<AlertId, KnownProblem>,
    /// Active problems by space and `dedup_key`.
    active: HashMap<(i64, String), AlertId>,
    kept_answers: HashMap<AnswerKey, KeptAnswer>,
    pub(super) rows: GroupRows,
}

impl<'n> GroupLedger<'n> {
    pub(super) fn new(facts: Facts, connectors: &'n HashMap<ConnectorId, i64>) -> Self {
        let mut ledger = Self {
            identity_version: facts.identity_version,
            spaces: facts.spaces,
            connectors,
            problems: HashMap::new(),
            active: HashMap::new(),
            kept_answers: facts.answers,
            rows: GroupRows {
                first_alert: facts.next_alert,
                next_delivery: facts.next_delivery,
                alerts: Vec::new(),
                changed: BTreeMap::new(),
                revisions: Vec::new(),
                deliveries: Vec::new(),
                answers: HashMap::new(),
                entries: Vec::new(),
                must_write: false,
            },
        };
        for known in facts.problems {
            ledger.know(known.space_no, known.problem, known.deliveries);
        }
        ledger
    }

    fn know(&mut self, space_no: i64, problem: Problem, stored: Vec<StoredDelivery>) {
        let id = problem.id;
        if problem.alert.status == AlertStatus::Active
            && let Some(dedup_key) = &problem.alert.dedup_key
        {
            self.active.insert((space_no, dedup_key.clone()), id);
        }
        let known = KnownProblem {
            space_no,
            problem,
            stored,
            queued: Vec::new(),
        };
        // A problem that is read by its key and by its id is the same.
        self.problems.entry(id).or_insert(known);
    }

    /// The group writes something even if nothing was decided.
    pub(super) const fn must_write(&mut self) {
        self.rows.must_write = true;
    }
}

fn answer_key(space_no: i64, idempotency: &Idempotency) -> AnswerKey {
    AnswerKey {
        space_no,
        route: idempotency.route as i16,
        key: idempotency.key.clone(),
    }
}

impl Ledger for GroupLedger<'_> {
    type Error = Infallible;

    fn identity_version(&mut self) -> Result<i64, Infallible> {
        Ok(self.identity_version)
    }

    fn add_audit_entry(&mut self, entry: &AuditEntry) -> Result<(), Infallible> {
        self.rows.entries.push(entry.clone());
        Ok(())
    }

    fn space(&mut self, id: SpaceId) -> Result<Option<SpaceRow>, Infallible> {
        Ok(self.spaces.get(&id).copied())
    }

    fn kept_answer(
        &mut self,
        space_no: i64,
        idempotency: &Idempotency,
        _now: Timestamp,
    ) -> Result<Option<KeptAnswer>, Infallible> {
        let key = answer_key(space_no, idempotency);
        let of_group = self.rows.answers.get(&key);
        Ok(of_group.or_else(|| self.kept_answers.get(&key)).cloned())
    }

    fn keep_answer(
        &mut self,
        space_no: i64,
        idempotency: &Idempotency,
        answer: KeptAnswer,
    ) -> Result<(), Infallible> {
        let key = answer_key(space_no, idempotency);
        self.rows.answers.insert(key, answer);
        Ok(())
    }

    fn active_problem(
        &mut self,
        space_no: i64,
        dedup_key: &str,
    ) -> Result<Option<Problem>, Infallible> {
        let id = self.active.get(&(space_no, dedup_key.to_owned()));
        let known = id.and_then(|id| self.problems.get(id));
        Ok(known.map(|known| known.problem.clone()))
    }

    fn problem(&mut self, space_no: i64, id: AlertId) -> Result<Option<Problem>, Infallible> {
        let known = self.problems.get(&id);
        let known = known.filter(|known| known.space_no == space_no);
        Ok(known.map(|known| known.problem.clone()))
    }

    fn recipients(&mut self, problem: &Problem, expiry: Expiry) -> Result<Recipients, Infallible> {
        let Some(known) = self.problems.get(&problem.id) else {
            return Ok(Recipients::new());
        };
        let mut recipients = recipients_of(&known.stored, expiry);
        for connector in &known.queued {
            recipients
                .entry(*connector)
                .or_insert(OpeningState::Pending);
        }
        Ok(recipients)
    }

    fn insert_alert(
        &mut self,
        space_no: i64,
        new: &NewAlert,
        received_at: Timestamp,
        bytes: i64,
    ) -> Result<i64, Infallible> {
        let seq = self.rows.next_alert();
        self.rows.alerts.push(AlertRow {
            seq,
            id: new.id,
            space_no,
            alert: Arc::clone(&new.alert),
            json: Arc::clone(&new.json),
            occurrences: 1,
            received_at,
            notified_at: None,
            warnings: warnings_json(&new.warnings),
            bytes,
        });
        if new.alert.dedup_key.is_some() {
            let problem = Problem {
                seq,
                id: new.id,
                received_at,
                occurrences: 1,
                alert: Arc::clone(&new.alert),
                notified_at: received_at,
            };
            self.know(space_no, problem, Vec::new());
        }
        Ok(seq)
    }

    fn update_problem(
        &mut self,
        space_no: i64,
        problem: &Problem,
        json: &Arc<str>,
        growth: i64,
    ) -> Result<(), Infallible> {
        if let Some(row) = self.rows.new_alert(problem.seq) {
            row.bytes += growth + size(json.len() as u64) - size(row.json.len() as u64);
            row.alert = Arc::clone(&problem.alert);
            row.json = Arc::clone(json);
            row.occurrences = problem.occurrences;
            row.notified_at = Some(problem.notified_at);
        } else {
            let before = self.rows.changed.get(&problem.seq);
            let row = ChangedAlertRow {
                alert: Arc::clone(&problem.alert),
                json: Arc::clone(json),
                occurrences: problem.occurrences,
                notified_at: problem.notified_at,
                growth: growth + before.map_or(0, |row| row.growth),
            };
            self.rows.changed.insert(problem.seq, row);
        }
        if problem.alert.status == AlertStatus::Resolved
            && let Some(dedup_key) = &problem.alert.dedup_key
        {
            self.active.remove(&(space_no, dedup_key.clone()));
        }
        if let Some(known) = self.problems.get_mut(&problem.id) {
            known.problem = problem.clone();
        }
        Ok(())
    }

    fn keep_revision(
        &mut self,
        alert_seq: i64,
        first_delivery: i64,
        json: &Arc<str>,
    ) -> Result<(), Infallible> {
        self.rows.revisions.push(RevisionRow {
            alert_seq,
            first_delivery,
            json: Arc::clone(json),
        });
        Ok(())
    }

    fn insert_delivery(&mut self, delivery: &NewDelivery) -> Result<Option<i64>, Infallible> {
        let Some(connector_no) = self.connectors.get(&delivery.connector_id).copied() else {
            return Ok(None);
        };
        if let Some(known) = self.problems.get_mut(&delivery.alert_id) {
            known.queued.push(delivery.connector_id);
        }
        let seq = self.rows.next_delivery;
        self.rows.next_delivery += 1;
        self.rows.deliveries.push(DeliveryRow {
            seq,
            id: delivery.id,
            alert_seq: delivery.alert_seq,
            connector_no,
            kind: delivery.kind,
            created_at: delivery.created_at,
            trace: delivery.trace,
        });
        Ok(Some(seq))
    }
}
