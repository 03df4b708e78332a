//! The built program on PostgreSQL: what it promises on SQLite, and what several replicas promise together.

#![expect(clippy::unwrap_used, reason = "tests")]

mod migrate;
mod place;
mod replicas;

#[path = "../it/alerts.rs"]
mod alerts;
#[path = "../it/blocked.rs"]
mod blocked;
#[path = "../it/contract.rs"]
mod contract;
#[path = "../it/described.rs"]
mod described;
#[path = "../it/events.rs"]
mod events;
#[path = "../it/history.rs"]
mod history;
#[path = "../it/identity.rs"]
mod identity;
#[path = "../it/lost_access.rs"]
mod lost_access;
#[path = "../it/quotas.rs"]
mod quotas;
#[path = "../it/storm.rs"]
mod storm;
#[path = "../it/tasks.rs"]
mod tasks;
#[path = "../it/traces.rs"]
mod traces;
#[path = "../it/world.rs"]
mod world;
