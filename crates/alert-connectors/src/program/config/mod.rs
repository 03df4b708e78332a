//! Configuration: flags, environment and file, in that order, parsed once into types that hold only valid values.

mod database;
mod layers;
mod length_of_time;
mod options;
mod quotas;
mod rates;
mod reading;
mod serve;
mod sso;
mod toml_fault;
mod traces;

pub(crate) use database::DatabaseConfig;
pub(crate) use layers::{Faults, Layers};
pub(crate) use length_of_time::length_of_time;
pub(crate) use options::{DatabaseOptions, ServeOptions};
pub(crate) use serve::{ServeConfig, Spans};
pub(crate) use sso::SsoConfig;
pub(crate) use toml_fault::toml_fault;
pub(crate) use traces::TracesConfig;
