//! The life of a problem: who is told when it rises, goes on, or is gone.

use std::sync::Arc;

use alert_connectors_model::{Alert, AlertId, Connector, DeliveryId};
use alert_connectors_store::{
    AcceptedDelivery, Event, Expiry, FollowUp, Heard, Roster, Submission, ended, heard_of,
    repeated, stored::alert_json,
};
use rusqlite::{Connection, params};

use crate::{
    deliveries,
    error::Failure,
    intake::{Active, Intake, Queued},
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
        let (before, now) = (&self.known.alert, &*self.alert);
        let quiet = self.expiry.now.duration_since(self.known.told_at) >= submission.renotify;
        let follow_ups = repeated(self.roster, before, now, quiet, matched, || self.heard())?;
        let rose = now.severity > before.severity;
        let told = self.tell(intake, &follow_ups, events)?;
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
        let follow_ups = ended(self.roster, &self.heard()?);
        let told = self.tell(intake, &follow_ups, events)?;
        self.keep()?;
        Ok(told)
    }

    fn tell(
        &self,
        intake: &mut Intake,
        follow_ups: &[FollowUp],
        events: &mut Vec<Event>,
    ) -> Result<Vec<AcceptedDelivery>, Failure> {
        follow_ups
            .iter()
            .map(|follow_up| self.queue(intake, follow_up, events))
            .collect()
    }

    /// The connectors that a message of the problem reached, or that one still waits for.
    fn heard(&self) -> Result<Heard, Failure> {
        let deliveries = deliveries::of_alert(self.connection, self.known.seq)?;
        Ok(heard_of(&deliveries, self.expiry))
    }

    fn queue(
        &self,
        intake: &mut Intake,
        follow_up: &FollowUp,
        events: &mut Vec<Event>,
    ) -> Result<AcceptedDelivery, Failure> {
        let queued = Queued {
            id: intake.name_delivery(self.known.id),
            kind: follow_up.kind,
            opening: follow_up.opening,
            alert_seq: self.known.seq,
            alert_id: self.known.id,
            alert: &self.alert,
            now: self.expiry.now,
            space: &self.roster.space,
            connector: &follow_up.connector,
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
            alert_json(&self.alert),
            self.known.told_at.as_millisecond(),
        ])?;
        Ok(())
    }

    pub(crate) const fn id(&self) -> AlertId {
        self.known.id
    }
}
