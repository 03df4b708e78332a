//! The life of a problem: who is told when it rises, goes on, or is gone.

use std::{collections::HashMap, sync::Arc};

use alert_connectors_model::{
    Alert, AlertId, Connector, ConnectorId, DeliveryId, DeliveryKind, DeliveryState,
};
use alert_connectors_store::{
    AcceptedDelivery, Event, Expiry, Opening, Roster, StoreError, Submission,
};
use rusqlite::{Connection, params};

use crate::{
    deliveries,
    error::Failure,
    intake::{Active, Intake, Queued},
    row,
};

// By primary key.
const UPDATE_ALERT: &str = "UPDATE alerts SET severity = ?2, status = ?3, occurrences = ?4, content = ?5, told_at = ?6 WHERE seq = ?1";

/// A problem that was posted again or resolved, as it is from now on.
pub(crate) struct Problem<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) roster: &'a Roster,
    pub(crate) known: Active,
    pub(crate) alert: Arc<Alert>,
    pub(crate) expiry: Expiry,
}

impl Problem<'_> {
    /// It was posted again while it is there.
    pub(crate) fn repeated(
        &mut self,
        intake: &mut Intake,
        submission: &Submission,
        matched: &[(DeliveryId, Arc<Connector>)],
        events: &mut Vec<Event>,
    ) -> Result<Vec<AcceptedDelivery>, Failure> {
        let rose = self.alert.severity > self.known.alert.severity;
        let quiet_for = self.expiry.now.duration_since(self.known.told_at);
        let told = if rose {
            self.raised(intake, matched, events)?
        } else if quiet_for >= submission.renotify {
            self.tell(intake, DeliveryKind::Renotified, events)?
        } else {
            Vec::new()
        };
        self.known.occurrences += 1;
        if rose || !told.is_empty() {
            self.known.told_at = self.expiry.now;
        }
        self.keep()?;
        Ok(told)
    }

    /// It is gone.
    pub(crate) fn resolved(
        &mut self,
        intake: &mut Intake,
        events: &mut Vec<Event>,
    ) -> Result<Vec<AcceptedDelivery>, Failure> {
        let told = self.tell(intake, DeliveryKind::Resolved, events)?;
        self.keep()?;
        Ok(told)
    }

    /// Who had the opening hears that it rose; who hears of it for the first time gets the whole message.
    fn raised(
        &self,
        intake: &mut Intake,
        matched: &[(DeliveryId, Arc<Connector>)],
        events: &mut Vec<Event>,
    ) -> Result<Vec<AcceptedDelivery>, Failure> {
        let heard = self.heard()?;
        let mut told = Vec::new();
        for connector in self.roster.connectors.iter().filter(|one| one.is_active) {
            let is_new = matched.iter().any(|(_, one)| one.id == connector.id);
            let kind = match heard.get(&connector.id) {
                Some(_) => DeliveryKind::Raised,
                None if is_new => DeliveryKind::Opening,
                None => continue,
            };
            let opening = heard.get(&connector.id).copied();
            told.push(self.queue(intake, kind, opening, connector, events)?);
        }
        Ok(told)
    }

    /// Everyone who had the opening, or will, hears of it.
    fn tell(
        &self,
        intake: &mut Intake,
        kind: DeliveryKind,
        events: &mut Vec<Event>,
    ) -> Result<Vec<AcceptedDelivery>, Failure> {
        let heard = self.heard()?;
        let mut told = Vec::new();
        for connector in self.roster.connectors.iter().filter(|one| one.is_active) {
            if let Some(opening) = heard.get(&connector.id) {
                told.push(self.queue(intake, kind, Some(*opening), connector, events)?);
            }
        }
        Ok(told)
    }

    /// The connectors that a message of the problem reached, or that one still waits for.
    fn heard(&self) -> Result<HashMap<ConnectorId, Opening>, StoreError> {
        let mut heard = HashMap::new();
        for delivery in deliveries::of_alert(self.connection, self.known.seq)? {
            match delivery.kept.now(self.expiry).0 {
                DeliveryState::Delivered | DeliveryState::Accepted => {
                    heard.insert(delivery.connector_id, Opening::Arrived);
                }
                DeliveryState::Pending => {
                    heard.entry(delivery.connector_id).or_insert(Opening::Waits);
                }
                DeliveryState::Failed | DeliveryState::Expired | DeliveryState::Cancelled => {}
            }
        }
        Ok(heard)
    }

    fn queue(
        &self,
        intake: &mut Intake,
        kind: DeliveryKind,
        opening: Option<Opening>,
        connector: &Arc<Connector>,
        events: &mut Vec<Event>,
    ) -> Result<AcceptedDelivery, Failure> {
        let queued = Queued {
            id: intake.name_delivery(self.known.id),
            kind,
            opening: opening.unwrap_or(Opening::Arrived),
            alert_seq: self.known.seq,
            alert_id: self.known.id,
            alert: &self.alert,
            received_at: row::time(self.known.received_at),
            now: self.expiry.now,
            space: &self.roster.space,
            connector,
        };
        Ok(intake.queue(self.connection, &queued, events)?)
    }

    fn keep(&self) -> Result<(), Failure> {
        let mut statement = self.connection.prepare_cached(UPDATE_ALERT)?;
        statement.execute(params![
            self.known.seq,
            self.alert.severity as i64,
            self.alert.status as i64,
            self.known.occurrences,
            row::alert_json(&self.alert),
            self.known.told_at.as_millisecond(),
        ])?;
        Ok(())
    }

    pub(crate) const fn id(&self) -> AlertId {
        self.known.id
    }
}
