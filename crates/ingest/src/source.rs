//! The sources whose bodies can be read, by their names in URLs.

use alert_connectors_model::{Fault, Json, ParsedAlert, Secret, Warning};
use jiff::Timestamp;

use crate::{
    Mapping,
    alertmanager::{self, Producer},
    azure,
    cloudevents::{self, EventData},
    dagster, dbt, great_expectations, openmetadata, pagerduty, prefect,
    reading::Reading,
    signature::{self, Scheme, Signature},
};

/// A tool whose own bodies can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Prometheus Alertmanager's webhook, version 4.
    Alertmanager,
    /// Grafana's webhook contact point, which is a superset of it.
    Grafana,
    /// OpenMetadata's generic webhook.
    OpenMetadata,
    /// The results of a run of dbt, or a webhook of dbt Cloud.
    Dbt,
    /// An event of PagerDuty's Events API v2.
    PagerDuty,
    /// CloudEvents 1.0.
    CloudEvents,
    /// The result of validating a suite of Great Expectations.
    GreatExpectations,
    /// Dagster's alert policies and sensors.
    Dagster,
    /// Prefect's automations and notifications.
    Prefect,
    /// Azure Monitor's common alert schema.
    Azure,
}

/// The alerts of a body.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ingested {
    /// In the order of the body.
    pub alerts: Vec<ParsedAlert>,
    /// How many entries say nothing that a channel could act on, or are dropped by the mapping.
    pub ignored: usize,
    /// What was found besides, that belongs to no alert.
    pub warnings: Vec<Warning>,
    /// The producer's own name of the event, if the body is one event that has one. A repeat of it is the same event.
    pub event_id: Option<String>,
    /// The problem that the body is about, if it is one event that names one, also where it becomes no alert.
    pub dedup_key: Option<String>,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Alertmanager,
        Self::Grafana,
        Self::OpenMetadata,
        Self::Dbt,
        Self::PagerDuty,
        Self::CloudEvents,
        Self::GreatExpectations,
        Self::Dagster,
        Self::Prefect,
        Self::Azure,
    ];

    /// The name in URLs, which is also the type of alerts that have no other.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Grafana => "grafana",
            Self::OpenMetadata => "openmetadata",
            Self::Dbt => "dbt",
            Self::PagerDuty => "pagerduty",
            Self::CloudEvents => "cloudevents",
            Self::GreatExpectations => "great-expectations",
            Self::Dagster => "dagster",
            Self::Prefect => "prefect",
            Self::Azure => "azure",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    /// Whether a body says of everything that it is good, and not only of what was bad before.
    pub const fn says_what_is_good(self) -> bool {
        match self {
            Self::OpenMetadata
            | Self::Dbt
            | Self::GreatExpectations
            | Self::Dagster
            | Self::Prefect => true,
            Self::Alertmanager
            | Self::Grafana
            | Self::PagerDuty
            | Self::CloudEvents
            | Self::Azure => false,
        }
    }

    /// Whether the source can sign its bodies with a secret.
    pub const fn can_sign(self) -> bool {
        self.scheme().is_some()
    }

    /// What the signature of a body shows. `header` finds the value of a header of the request by its name in lower case.
    pub fn signature<'h>(
        self,
        secret: &Secret,
        header: &dyn Fn(&str) -> Option<&'h str>,
        body: &[u8],
        now: Timestamp,
    ) -> Signature {
        self.scheme().map_or(Signature::Invalid, |scheme| {
            scheme.verify(secret, header, body, now)
        })
    }

    const fn scheme(self) -> Option<Scheme> {
        match self {
            Self::Grafana => Some(signature::GRAFANA),
            Self::OpenMetadata => Some(signature::OPENMETADATA),
            Self::Dbt => Some(signature::DBT_CLOUD),
            Self::Alertmanager
            | Self::PagerDuty
            | Self::CloudEvents
            | Self::GreatExpectations
            | Self::Dagster
            | Self::Prefect
            | Self::Azure => None,
        }
    }

    /// The key of the caller, where the source sends it in the body.
    pub fn key_in_body(self, body: &Json<'_>) -> Option<Secret> {
        let key = || pagerduty::routing_key(body);
        self.has_key_in_body().then(key).flatten()
    }

    /// Whether the source sends the key of the caller in the body.
    pub const fn has_key_in_body(self) -> bool {
        matches!(self, Self::PagerDuty)
    }

    /// Reads a body, and changes its alerts by a mapping; `now` stands in for times that it lacks. Returns faults if it is not
    /// the source's shape.
    pub fn read(
        self,
        body: Json<'_>,
        mapping: &Mapping,
        now: Timestamp,
    ) -> Result<Ingested, Vec<Fault>> {
        let body = if self.has_key_in_body() {
            // A mapping could show it in a channel.
            pagerduty::without_key(body)
        } else {
            body
        };
        let mut reading = Reading::new(now, mapping, &body);
        let (name, to) = (self.name(), &mut reading);
        match self {
            Self::Alertmanager => alertmanager::read(Producer::Alertmanager, name, body, to),
            Self::Grafana => alertmanager::read(Producer::Grafana, name, body, to),
            Self::OpenMetadata => openmetadata::read(body, to),
            Self::Dbt => dbt::read(body, to),
            Self::PagerDuty => pagerduty::read(name, body, to),
            Self::CloudEvents => cloudevents::read(name, body, to),
            Self::GreatExpectations => great_expectations::read("dq_alert", body, to),
            Self::Dagster => dagster::read(name, body, to),
            Self::Prefect => prefect::read(name, body, to),
            Self::Azure => azure::read(name, body, to),
        }?;
        Ok(reading.finish())
    }
}

/// An event of CloudEvents in binary mode as the body that it would be in the JSON format. `attributes` are the headers whose names begin with
/// `ce-`, without that prefix, and decoded.
pub fn event_of_headers(attributes: Vec<(String, String)>, data: EventData<'_>) -> Json<'_> {
    cloudevents::from_headers(attributes, data)
}
