//! What becomes of producers' bodies.

#![expect(clippy::unwrap_used, reason = "tests")]

mod alertmanager;
mod dbt;
mod hostile;
