//! Logs to standard error: text for people, JSON for machines. `RUST_LOG` sets the level.

mod log_queue;
mod process;

use std::{
    io::{IsTerminal, stderr},
    panic,
    sync::OnceLock,
};

use alert_connectors_api::METRICS_PREFIX;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tracing::Level;
use tracing_subscriber::{EnvFilter, fmt};

use log_queue::LogQueue;
use process::ProcessMeters;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

impl LogFormat {
    /// Text on a terminal, else JSON.
    pub(crate) fn default_here() -> Self {
        if stderr().is_terminal() {
            Self::Text
        } else {
            Self::Json
        }
    }
}

/// A handle to the running log. Dropping it flushes the queue.
pub(crate) struct Logging(LogQueue);

/// Panics of all threads and tasks.
fn panics() -> &'static Counter {
    static PANICS: OnceLock<Counter> = OnceLock::new();
    PANICS.get_or_init(Counter::default)
}

/// Starts to log, from a level on that `RUST_LOG` may change. Called once, before anything is logged.
pub(crate) fn start(format: LogFormat, level: Level) -> std::io::Result<Logging> {
    let queue = LogQueue::start(stderr())?;
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(queue.clone())
        .with_ansi(stderr().is_terminal());
    // A second start, as in a test, keeps the first.
    drop(match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    });
    panic::set_hook(Box::new(|panic| {
        panics().inc();
        // Its message may hold secrets that were being worked on. Its place is enough for a developer.
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a bug: something panicked");
    }));
    Ok(Logging(queue))
}

impl Logging {
    /// Registers what is known of the process, its version and its log.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(ProcessMeters));
        let registry = registry.sub_registry_with_prefix(METRICS_PREFIX);
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let build: Family<_, Gauge> = Family::default();
        build.get_or_create(&version).set(1);
        registry.register("build_info", "The version of the program", build);
        registry.register(
            "log_lines_dropped",
            "Log lines that were dropped, since the log could not be written",
            self.0.dropped(),
        );
        registry.register(
            "panics",
            "Panics of any thread or task, each of which is a bug",
            panics().clone(),
        );
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.0.flush();
    }
}
