//! The sources, by the names that stand in addresses.

use alert_connectors_model::{Fault, Json, ParsedAlert, Warning};
use jiff::Timestamp;

use crate::alertmanager;

/// A tool whose own bodies can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Prometheus Alertmanager's webhook, version 4.
    Alertmanager,
    /// Grafana's webhook contact point, which is a superset of it.
    Grafana,
}

/// The alerts of a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingested {
    /// In the order of the body.
    pub alerts: Vec<ParsedAlert>,
    /// What was found besides, that belongs to no alert.
    pub warnings: Vec<Warning>,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Alertmanager, Self::Grafana];

    /// The name in addresses; it is also the type of alerts that have no other.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Grafana => "grafana",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    /// Reads a body; `now` stands in for times that it lacks. Returns faults if it is not the source's shape.
    pub fn read(self, body: Json<'_>, now: Timestamp) -> Result<Ingested, Vec<Fault>> {
        match self {
            Self::Alertmanager | Self::Grafana => alertmanager::read(self, body, now),
        }
    }
}
