//! Runs the scenarios, the long way, and prints what came of them.

use std::{io::Write, path::PathBuf, process::ExitCode, time::Duration};

use alert_connectors_torture::{
    Figures, Plan, Standby, attack, clock, database, disk, failover, faults, full, kill, patroni,
    replicas, soak, stalls,
};

const USAGE: &str = "usage: alert-connectors-torture PATH-OF-THE-PROGRAM SCENARIO ROUNDS
scenarios on SQLite: kill disk faults clock attack soak; on PostgreSQL: replicas stalls database full failover patroni";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [program, scenario, rounds] => run(program, scenario, rounds),
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr().lock(), "error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(program: &str, scenario: &str, rounds: &str) -> anyhow::Result<()> {
    let plan = Plan {
        program: PathBuf::from(program),
        rounds: rounds.parse()?,
        seed: 1,
        pause: Duration::from_millis(1),
        replicas: match scenario {
            "replicas" | "stalls" | "database" | "full" | "failover" | "patroni" => 3,
            _ => 0,
        },
        standby: match scenario {
            "failover" => Standby::Promoted,
            "patroni" => Standby::Patroni,
            _ => Standby::None,
        },
        between: match scenario {
            "database" => Duration::from_secs(20),
            _ => Duration::from_secs(3),
        },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let figures = runtime.block_on(async {
        match scenario {
            "kill" => kill(&plan).await,
            "disk" => disk(&plan).await,
            "faults" => faults(&plan).await,
            "clock" => clock(&plan).await,
            "attack" => attack(&plan).await,
            "soak" => soak(&plan).await,
            "replicas" => replicas(&plan).await,
            "stalls" => stalls(&plan).await,
            "database" => database(&plan).await,
            "full" => full(&plan).await,
            "failover" => failover(&plan).await,
            "patroni" => patroni(&plan).await,
            _ => Err(anyhow::anyhow!(USAGE)),
        }
    })?;
    let Figures {
        rounds,
        accepted,
        requests,
        repeated,
        worst_repeats,
    } = figures;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{scenario}: {rounds} rounds, {accepted} alerts accepted, {requests} requests, 0 lost, {repeated} duplicates \
         (at most {worst_repeats:.2} for a destination and kill)"
    )?;
    Ok(())
}
