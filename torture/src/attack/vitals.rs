//! The memory, the descriptors and the threads of a process, looked at ten times a second. Whatever goes over a limit is killed,
//! as the operating system would do.

use std::{
    fs,
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{bail, ensure};
use tokio::task::JoinSet;

use crate::server::talk;

/// What a process may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Resident memory, in KiB.
    pub(super) memory_kib: u64,
    /// Open files and connections.
    pub(super) descriptors: u64,
}

/// The most that was seen.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    memory_kib: u64,
    descriptors: u64,
    threads: u64,
    was_killed: bool,
    is_gone: bool,
}

/// A process under watch.
pub(super) struct Vitals {
    limits: Limits,
    seen: Arc<Mutex<Seen>>,
    /// Ends with this.
    _watching: JoinSet<()>,
}

impl Vitals {
    pub(super) fn watch(pid: u32, limits: Limits) -> anyhow::Result<Self> {
        ensure!(look(pid).is_some(), "/proc says nothing of process {pid}");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let noting = Arc::clone(&seen);
        let mut watching = JoinSet::new();
        watching.spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            while let Some(now) = look(pid) {
                let is_over = now.memory_kib > limits.memory_kib;
                note(&noting, now, is_over);
                if is_over {
                    drop(Command::new("kill").args(["-9", &pid.to_string()]).status());
                    return;
                }
                ticks.tick().await;
            }
            noting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_gone = true;
        });
        Ok(Self {
            limits,
            seen,
            _watching: watching,
        })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says the most that was seen so far.
    pub(super) fn say(&self, when: &str) {
        let Seen {
            memory_kib,
            descriptors,
            threads,
            ..
        } = *self.seen();
        talk(format_args!(
            "{when}: at most {} MiB, {descriptors} descriptors, {threads} threads",
            memory_kib / 1_024
        ));
    }

    /// Fails if the process went over a limit.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Seen {
            memory_kib,
            descriptors,
            was_killed,
            is_gone,
            ..
        } = *self.seen();
        if was_killed {
            bail!("it took {} MiB and was killed", memory_kib / 1_024);
        }
        ensure!(
            descriptors <= self.limits.descriptors,
            "{descriptors} descriptors were open"
        );
        ensure!(!is_gone, "the process is gone");
        Ok(())
    }
}

fn note(seen: &Mutex<Seen>, now: Seen, is_over: bool) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.memory_kib = seen.memory_kib.max(now.memory_kib);
    seen.descriptors = seen.descriptors.max(now.descriptors);
    seen.threads = seen.threads.max(now.threads);
    seen.was_killed |= is_over;
}

/// What a process uses now.
fn look(pid: u32) -> Option<Seen> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let figure = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some(Seen {
        memory_kib: figure("VmRSS:")?,
        descriptors: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64,
        threads: figure("Threads:")?,
        was_killed: false,
        is_gone: false,
    })
}
