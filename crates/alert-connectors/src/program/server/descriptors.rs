//! Shares out the file descriptors that the system grants this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the store, the listener, the log and what the runtime needs.
const RESERVE: u64 = 64;
/// At most this many callers are served at once, however many descriptors there are.
const CALLERS_MAX: u64 = 8_192;
/// No more descriptors than this are asked for.
const WANTED: u64 = 16_384;

/// How many connections may be open at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptors {
    /// Of callers.
    pub(crate) callers: usize,
    /// To webhooks.
    pub(crate) webhooks: usize,
}

impl Descriptors {
    /// Asks the system for enough descriptors, and shares out what it grants. `webhooks` is the wanted number of
    /// connections to webhooks.
    pub(crate) fn share_out(webhooks: usize) -> Self {
        let limit = getrlimit(Resource::Nofile);
        let most = limit.maximum.unwrap_or(u64::MAX);
        let given = limit.current.unwrap_or(u64::MAX);
        let wanted = given.max(WANTED.min(most));
        let raised = Rlimit {
            current: Some(wanted),
            ..limit
        };
        let all = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => wanted,
            Err(_refused) => given,
        };
        Self::of(all, webhooks)
    }

    fn of(all: u64, webhooks: usize) -> Self {
        let free = all.saturating_sub(RESERVE).max(2);
        let webhooks = (webhooks as u64).min(free / 2);
        let callers = (free - webhooks).min(CALLERS_MAX);
        let number = |count| usize::try_from(count).unwrap_or(usize::MAX);
        Self {
            callers: number(callers),
            webhooks: number(webhooks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_is_shared_and_some_is_kept() {
        for (all, callers, webhooks) in [
            (256, 96, 96),
            (1_024, 480, 480),
            (4_096, 3_520, 512),
            (1_048_576, 8_192, 512),
            (10, 1, 1),
        ] {
            let shared = Descriptors::of(all, 512);
            assert_eq!(
                (shared.callers, shared.webhooks),
                (callers, webhooks),
                "{all}"
            );
        }
    }
}
