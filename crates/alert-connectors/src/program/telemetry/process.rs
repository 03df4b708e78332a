//! What the system knows of this process, under the names that Prometheus's own client libraries use.

use std::fs;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};
use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

/// Reads Linux's `/proc` whenever the metrics are asked for; what can't be read is left out.
#[derive(Debug)]
pub(crate) struct ProcessMeters;

/// The figures of `/proc/self/stat`, as `proc_pid_stat(5)` describes them.
struct Stat {
    /// In user mode and in the kernel.
    cpu_seconds: f64,
    /// Since the system started.
    started_after_seconds: f64,
    virtual_bytes: i64,
    resident_bytes: i64,
    threads: i64,
}

impl Stat {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a clock tick more or less in centuries"
    )]
    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The name of the program may hold spaces and parentheses; the numbers come after it.
        let (_, numbers) = stat.rsplit_once(')')?;
        let numbers: Vec<&str> = numbers.split_whitespace().collect();
        // The first number after the name is the third field of the manual page.
        let field = |number: usize| numbers.get(number - 3)?.parse::<i64>().ok();
        let ticks = clock_ticks_per_second() as f64;
        let seconds = |count: i64| count as f64 / ticks;
        Some(Self {
            cpu_seconds: seconds(field(14)? + field(15)?),
            threads: field(20)?,
            started_after_seconds: seconds(field(22)?),
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * i64::try_from(page_size()).ok()?,
        })
    }
}

/// When the system started, in seconds since 1970.
fn boot_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn open_descriptors() -> Option<i64> {
    // The folder is open itself while it is read.
    let open = fs::read_dir("/proc/self/fd")
        .ok()?
        .count()
        .saturating_sub(1);
    i64::try_from(open).ok()
}

impl Collector for ProcessMeters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: Option<i64>| {
            let Some(value) = value else { return Ok(()) };
            let gauge = ConstGauge::new(value);
            let encoder = encoder.encode_descriptor(name, help, unit, gauge.metric_type())?;
            gauge.encode(encoder)
        };
        let stat = Stat::read();
        let of = |read: fn(&Stat) -> i64| stat.as_ref().map(read);
        let most = getrlimit(Resource::Nofile).current;
        let most = most.and_then(|most| i64::try_from(most).ok());
        gauge(
            "process_open_fds",
            "Open file descriptors",
            None,
            open_descriptors(),
        )?;
        gauge(
            "process_max_fds",
            "How many file descriptors may be open",
            None,
            most,
        )?;
        gauge("process_threads", "Threads", None, of(|stat| stat.threads))?;
        let bytes = Some(&Unit::Bytes);
        gauge(
            "process_resident_memory",
            "Memory in use",
            bytes,
            of(|stat| stat.resident_bytes),
        )?;
        gauge(
            "process_virtual_memory",
            "Memory that is reserved",
            bytes,
            of(|stat| stat.virtual_bytes),
        )?;
        let Some(stat) = stat else { return Ok(()) };
        if let Some(boot) = boot_seconds() {
            let started = ConstGauge::new(boot + stat.started_after_seconds);
            let (name, help) = ("process_start_time", "When the process started, since 1970");
            let encoder = encoder.encode_descriptor(
                name,
                help,
                Some(&Unit::Seconds),
                started.metric_type(),
            )?;
            started.encode(encoder)?;
        }
        let cpu = ConstCounter::new(stat.cpu_seconds);
        let (name, help) = (
            "process_cpu",
            "Time on a processor, in user mode and in the kernel",
        );
        let encoder =
            encoder.encode_descriptor(name, help, Some(&Unit::Seconds), cpu.metric_type())?;
        cpu.encode(encoder)
    }
}
