//! What a product that must not lose an alert has to live through: killed at random moments, a full disk, a receiver that
//! fails in every known way, a clock that steps, an attack, half an hour of everything at once; on PostgreSQL replicas that die or stall, a
//! database that goes away, and one whose machine dies. Each scenario runs the built program as a user would, counts what the API accepted, what the receiver got and what the
//! store says, and fails unless they agree.

mod attack;
mod honest;
mod ledger;
mod load;
mod receiver;
mod replicas;
mod scenario;
mod server;
mod small_disk;
mod soak;
mod vitals;

pub use attack::attack;
pub use replicas::{database, failover, full, patroni, replicas, stalls};
pub use scenario::{Figures, Plan, Standby, clock, disk, faults, kill};
pub use soak::soak;
