//! Everything at once, for minutes: what an ordinary week brings, and some of what a bad one does. Memory, threads and
//! descriptors must not grow with time.

mod clients;

use std::time::Duration;

use anyhow::ensure;

use crate::{
    honest::{self, Honest},
    scenario::{Figures, Plan, RATE, Stage},
    server::talk,
    vitals::{Limits, Seen, Vitals},
};
use clients::Clients;

/// What the server may take.
const LIMITS: Limits = Limits {
    memory_kib: 96 * 1_024,
    descriptors: 1_024,
};
const MINUTE: Duration = Duration::from_mins(1);
/// Fewer minutes have no middle and no end.
const MINUTES_MIN: usize = 3;
/// How much more the last third may take than the middle one, in a hundred, and beside that.
const MORE_PERCENT: u64 = 10;
const MORE_THREADS: u64 = 3;
const MORE_DESCRIPTORS: u64 = 16;

/// Lets it work for as many minutes as there are rounds.
pub async fn soak(plan: &Plan) -> anyhow::Result<Figures> {
    ensure!(
        plan.rounds >= MINUTES_MIN,
        "a soak takes {MINUTES_MIN} minutes at least"
    );
    let stage = Stage::set(plan, None, RATE).await?;
    let vitals = Vitals::watch(stage.server.pid()?, LIMITS)?;
    let honest = Honest::start(&stage.server);
    let mut clients = Clients::start(&stage.server).await?;
    let mut minutes = Vec::new();
    for minute in 1..=plan.rounds {
        tokio::time::sleep(MINUTE).await;
        vitals.check()?;
        clients.check()?;
        let seen = vitals.since_last();
        talk(format_args!("{minute} of {} minutes: {seen}", plan.rounds));
        minutes.push(seen);
    }
    let (done, refused) = clients.stop();
    let mut took = Vec::new();
    let posted = honest.stop(&mut took).await?;
    talk(format_args!(
        "honest requests beside {done} others and {refused} that were refused: {}",
        honest::summary(took)
    ));
    stage.settle().await?;
    let figures = stage.audit(&posted, 0).await?;
    is_flat(&minutes)?;
    Ok(Figures {
        rounds: plan.rounds,
        ..figures
    })
}

/// Compares the last third of the time with the middle one.
fn is_flat(minutes: &[Seen]) -> anyhow::Result<()> {
    let third = minutes.len() / 3;
    let most = |minutes: &[Seen], of: fn(&Seen) -> u64| minutes.iter().map(of).max().unwrap_or(0);
    let (before, last) = minutes.split_at(minutes.len() - third);
    let middle = before.get(third..).unwrap_or_default();
    let compare = |what: &str, of: fn(&Seen) -> u64, more: u64| {
        let (middle, last) = (most(middle, of), most(last, of));
        ensure!(
            last <= middle * (100 + MORE_PERCENT) / 100 + more,
            "{last} {what} in the last third, {middle} in the middle one"
        );
        Ok(())
    };
    compare("KiB", |seen| seen.memory_kib, 0)?;
    compare("threads", |seen| seen.threads, MORE_THREADS)?;
    compare("descriptors", |seen| seen.descriptors, MORE_DESCRIPTORS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_from_third_to_third_is_not_flat() {
        let minutes = |memory: [u64; 6]| {
            memory.map(|memory_kib| Seen {
                memory_kib,
                ..Seen::default()
            })
        };
        assert!(is_flat(&minutes([10, 50, 90, 100, 105, 110])).is_ok());
        assert!(is_flat(&minutes([10, 50, 90, 100, 105, 111])).is_err());
    }
}
