//! What waits for the writer that accepts.

use std::collections::HashMap;

use alert_connectors_model::{ConnectorId, Random};
use alert_connectors_store::{
    Event, Roster, StoreError, Submission,
    accept::{self, Closed, Closing, Decision},
};

use super::ledger::GroupLedger;
use crate::writer::{Asked, Groupable};

/// A request, with the place for its answer.
pub(crate) enum Job {
    /// Alerts are posted.
    Accept(Asked<Box<Submission>, Decision>),
    /// A problem is closed.
    Close(Asked<Closing, Closed>),
    /// Somebody asks whether anything can be written.
    Check(Asked<(), ()>),
}

impl Job {
    /// Decides it, as if those before it in the group were stored already.
    pub(super) fn decide(
        &mut self,
        ledger: &mut GroupLedger<'_>,
        random: &dyn Random,
        events: &mut Vec<Event>,
    ) {
        match self {
            Self::Accept(asked) => {
                let Ok(decision) = accept::accept(ledger, random, &asked.question, events);
                asked.answer(decision);
            }
            Self::Close(asked) => {
                let Ok(closed) = accept::close(ledger, random, &asked.question, events);
                asked.answer(closed);
            }
            Self::Check(asked) => {
                ledger.must_write();
                asked.answer(());
            }
        }
    }

    /// The connectors that it may write deliveries for and whose numbers are unknown.
    pub(super) fn unknown_connectors(
        &self,
        numbers: &HashMap<ConnectorId, i64>,
    ) -> impl Iterator<Item = ConnectorId> {
        let of_roster = |roster: &Roster| {
            let ids = roster.connectors.iter().map(|connector| connector.id);
            ids.collect::<Vec<_>>()
        };
        let ids = match self {
            // Recipients of a problem are notified, whether or not it matches them now.
            Self::Accept(asked)
                if asked
                    .question
                    .alerts
                    .iter()
                    .any(|new| new.alert.dedup_key.is_some()) =>
            {
                of_roster(&asked.question.roster)
            }
            Self::Accept(asked) => {
                let matched = asked.question.alerts.iter().flat_map(|new| &new.deliveries);
                matched.map(|(_, connector)| connector.id).collect()
            }
            Self::Close(asked) => of_roster(&asked.question.roster),
            Self::Check(_) => Vec::new(),
        };
        ids.into_iter().filter(|id| !numbers.contains_key(id))
    }
}

impl Groupable for Job {
    fn rows(&self) -> usize {
        match self {
            Self::Accept(asked) => asked.question.rows(),
            Self::Close(_) | Self::Check(_) => 1,
        }
    }

    fn is_abandoned(&self) -> bool {
        match self {
            Self::Accept(asked) => asked.is_abandoned(),
            Self::Close(asked) => asked.is_abandoned(),
            Self::Check(asked) => asked.is_abandoned(),
        }
    }

    fn reply(self, outcome: Result<(), StoreError>) {
        match self {
            Self::Accept(asked) => asked.reply(outcome),
            Self::Close(asked) => asked.reply(outcome),
            Self::Check(asked) => asked.reply(outcome),
        }
    }
}
