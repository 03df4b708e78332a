//! The memory, the descriptors and the threads of a process, looked at ten times a second. Whatever goes over a limit is killed,
//! as the operating system would do.

use std::{
    fmt, fs,
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{bail, ensure};
use tokio::task::JoinSet;

use crate::server::talk;

/// What a process may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Resident memory, in KiB.
    pub(crate) memory_kib: u64,
    /// Open files and connections.
    pub(crate) descriptors: u64,
}

/// The most that was seen.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) memory_kib: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
    pub(crate) was_killed: bool,
    pub(crate) is_gone: bool,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            memory_kib,
            descriptors,
            threads,
            ..
        } = self;
        let mib = memory_kib / 1_024;
        write!(
            f,
            "at most {mib} MiB, {descriptors} descriptors, {threads} threads"
        )
    }
}

/// A process under watch.
pub(crate) struct Vitals {
    limits: Limits,
    seen: Arc<Mutex<Seen>>,
    /// Ends with this.
    _watching: JoinSet<()>,
}

impl Vitals {
    pub(crate) fn watch(pid: u32, limits: Limits) -> anyhow::Result<Self> {
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

    /// The most that was seen since this was last asked.
    pub(crate) fn since_last(&self) -> Seen {
        let mut seen = self.seen();
        let (was_killed, is_gone) = (seen.was_killed, seen.is_gone);
        let nothing = Seen {
            was_killed,
            is_gone,
            ..Seen::default()
        };
        std::mem::replace(&mut *seen, nothing)
    }

    /// Says the most that was seen so far.
    pub(crate) fn say(&self, when: &str) {
        talk(format_args!("{when}: {}", self.seen()));
    }

    /// Fails if the process went over a limit.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
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
