//! The built program as a user runs it: real binary, real HTTP, a real HTTPS receiver.

#![expect(clippy::unwrap_used, reason = "tests")]

mod access;
mod alerts;
mod as_code;
mod attack;
mod audit;
mod blocked;
mod book;
mod commands;
mod contract;
mod database;
mod described;
mod events;
mod history;
mod hooks;
mod hostile;
mod identity;
mod ingest;
mod log;
mod long_answers;
mod lost_access;
mod metrics;
mod mounted;
mod openapi;
mod people;
mod place;
mod quotas;
mod restart;
mod secrets;
mod server_in_trouble;
mod sso;
mod storm;
mod tasks;
mod terminal;
mod threats;
mod torture;
mod traces;
mod with_alertmanager;
mod with_dbt;
mod world;
