//! The program: command line, configuration, and a server with signals around the library.

mod cli;
mod config;
mod lifecycle;
mod server;
mod service;
mod telemetry;

use std::process::ExitCode;

/// A fast allocator: the hot path makes some dozens of small allocations for each alert.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
