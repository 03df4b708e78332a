#![doc = include_str!("../README.md")]

mod alertmanager;
mod azure;
mod cloudevents;
mod dagster;
mod dbt;
mod dbt_cloud;
mod draft;
mod great_expectations;
mod hook;
mod mapping;
mod openmetadata;
mod pagerduty;
mod prefect;
mod reading;
mod severity_words;
mod signature;
mod source;
mod values;

pub use cloudevents::EventData;
pub use hook::{HookOptions, HookRefusal, HookShape, read_hook};
pub use mapping::Mapping;
pub use signature::Signature;
pub use source::{Ingested, Source, event_of_headers};
