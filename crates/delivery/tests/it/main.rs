//! The engine and the sender against a real HTTPS receiver, with a queue that lives in memory.

#![expect(clippy::unwrap_used, reason = "tests")]

mod engine;
mod guards;
mod receivers;
mod world;
