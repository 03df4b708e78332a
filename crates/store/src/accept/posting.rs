//! One alert at a time: it opens a problem, or repeats, raises or ends the one that is active under its `dedup_key`.

use std::sync::Arc;

use alert_connectors_model::{
    Alert, AlertId, AlertStatus, Connector, DeliveryId, DeliveryKind, DeliveryState, Loc, Random,
    TraceContext,
};
use jiff::SignedDuration;

use super::{
    Ledger, NewDelivery, Problem, ends_nothing_warning,
    follow_ups::{FollowUp, Repeat, ends, of_end},
};
use crate::{
    Accepted, AcceptedDelivery, Expiry, Form, NewAlert, OpeningState, PendingDelivery, Roster,
    StoreEvent,
    storage::{bytes_of, growth_of},
    stored::alert_json,
};

/// What is common to the alerts of one request.
pub(super) struct Posting<'a, L> {
    pub(super) ledger: &'a mut L,
    pub(super) random: &'a dyn Random,
    pub(super) space_no: i64,
    pub(super) roster: &'a Roster,
    pub(super) expiry: Expiry,
    /// Recipients who were notified this long ago are reminded by the next repeat.
    pub(super) renotify: SignedDuration,
    /// A `resolved` that ends no problem is left out.
    pub(super) leaves_out_idle_ends: bool,
    /// The span of the request, if it is recorded.
    pub(super) trace: Option<TraceContext>,
    pub(super) events: &'a mut Vec<StoreEvent>,
}

/// Stands before the place of every delivery.
const BEFORE_ALL: i64 = 0;

/// The stored alert that deliveries are queued for.
struct Subject<'a> {
    seq: i64,
    id: AlertId,
    alert: &'a Arc<Alert>,
}

impl<L: Ledger> Posting<'_, L> {
    /// Stores one alert, or what it changes of the active problem with its `dedup_key`.
    pub(super) fn post(&mut self, new: &NewAlert) -> Result<Accepted, L::Error> {
        let active = match &new.alert.dedup_key {
            Some(key) => self.ledger.active_problem(self.space_no, key)?,
            None => return self.insert(new, &new.deliveries),
        };
        match (active, new.alert.status) {
            (Some(problem), AlertStatus::Active) => self.repeat(problem, new),
            (Some(problem), AlertStatus::Resolved) if ends(new, &problem.alert) => {
                let resolved = problem.alert.resolved_by(&new.alert);
                self.resolve(problem, resolved)
            }
            (_, AlertStatus::Resolved) if self.leaves_out_idle_ends => Ok(self.left_out(new)),
            (Some(_), AlertStatus::Resolved) => self.insert_without_effect(new),
            // Nobody was notified of a problem, so nobody is notified of its end.
            (None, AlertStatus::Resolved) => self.insert(new, &[]),
            (None, AlertStatus::Active) => self.insert(new, &new.deliveries),
        }
    }

    /// The problem is posted again while it is active.
    fn repeat(&mut self, mut problem: Problem, new: &NewAlert) -> Result<Accepted, L::Error> {
        let merged = Arc::new(problem.alert.repeated_by(&new.alert, self.expiry.now));
        let since_notified = self.expiry.now.duration_since(problem.notified_at);
        let kept = self.keep_opening(&problem)?;
        let repeat = Repeat {
            roster: self.roster,
            before: &problem.alert,
            now: &merged,
            is_reminder_due: since_notified >= self.renotify,
            matched: &new.deliveries,
        };
        let follow_ups = repeat.follow_ups(|| self.ledger.recipients(&problem, self.expiry))?;
        let rose = repeat.rose();
        problem.alert = merged;
        problem.occurrences += 1;
        if rose || !follow_ups.is_empty() {
            problem.notified_at = self.expiry.now;
        }
        self.update(&problem, &follow_ups, kept)
    }

    /// The problem ends.
    pub(super) fn resolve(
        &mut self,
        mut problem: Problem,
        resolved: Alert,
    ) -> Result<Accepted, L::Error> {
        let recipients = self.ledger.recipients(&problem, self.expiry)?;
        let kept = self.keep_opening(&problem)?;
        problem.alert = Arc::new(resolved);
        self.update(&problem, &of_end(self.roster, &recipients), kept)
    }

    /// Keeps what a problem said when it was opened, before its first change. Returns its size in bytes.
    fn keep_opening(&mut self, problem: &Problem) -> Result<usize, L::Error> {
        if problem.occurrences > 1 {
            return Ok(0);
        }
        let opened: Arc<str> = alert_json(&problem.alert).into();
        self.ledger
            .keep_revision(problem.seq, BEFORE_ALL, &opened)?;
        Ok(opened.len())
    }

    /// Stores a problem as it is now, and queues its follow-ups. So many bytes of its opening were kept.
    fn update(
        &mut self,
        problem: &Problem,
        follow_ups: &[FollowUp],
        kept: usize,
    ) -> Result<Accepted, L::Error> {
        let subject = Subject {
            seq: problem.seq,
            id: problem.id,
            alert: &problem.alert,
        };
        let mut queued = Vec::with_capacity(follow_ups.len());
        for follow_up in follow_ups {
            let id = DeliveryId::of(problem.id, self.random);
            queued.extend(self.queue(&subject, id, follow_up)?);
        }
        let json: Arc<str> = alert_json(&problem.alert).into();
        let mut revisions = kept;
        if let Some((first, _)) = queued.first() {
            self.ledger.keep_revision(problem.seq, *first, &json)?;
            revisions += json.len();
        }
        let growth = growth_of(revisions, queued.len());
        self.ledger
            .update_problem(self.space_no, problem, &json, growth)?;
        Ok(Accepted {
            id: problem.id,
            received_at: problem.received_at,
            occurrences: problem.occurrences,
            current: Some(json),
            precedes_problem: false,
            is_stored: true,
            deliveries: queued.into_iter().map(|(_, delivery)| delivery).collect(),
        })
    }

    /// The answer to a `resolved` that ends nothing and is not stored.
    const fn left_out(&self, new: &NewAlert) -> Accepted {
        Accepted {
            id: new.id,
            received_at: self.expiry.now,
            occurrences: 1,
            current: None,
            precedes_problem: false,
            is_stored: false,
            deliveries: Vec::new(),
        }
    }

    /// Stores a `resolved` that ends nothing: nobody is notified, and its warnings say why.
    fn insert_without_effect(&mut self, new: &NewAlert) -> Result<Accepted, L::Error> {
        let warning = ends_nothing_warning(&Loc::body());
        let warnings = new.warnings.iter().cloned().chain([warning]);
        let new = NewAlert {
            warnings: warnings.collect(),
            ..new.clone()
        };
        Ok(Accepted {
            precedes_problem: true,
            ..self.insert(&new, &[])?
        })
    }

    /// Stores a new alert and queues it for the connectors that it matched.
    fn insert(
        &mut self,
        new: &NewAlert,
        matched: &[(DeliveryId, Arc<Connector>)],
    ) -> Result<Accepted, L::Error> {
        let received_at = self.expiry.now;
        let bytes = bytes_of(new, matched.len());
        let subject = Subject {
            seq: self
                .ledger
                .insert_alert(self.space_no, new, received_at, bytes)?,
            id: new.id,
            alert: &new.alert,
        };
        let mut deliveries = Vec::with_capacity(matched.len());
        for (id, connector) in matched {
            let opening = FollowUp {
                kind: DeliveryKind::Opening,
                opening: OpeningState::Arrived,
                connector: Arc::clone(connector),
            };
            let queued = self.queue(&subject, *id, &opening)?;
            deliveries.extend(queued.map(|(_, delivery)| delivery));
        }
        Ok(Accepted {
            id: new.id,
            received_at,
            occurrences: 1,
            current: None,
            precedes_problem: false,
            is_stored: true,
            deliveries,
        })
    }

    /// Queues one delivery, and returns it with its place. A connector that is gone was removed with its space, and is left out.
    fn queue(
        &mut self,
        subject: &Subject<'_>,
        id: DeliveryId,
        message: &FollowUp,
    ) -> Result<Option<(i64, AcceptedDelivery)>, L::Error> {
        let (now, connector) = (self.expiry.now, &message.connector);
        let inserted = self.ledger.insert_delivery(&NewDelivery {
            id,
            kind: message.kind,
            alert_seq: subject.seq,
            alert_id: subject.id,
            connector_id: connector.id,
            created_at: now,
            trace: self.trace,
        })?;
        let Some(seq) = inserted else {
            return Ok(None);
        };
        self.events.push(StoreEvent::Queued(PendingDelivery {
            seq,
            id,
            alert_id: subject.id,
            kind: message.kind,
            opening: message.opening,
            space: Arc::clone(&self.roster.space),
            alert: Arc::clone(subject.alert),
            created_at: now,
            queued_at: now,
            connector: Arc::clone(connector),
            form: Form::Full,
            attempts: 0,
            trace: self.trace,
        }));
        let accepted = AcceptedDelivery {
            id,
            connector_id: connector.id,
            connector_name: connector.name.clone(),
            state: DeliveryState::Pending,
        };
        Ok(Some((seq, accepted)))
    }
}
