//! The engine and the sender against a real HTTPS receiver, with a queue that lives in memory.

#![expect(clippy::unwrap_used, reason = "tests")]

mod blocked;
mod certificates;
mod engine;
mod events;
mod follow_up;
mod guards;
mod idle;
mod leases;
mod memory_queue;
mod pace;
mod receivers;
mod set_aside;
mod world;
