//! What waits for the writer that accepts.

use std::{collections::HashMap, sync::Arc};

use alert_connectors_model::{Connector, ConnectorId, Random};
use alert_connectors_store::{
    StoreError, StoreEvent, Submission,
    accept::{self, Decision, ResolveDecision, ResolveRequest},
};

use super::{facts::FactKeys, ledger::GroupLedger};
use crate::asked::{Asked, Groupable};

/// A request, with the place for its answer.
pub(crate) enum Job {
    /// Alerts are posted.
    Accept(Asked<Box<Submission>, Decision>),
    /// A problem is closed.
    Resolve(Asked<ResolveRequest, ResolveDecision>),
    /// Somebody asks whether anything can be written.
    Check(Asked<(), ()>),
}

impl Job {
    /// Decides it, as if those before it in the group were stored already.
    pub(super) fn decide(
        &mut self,
        ledger: &mut GroupLedger<'_>,
        random: &dyn Random,
        events: &mut Vec<StoreEvent>,
    ) {
        match self {
            Self::Accept(asked) => {
                let Ok(decision) = accept::accept(ledger, random, &asked.question, events);
                asked.answer(decision);
            }
            Self::Resolve(asked) => {
                let Ok(closed) = accept::resolve(ledger, random, &asked.question, events);
                asked.answer(closed);
            }
            Self::Check(asked) => {
                ledger.must_write();
                asked.answer(());
            }
        }
    }

    /// Adds the keys of what it may meet, without connectors whose numbers are known.
    pub(super) fn add_keys(&self, keys: &mut FactKeys, numbers: &HashMap<ConnectorId, i64>) {
        let mut add = |connectors: &mut dyn Iterator<Item = &Arc<Connector>>| {
            for connector in connectors.filter(|one| !numbers.contains_key(&one.id)) {
                keys.add_connector(connector.id);
            }
        };
        match self {
            Self::Accept(asked) => {
                let submission = &asked.question;
                let mut alerts = submission.alerts.iter();
                // Recipients of a problem are notified, whether or not it matches them now.
                if alerts.any(|new| new.alert.dedup_key.is_some()) {
                    add(&mut submission.roster.connectors.iter());
                } else {
                    let matched = submission.alerts.iter().flat_map(|new| &new.deliveries);
                    add(&mut matched.map(|(_, connector)| connector));
                }
                keys.add_submission(submission);
            }
            Self::Resolve(asked) => {
                add(&mut asked.question.roster.connectors.iter());
                keys.add_resolve(&asked.question);
            }
            Self::Check(_) => {}
        }
    }
}

impl Groupable for Job {
    fn rows(&self) -> usize {
        match self {
            Self::Accept(asked) => asked.question.rows(),
            Self::Resolve(_) | Self::Check(_) => 1,
        }
    }

    fn is_abandoned(&self) -> bool {
        match self {
            Self::Accept(asked) => asked.is_abandoned(),
            Self::Resolve(asked) => asked.is_abandoned(),
            Self::Check(asked) => asked.is_abandoned(),
        }
    }

    fn reply(self, outcome: Result<(), StoreError>) {
        match self {
            Self::Accept(asked) => asked.reply(outcome),
            Self::Resolve(asked) => asked.reply(outcome),
            Self::Check(asked) => asked.reply(outcome),
        }
    }
}
