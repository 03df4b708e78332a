//! The sources whose bodies can be read, by their names in URLs.

use alert_connectors_model::{Fault, Json, ParsedAlert, Warning};
use jiff::Timestamp;

use crate::{
    alertmanager::{self, Sender},
    dbt,
};

/// A tool whose own bodies can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Prometheus Alertmanager's webhook, version 4.
    Alertmanager,
    /// Grafana's webhook contact point, which is a superset of it.
    Grafana,
    /// The results of a run of dbt.
    Dbt,
}

/// The alerts of a body.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ingested {
    /// In the order of the body.
    pub alerts: Vec<ParsedAlert>,
    /// How many entries say nothing that a channel could act on.
    pub ignored: usize,
    /// What was found besides, that belongs to no alert.
    pub warnings: Vec<Warning>,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Alertmanager, Self::Grafana, Self::Dbt];

    /// The name in URLs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Grafana => "grafana",
            Self::Dbt => "dbt",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    /// Whether a body says of everything that it is good, and not only of what was bad before.
    pub const fn says_what_is_good(self) -> bool {
        match self {
            Self::Alertmanager | Self::Grafana => false,
            Self::Dbt => true,
        }
    }

    /// Reads a body; `now` stands in for times that it lacks. Returns faults if it is not the source's shape.
    pub fn read(self, body: Json<'_>, now: Timestamp) -> Result<Ingested, Vec<Fault>> {
        match self {
            Self::Alertmanager => alertmanager::read(Sender::Alertmanager, self.name(), body, now),
            Self::Grafana => alertmanager::read(Sender::Grafana, self.name(), body, now),
            Self::Dbt => dbt::read(body, now),
        }
    }
}
