//! The scenarios of several servers on one PostgreSQL database.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use alert_connectors_cluster::Traffic;
use alert_connectors_model::{Random, SeededRandom};
use anyhow::{Context, bail, ensure};
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    load::Load,
    scenario::{Figures, Plan, RATE, SETTLE_MAX, Stage, TYPES, moment},
    server::{Server, talk},
    small_disk::SmallDisk,
};

/// Without a database a request is answered after this at the latest; two seconds, and one for a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(3);

impl Stage {
    fn replica(&mut self, at: usize) -> &mut Server {
        match at.checked_sub(1) {
            None => &mut self.server,
            Some(at) => &mut self.others[at],
        }
    }
}

fn one_of(random: &dyn Random, count: usize) -> usize {
    usize::try_from(random.below(count as u64)).unwrap_or(0)
}

/// Kills one replica after the other under load, and starts it again.
pub async fn replicas(plan: &Plan) -> anyhow::Result<Figures> {
    let mut stage = Stage::set(plan, None, RATE).await?;
    let random = SeededRandom::new(plan.seed);
    let load = Load::start(&stage.targets(), &TYPES, plan.pause, 0);
    for round in 1..=plan.rounds {
        tokio::time::sleep(plan.between + moment(&random, 1_000)).await;
        let victim = one_of(&random, plan.replicas);
        stage.replica(victim).kill()?;
        tokio::time::sleep(moment(&random, 1_000)).await;
        stage.replica(victim).start().await?;
        if round % 10 == 0 {
            talk(format_args!("{round} of {} kills", plan.rounds));
        }
    }
    let posted = load.stop().await?;
    stage.settle().await?;
    stage.audit(&posted, plan.rounds).await
}

/// Lets one replica after the other stand still for longer than a lease holds, and go on.
pub async fn stalls(plan: &Plan) -> anyhow::Result<Figures> {
    let mut stage = Stage::set(plan, None, RATE).await?;
    let random = SeededRandom::new(plan.seed);
    let load = Load::start(&stage.targets(), &TYPES, plan.pause, 0);
    for round in 1..=plan.rounds {
        tokio::time::sleep(Duration::from_millis(500) + moment(&random, 1_000)).await;
        let victim = one_of(&random, plan.replicas);
        stage.replica(victim).signal("-STOP")?;
        tokio::time::sleep(Duration::from_secs(30)).await;
        stage.replica(victim).signal("-CONT")?;
        talk(format_args!("{round} of {} stalls", plan.rounds));
    }
    let posted = load.stop().await?;
    stage.settle().await?;
    stage.audit(&posted, plan.rounds).await
}

/// What is done to the database.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Restarted,
    Killed,
    Cut,
    Stalled,
    Crowded,
}

const FAULTS: [Fault; 5] = [
    Fault::Restarted,
    Fault::Killed,
    Fault::Cut,
    Fault::Stalled,
    Fault::Crowded,
];

/// Takes the database away in every way, and gives it back.
pub async fn database(plan: &Plan) -> anyhow::Result<Figures> {
    let mut stage = Stage::set(plan, None, RATE).await?;
    let random = SeededRandom::new(plan.seed);
    let load = Load::start(&stage.targets(), &TYPES, plan.pause, 0);
    let mut slowest = Duration::ZERO;
    for round in 0..plan.rounds {
        tokio::time::sleep(Duration::from_millis(500) + moment(&random, 1_000)).await;
        let fault = FAULTS[round % FAULTS.len()];
        slowest = slowest.max(happen(&mut stage, fault, plan.between).await?);
        works_again(&stage).await?;
        talk(format_args!("{} of {}: {fault:?}", round + 1, plan.rounds));
    }
    talk(format_args!(
        "the slowest answer without a database took {slowest:.2?}"
    ));
    let posted = load.stop().await?;
    stage.settle().await?;
    stage.audit(&posted, plan.rounds).await
}

/// Lets a fault happen for a while; says how long the slowest answer took meanwhile.
async fn happen(stage: &mut Stage, fault: Fault, lasting: Duration) -> anyhow::Result<Duration> {
    let cluster = stage.cluster.as_mut().context("there is a cluster")?;
    let proxy = |traffic| {
        if let Some(proxy) = &stage.proxy {
            proxy.set(traffic);
        }
    };
    let mut crowd = Vec::new();
    match fault {
        Fault::Restarted => cluster.stop()?,
        Fault::Killed => cluster.kill()?,
        Fault::Cut => proxy(Traffic::Cut),
        Fault::Stalled => proxy(Traffic::Stalls),
        Fault::Crowded => crowd = crowded(&cluster.url("torture"))?,
    }
    let started = Instant::now();
    let mut slowest = Duration::ZERO;
    while started.elapsed() < lasting {
        let asked = Instant::now();
        let (status, ready) = probe(&stage.server).await?;
        let took = asked.elapsed();
        slowest = slowest.max(took);
        ensure!(took < ANSWER_MAX, "{fault:?}: an answer took {took:?}");
        let expected = match fault {
            // Those who are connected already stay so.
            Fault::Crowded => {
                status == StatusCode::ACCEPTED || status == StatusCode::SERVICE_UNAVAILABLE
            }
            _ => {
                status == StatusCode::SERVICE_UNAVAILABLE
                    && ready == StatusCode::SERVICE_UNAVAILABLE
            }
        };
        // What was on its way when it happened may still be answered well.
        if !expected && started.elapsed() > Duration::from_secs(1) {
            bail!("{fault:?}: answered {status}, and {ready} when asked whether it is ready");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    match fault {
        Fault::Restarted | Fault::Killed => {
            if let Some(cluster) = &mut stage.cluster {
                cluster.run()?;
            }
        }
        Fault::Cut | Fault::Stalled => {
            if let Some(proxy) = &stage.proxy {
                proxy.set(Traffic::Flows);
            }
        }
        Fault::Crowded => {
            for mut one in crowd {
                one.kill()?;
                one.wait()?;
            }
        }
    }
    Ok(slowest)
}

/// Takes all connections that there are.
fn crowded(url: &str) -> anyhow::Result<Vec<Child>> {
    let one = || {
        Command::new("psql")
            .args([url, "-qAtc", "SELECT pg_sleep(60)"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("psql can't be started")
    };
    (0..40).map(|_| one()).collect()
}

/// Posts an alert that no connector matches, and asks whether the server is ready.
async fn probe(server: &Server) -> anyhow::Result<(StatusCode, StatusCode)> {
    let (client, url, token) = server.target();
    let body = json!({"alert_type": "nobody", "severity": "low", "title": "probe"});
    let posted = client
        .post(&url)
        .header("authorization", &token)
        .json(&body)
        .send();
    let ready = client.get(server.url("/health/ready")).send();
    let (posted, ready) = tokio::try_join!(posted, ready)?;
    if posted.status() == StatusCode::SERVICE_UNAVAILABLE {
        ensure!(
            posted.headers().contains_key("retry-after"),
            "a 503 does not say when to come back"
        );
    }
    Ok((posted.status(), ready.status()))
}

async fn works_again(stage: &Stage) -> anyhow::Result<()> {
    let since = Instant::now();
    for server in std::iter::once(&stage.server).chain(&stage.others) {
        while probe(server).await? != (StatusCode::ACCEPTED, StatusCode::OK) {
            ensure!(
                since.elapsed() < SETTLE_MAX,
                "it does not recover: {}",
                server.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// Fills the database's disk in the middle and makes room again. Needs root, for a small file system of its own.
pub async fn full(plan: &Plan) -> anyhow::Result<Figures> {
    let small = SmallDisk::mount(400)?;
    fs::create_dir(small.0.path().join("data"))?;
    let mut stage = Stage::set(plan, Some(small.0.path()), RATE).await?;
    let load = Load::start(&stage.targets(), &TYPES, plan.pause, 0);
    for round in 1..=plan.rounds {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let ballast = small.fill();
        let (since, mut refused) = (Instant::now(), 0);
        while refused < 3 {
            match probe(&stage.server).await?.0 {
                StatusCode::SERVICE_UNAVAILABLE => refused += 1,
                StatusCode::ACCEPTED => {}
                status => bail!("with a full disk an alert was answered {status}"),
            }
            ensure!(since.elapsed() < SETTLE_MAX, "the disk does not get full");
        }
        fs::remove_file(ballast)?;
        // A log that can't be written ends PostgreSQL itself; its operator starts it again.
        if let Some(cluster) = &mut stage.cluster
            && cluster.has_ended()
        {
            cluster.run()?;
        }
        works_again(&stage).await?;
        talk(format_args!(
            "{round} of {} times the disk was full",
            plan.rounds
        ));
    }
    let posted = load.stop().await?;
    stage.settle().await?;
    stage.audit(&posted, plan.rounds).await
}

/// Kills the database machine: its synchronous standby takes its place, and what comes up again follows that one.
pub async fn failover(plan: &Plan) -> anyhow::Result<Figures> {
    let mut stage = Stage::set(plan, None, RATE).await?;
    let load = Load::start(&stage.targets(), &TYPES, plan.pause, 0);
    let mut slowest = Duration::ZERO;
    for round in 1..=plan.rounds {
        tokio::time::sleep(plan.between).await;
        let mut dead = stage.cluster.take().context("there is a primary")?;
        let next = stage.standby.take().context("there is a standby")?;
        dead.kill()?;
        next.promote()?;
        let promoted = Instant::now();
        works_again(&stage).await?;
        let took = promoted.elapsed();
        slowest = slowest.max(took);
        dead.follow(&next)?;
        (stage.cluster, stage.standby) = (Some(next), Some(dead));
        talk(format_args!(
            "{round} of {}: all replicas accept {took:.2?} after the promotion",
            plan.rounds
        ));
    }
    talk(format_args!(
        "all replicas accepted within {slowest:.2?} of each promotion"
    ));
    let posted = load.stop().await?;
    stage.settle().await?;
    stage.audit(&posted, plan.rounds).await
}

/// Kills the database machine and leaves it to Patroni to promote its standby. What comes up again follows the new leader.
pub async fn patroni(plan: &Plan) -> anyhow::Result<Figures> {
    let mut stage = Stage::set(plan, None, RATE).await?;
    let load = Load::start(&stage.targets(), &TYPES, plan.pause, 0);
    for round in 1..=plan.rounds {
        tokio::time::sleep(plan.between).await;
        let killed = Instant::now();
        let kept = stage.patroni.as_mut().context("Patroni keeps it")?;
        let dead = kept.kill_leader()?;
        kept.until_taken_over(dead)?;
        let (waited, promoted) = (killed.elapsed(), Instant::now());
        works_again(&stage).await?;
        let took = promoted.elapsed();
        let kept = stage.patroni.as_mut().context("Patroni keeps it")?;
        kept.start_member(dead)?;
        kept.until_whole(SETTLE_MAX)?;
        talk(format_args!(
            "{round} of {}: promoted {waited:.1?} after the kill, all replicas accept {took:.2?} later",
            plan.rounds
        ));
    }
    let posted = load.stop().await?;
    stage.settle().await?;
    stage.audit(&posted, plan.rounds).await
}
