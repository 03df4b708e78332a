//! The program: command line, configuration, and the wiring of the rooms.

mod cli;
mod config;
mod database;
mod lifecycle;
mod server;
mod service;
mod system;
mod telemetry;
mod upkeep;

use std::process::ExitCode;

/// A fast allocator: the hot path makes some dozens of small allocations for each alert.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
