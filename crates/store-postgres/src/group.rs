//! What a group decides once it knows how things stand: nothing here touches the database.

use std::{collections::HashMap, sync::Arc};

use alert_connectors_model::{
    Alert, AlertId, AlertStatus, Connector, ConnectorId, DeliveryId, DeliveryKind, DeliveryState,
    Random, SpaceId,
};
use alert_connectors_store::{
    Acceptance, Accepted, AcceptedDelivery, Event, Expiry, FollowUp, Form, Heard, NewAlert,
    OpeningState, PendingDelivery, Resolution, Roster, Submission, ended, ends, ends_nothing,
    repeated,
    stored::{alert_json, answer_json, warnings_json},
};
use jiff::Timestamp;

/// What is asked of the writer that accepts.
pub(crate) enum Request {
    Accept(Box<Submission>),
    Resolve {
        roster: Arc<Roster>,
        id: AlertId,
        expiry: Expiry,
        judged_at: Option<i64>,
    },
    /// Whether anything can be accepted.
    Check,
}

/// What it answers.
pub(crate) enum Answer {
    Accepted(Acceptance),
    /// Kept from before: the answer as it is stored, and when it was given. Its alerts are still to be read.
    Kept {
        json: String,
        created_at: i64,
    },
    Resolution(Box<Resolved>),
    /// Something can be accepted.
    Checked,
}

/// What became of closing a problem.
pub(crate) enum Resolved {
    /// It is closed, now or since before.
    Done,
    Not(Resolution),
}

impl Request {
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Accept(submission) => submission.rows(),
            Self::Resolve { .. } | Self::Check => 1,
        }
    }

    pub(crate) fn roster(&self) -> Option<&Arc<Roster>> {
        match self {
            Self::Accept(submission) => Some(&submission.roster),
            Self::Resolve { roster, .. } => Some(roster),
            Self::Check => None,
        }
    }
}

/// A problem that is active, as the group knows it so far.
pub(crate) struct Problem {
    pub(crate) seq: i64,
    pub(crate) id: AlertId,
    pub(crate) received_at: Timestamp,
    pub(crate) occurrences: u64,
    pub(crate) alert: Arc<Alert>,
    pub(crate) told_at: Timestamp,
    pub(crate) heard: Heard,
}

/// An answer that is kept under an idempotency key.
pub(crate) enum KeptAnswer {
    /// From before.
    Stored { json: String, created_at: i64 },
    /// From this group.
    Fresh(Vec<Accepted>),
}

/// An alert to be stored or to be changed.
pub(crate) struct AlertRow {
    pub(crate) seq: i64,
    pub(crate) id: AlertId,
    pub(crate) space_no: i64,
    pub(crate) alert: Arc<Alert>,
    pub(crate) json: Arc<str>,
    pub(crate) occurrences: u64,
    pub(crate) received_at: Timestamp,
    pub(crate) told_at: Option<Timestamp>,
    pub(crate) warnings: Option<String>,
    pub(crate) is_new: bool,
}

/// A delivery to be stored.
pub(crate) struct DeliveryRow {
    pub(crate) seq: i64,
    pub(crate) id: DeliveryId,
    pub(crate) alert_seq: i64,
    pub(crate) connector_no: i64,
    pub(crate) kind: DeliveryKind,
    pub(crate) created_at: Timestamp,
}

/// An idempotency key to be kept.
pub(crate) struct KeyRow {
    pub(crate) space_no: i64,
    pub(crate) route: i16,
    pub(crate) key: String,
    pub(crate) body_hash: [u8; 32],
    pub(crate) created_at: Timestamp,
    pub(crate) answer: String,
}

/// How things stand, and what the group writes.
pub(crate) struct Desk<'n> {
    pub(crate) next_alert: i64,
    pub(crate) next_delivery: i64,
    pub(crate) identity_version: i64,
    /// The number and version of each space.
    pub(crate) spaces: HashMap<SpaceId, (i64, i64)>,
    pub(crate) connectors: &'n HashMap<ConnectorId, i64>,
    pub(crate) problems: HashMap<(SpaceId, String), Problem>,
    /// Problems to be closed by their names.
    pub(crate) named: HashMap<AlertId, (SpaceId, Option<Problem>)>,
    pub(crate) answers: HashMap<(SpaceId, i16, String), ([u8; 32], KeptAnswer)>,
    pub(crate) random: &'n dyn Random,
    pub(crate) alerts: HashMap<i64, AlertRow>,
    pub(crate) deliveries: Vec<DeliveryRow>,
    pub(crate) keys: Vec<KeyRow>,
    pub(crate) events: Vec<Event>,
    /// Whether someone asks if anything can be written.
    pub(crate) is_checked: bool,
}

/// What one delivery is made of.
struct Queued<'a> {
    id: DeliveryId,
    kind: DeliveryKind,
    opening: OpeningState,
    connector: &'a Arc<Connector>,
}

/// The alert that deliveries are queued for.
struct Subject<'a> {
    seq: i64,
    id: AlertId,
    alert: &'a Arc<Alert>,
    now: Timestamp,
    roster: &'a Roster,
}

impl Desk<'_> {
    /// Decides one request, as if those before it were stored already.
    pub(crate) fn decide(&mut self, request: &Request) -> Answer {
        match request {
            Request::Accept(submission) => self.accept(submission),
            Request::Resolve {
                judged_at: Some(version),
                ..
            } if *version != self.identity_version => {
                Answer::Resolution(Box::new(Resolved::Not(Resolution::Stale)))
            }
            Request::Resolve {
                roster, id, expiry, ..
            } => Answer::Resolution(Box::new(self.resolve(roster, *id, *expiry))),
            Request::Check => {
                self.is_checked = true;
                Answer::Checked
            }
        }
    }

    fn accept(&mut self, submission: &Submission) -> Answer {
        let space_id = submission.roster.space.id;
        let Some((space_no, version)) = self.spaces.get(&space_id).copied() else {
            return Answer::Accepted(Acceptance::Stale);
        };
        let authorised = submission
            .identity_version
            .is_none_or(|version| version == self.identity_version);
        if version != submission.roster.version || !authorised {
            return Answer::Accepted(Acceptance::Stale);
        }
        let key = submission
            .idempotency
            .as_ref()
            .map(|one| ((space_id, one.route as i16, one.key.clone()), one.body_hash));
        if let Some((key, body_hash)) = &key
            && let Some((known, kept)) = self.answers.get(key)
        {
            return match kept {
                _ if known != body_hash => Answer::Accepted(Acceptance::KeyReused),
                KeptAnswer::Stored { json, created_at } => Answer::Kept {
                    json: json.clone(),
                    created_at: *created_at,
                },
                KeptAnswer::Fresh(accepted) => {
                    Answer::Accepted(Acceptance::Repeated(accepted.clone()))
                }
            };
        }
        let accepted: Vec<Accepted> = submission
            .alerts
            .iter()
            .map(|new| self.accept_one(space_no, submission, new))
            .collect();
        if let Some((key, body_hash)) = key {
            self.keys.push(KeyRow {
                space_no,
                route: key.1,
                key: key.2.clone(),
                body_hash,
                created_at: submission.received_at(),
                answer: answer_json(&accepted),
            });
            self.answers
                .insert(key, (body_hash, KeptAnswer::Fresh(accepted.clone())));
        }
        Answer::Accepted(Acceptance::Stored(accepted))
    }

    fn accept_one(&mut self, space_no: i64, submission: &Submission, new: &NewAlert) -> Accepted {
        let Some(name) = &new.alert.dedup_key else {
            return self.insert(space_no, submission, new, true);
        };
        let name = (submission.roster.space.id, name.clone());
        match (self.problems.remove(&name), new.alert.status) {
            (Some(mut problem), AlertStatus::Active) => {
                let deliveries = self.repeat(space_no, submission, new, &mut problem);
                let accepted = current(&problem, deliveries);
                self.problems.insert(name, problem);
                accepted
            }
            (Some(problem), AlertStatus::Resolved) if !ends(new, &problem.alert) => {
                self.problems.insert(name, problem);
                Accepted {
                    ends_nothing: true,
                    ..self.insert(space_no, submission, &ends_nothing(new), true)
                }
            }
            (Some(mut problem), AlertStatus::Resolved) => {
                let ended = problem.alert.resolved_by(&new.alert);
                let (roster, now) = (&submission.roster, submission.expiry.now);
                let deliveries = self.close(space_no, roster, now, ended, &mut problem);
                current(&problem, deliveries)
            }
            // Nobody was told of a problem, so nobody is told that it is gone.
            (None, AlertStatus::Resolved) => self.insert(space_no, submission, new, false),
            (None, AlertStatus::Active) => {
                let seq = self.next_alert;
                let accepted = self.insert(space_no, submission, new, true);
                let waits =
                    |delivery: &AcceptedDelivery| (delivery.connector_id, OpeningState::Pending);
                let problem = Problem {
                    seq,
                    id: new.id,
                    received_at: submission.received_at(),
                    occurrences: 1,
                    alert: Arc::clone(&new.alert),
                    told_at: submission.received_at(),
                    heard: accepted.deliveries.iter().map(waits).collect(),
                };
                self.problems.insert(name, problem);
                accepted
            }
        }
    }

    /// A problem was posted again.
    fn repeat(
        &mut self,
        space_no: i64,
        submission: &Submission,
        new: &NewAlert,
        problem: &mut Problem,
    ) -> Vec<AcceptedDelivery> {
        let now = submission.expiry.now;
        let merged = Arc::new(problem.alert.repeated_by(&new.alert));
        let quiet = now.duration_since(problem.told_at) >= submission.renotify;
        let follow_ups: Result<_, std::convert::Infallible> = repeated(
            &submission.roster,
            &problem.alert,
            &merged,
            quiet,
            &new.deliveries,
            || Ok(problem.heard.clone()),
        );
        let Ok(follow_ups) = follow_ups;
        let rose = merged.severity > problem.alert.severity;
        problem.alert = merged;
        problem.occurrences += 1;
        if rose || !follow_ups.is_empty() {
            problem.told_at = now;
        }
        self.tell(space_no, &submission.roster, now, problem, &follow_ups)
    }

    /// A problem is gone.
    fn close(
        &mut self,
        space_no: i64,
        roster: &Roster,
        now: Timestamp,
        alert: Alert,
        problem: &mut Problem,
    ) -> Vec<AcceptedDelivery> {
        let follow_ups = ended(roster, &problem.heard);
        problem.alert = Arc::new(alert);
        self.tell(space_no, roster, now, problem, &follow_ups)
    }

    /// Queues follow-ups and keeps the problem as it is now.
    fn tell(
        &mut self,
        space_no: i64,
        roster: &Roster,
        now: Timestamp,
        problem: &mut Problem,
        follow_ups: &[FollowUp],
    ) -> Vec<AcceptedDelivery> {
        let alert = Arc::clone(&problem.alert);
        let subject = Subject {
            seq: problem.seq,
            id: problem.id,
            alert: &alert,
            now,
            roster,
        };
        let mut told = Vec::with_capacity(follow_ups.len());
        for follow_up in follow_ups {
            let queued = Queued {
                id: DeliveryId::of(problem.id, self.random),
                kind: follow_up.kind,
                opening: follow_up.opening,
                connector: &follow_up.connector,
            };
            told.extend(self.queue(&subject, &queued));
            let heard = problem.heard.entry(follow_up.connector.id);
            heard.or_insert(OpeningState::Pending);
        }
        let json: Arc<str> = alert_json(&alert).into();
        let row = self.alerts.entry(problem.seq).or_insert_with(|| AlertRow {
            seq: problem.seq,
            id: problem.id,
            space_no,
            alert: Arc::clone(&alert),
            json: Arc::clone(&json),
            occurrences: 0,
            received_at: problem.received_at,
            told_at: None,
            warnings: None,
            is_new: false,
        });
        row.occurrences = problem.occurrences;
        row.told_at = Some(problem.told_at);
        row.json = json;
        row.alert = alert;
        told
    }

    fn insert(
        &mut self,
        space_no: i64,
        submission: &Submission,
        new: &NewAlert,
        is_told: bool,
    ) -> Accepted {
        let seq = self.next_alert;
        self.next_alert += 1;
        let received_at = submission.received_at();
        self.alerts.insert(
            seq,
            AlertRow {
                seq,
                id: new.id,
                space_no,
                alert: Arc::clone(&new.alert),
                json: Arc::clone(&new.json),
                occurrences: 1,
                received_at,
                told_at: None,
                warnings: warnings_json(&new.warnings),
                is_new: true,
            },
        );
        let subject = Subject {
            seq,
            id: new.id,
            alert: &new.alert,
            now: received_at,
            roster: &submission.roster,
        };
        let matched = if is_told { &new.deliveries[..] } else { &[] };
        let mut deliveries = Vec::with_capacity(matched.len());
        for (id, connector) in matched {
            let queued = Queued {
                id: *id,
                kind: DeliveryKind::Opening,
                opening: OpeningState::Arrived,
                connector,
            };
            deliveries.extend(self.queue(&subject, &queued));
        }
        Accepted {
            id: new.id,
            received_at,
            occurrences: 1,
            current: None,
            ends_nothing: false,
            deliveries,
        }
    }

    /// Queues one delivery. A connector that is unknown was removed with its space, which made the request stale.
    fn queue(&mut self, subject: &Subject<'_>, queued: &Queued<'_>) -> Option<AcceptedDelivery> {
        let connector = queued.connector;
        let connector_no = *self.connectors.get(&connector.id)?;
        let seq = self.next_delivery;
        self.next_delivery += 1;
        self.deliveries.push(DeliveryRow {
            seq,
            id: queued.id,
            alert_seq: subject.seq,
            connector_no,
            kind: queued.kind,
            created_at: subject.now,
        });
        self.events.push(Event::Queued(PendingDelivery {
            seq,
            id: queued.id,
            alert_id: subject.id,
            kind: queued.kind,
            opening: queued.opening,
            space: Arc::clone(&subject.roster.space),
            alert: Arc::clone(subject.alert),
            created_at: subject.now,
            queued_at: subject.now,
            connector: Arc::clone(connector),
            form: Form::Full,
            attempts: 0,
        }));
        Some(AcceptedDelivery {
            id: queued.id,
            connector_id: connector.id,
            connector_name: connector.name.clone(),
            state: DeliveryState::Pending,
        })
    }

    fn resolve(&mut self, roster: &Roster, id: AlertId, expiry: Expiry) -> Resolved {
        let Some((space_no, version)) = self.spaces.get(&roster.space.id).copied() else {
            return Resolved::Not(Resolution::Absent);
        };
        if version != roster.version {
            return Resolved::Not(Resolution::Stale);
        }
        let Some((space_id, problem)) = self.named.get_mut(&id) else {
            return Resolved::Not(Resolution::Absent);
        };
        if *space_id != roster.space.id {
            return Resolved::Not(Resolution::Absent);
        }
        if let Some(mut problem) = problem.take() {
            let name = problem.alert.dedup_key.clone();
            // This group may have told on of it already.
            let told = name.and_then(|name| self.problems.remove(&(roster.space.id, name)));
            if let Some(told) = told.filter(|told| told.id == id) {
                problem = told;
            }
            let row = self.alerts.get(&problem.seq);
            let is_closed = row.is_some_and(|row| row.alert.status == AlertStatus::Resolved);
            if problem.alert.status == AlertStatus::Active && !is_closed {
                let ended = problem.alert.resolved(expiry.now);
                self.close(space_no, roster, expiry.now, ended, &mut problem);
            }
        }
        Resolved::Done
    }
}

fn current(problem: &Problem, deliveries: Vec<AcceptedDelivery>) -> Accepted {
    Accepted {
        id: problem.id,
        received_at: problem.received_at,
        occurrences: problem.occurrences,
        current: Some(alert_json(&problem.alert).into()),
        ends_nothing: false,
        deliveries,
    }
}
