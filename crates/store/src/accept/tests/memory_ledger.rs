//! A ledger in memory.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    sync::Arc,
};

use alert_connectors_model::{AlertId, AlertStatus, ConnectorId, DeliveryState, SpaceId};
use jiff::Timestamp;

use super::super::{KeptAnswer, Ledger, NewDelivery, Problem, Recipients, SpaceRow};
use crate::{AuditEntry, Expiry, Idempotency, NewAlert, OpeningState};

/// Everything that was written, in order.
#[derive(Default)]
pub(super) struct MemoryLedger {
    pub(super) identity_version: i64,
    pub(super) space: Option<(SpaceId, SpaceRow)>,
    pub(super) alerts: Vec<Problem>,
    pub(super) deliveries: Vec<(NewDelivery, DeliveryState)>,
    /// The alert, the first delivery, and what the alert said.
    pub(super) revisions: Vec<(i64, i64, Arc<str>)>,
    pub(super) answers: HashMap<String, KeptAnswer>,
    pub(super) trail: Vec<AuditEntry>,
    pub(super) removed_connectors: HashSet<ConnectorId>,
}

impl MemoryLedger {
    /// How much was written.
    pub(super) fn len(&self) -> (usize, usize, usize) {
        (self.alerts.len(), self.deliveries.len(), self.answers.len())
    }

    fn place(count: usize) -> i64 {
        i64::try_from(count).unwrap() + 1
    }
}

impl Ledger for MemoryLedger {
    type Error = Infallible;

    fn identity_version(&mut self) -> Result<i64, Infallible> {
        Ok(self.identity_version)
    }

    fn add_audit_entry(&mut self, entry: &AuditEntry) -> Result<(), Infallible> {
        self.trail.push(entry.clone());
        Ok(())
    }

    fn space(&mut self, id: SpaceId) -> Result<Option<SpaceRow>, Infallible> {
        Ok(self
            .space
            .filter(|(known, _)| *known == id)
            .map(|(_, row)| row))
    }

    fn kept_answer(
        &mut self,
        _space_no: i64,
        idempotency: &Idempotency,
        _now: Timestamp,
    ) -> Result<Option<KeptAnswer>, Infallible> {
        Ok(self.answers.get(&idempotency.key).cloned())
    }

    fn keep_answer(
        &mut self,
        _space_no: i64,
        idempotency: &Idempotency,
        answer: KeptAnswer,
    ) -> Result<(), Infallible> {
        self.answers.insert(idempotency.key.clone(), answer);
        Ok(())
    }

    fn active_problem(
        &mut self,
        _space_no: i64,
        dedup_key: &str,
    ) -> Result<Option<Problem>, Infallible> {
        let is_active = |one: &&Problem| {
            one.alert.dedup_key.as_deref() == Some(dedup_key)
                && one.alert.status == AlertStatus::Active
        };
        let mut active = self.alerts.iter().filter(is_active);
        let found = active.next().cloned();
        assert!(active.next().is_none(), "two active problems with one key");
        Ok(found)
    }

    fn problem(&mut self, _space_no: i64, id: AlertId) -> Result<Option<Problem>, Infallible> {
        Ok(self.alerts.iter().find(|one| one.id == id).cloned())
    }

    fn recipients(&mut self, problem: &Problem, _expiry: Expiry) -> Result<Recipients, Infallible> {
        let mut recipients = Recipients::new();
        for (delivery, state) in &self.deliveries {
            match state {
                _ if delivery.alert_id != problem.id => {}
                DeliveryState::Delivered => {
                    recipients.insert(delivery.connector_id, OpeningState::Arrived);
                }
                DeliveryState::Pending => {
                    let entry = recipients.entry(delivery.connector_id);
                    entry.or_insert(OpeningState::Pending);
                }
                DeliveryState::Accepted
                | DeliveryState::Failed
                | DeliveryState::Expired
                | DeliveryState::Cancelled => {}
            }
        }
        Ok(recipients)
    }

    fn insert_alert(
        &mut self,
        _space_no: i64,
        new: &NewAlert,
        received_at: Timestamp,
        _bytes: i64,
    ) -> Result<i64, Infallible> {
        let seq = Self::place(self.alerts.len());
        self.alerts.push(Problem {
            seq,
            id: new.id,
            received_at,
            occurrences: 1,
            alert: Arc::clone(&new.alert),
            notified_at: received_at,
        });
        Ok(seq)
    }

    fn update_problem(
        &mut self,
        _space_no: i64,
        problem: &Problem,
        _json: &Arc<str>,
        _growth: i64,
    ) -> Result<(), Infallible> {
        let stored = self.alerts.iter_mut().find(|one| one.id == problem.id);
        *stored.unwrap() = problem.clone();
        Ok(())
    }

    fn keep_revision(
        &mut self,
        alert_seq: i64,
        first_delivery: i64,
        json: &Arc<str>,
    ) -> Result<(), Infallible> {
        self.revisions
            .push((alert_seq, first_delivery, Arc::clone(json)));
        Ok(())
    }

    fn insert_delivery(&mut self, delivery: &NewDelivery) -> Result<Option<i64>, Infallible> {
        if self.removed_connectors.contains(&delivery.connector_id) {
            return Ok(None);
        }
        self.deliveries.push((*delivery, DeliveryState::Pending));
        Ok(Some(Self::place(self.deliveries.len() - 1)))
    }
}
