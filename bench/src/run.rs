//! One run: the receiver, the bare client, then the server, and the table of what each cost.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{
    client::{DESTINATIONS, Target, filter_of},
    home::{Home, Store},
    lab::{Lab, PACED, Receiver},
    process::{output, say, talk, until},
    stats::percentile,
};

/// Alerts in a batch.
const BATCH: usize = 100;
/// Rounds, an odd number.
const ROUNDS: usize = 5;
/// Alerts that warm connections and caches before anything is measured.
const WARM_UP: usize = 6_400;

/// What a phase of the server cost.
struct Phase {
    cpu: f64,
    /// What the database's own processes used of it.
    database: f64,
    accepted_in: Duration,
    delivered_in: Duration,
    accept: Vec<Duration>,
    on_the_way: String,
}

/// Measures a release server with this many alerts.
pub(crate) async fn run(server: &str, store: Store, alerts: &str) -> anyhow::Result<()> {
    let alerts: usize = alerts.parse().context("a number of alerts")?;
    let alerts = alerts / (DESTINATIONS * BATCH) * (DESTINATIONS * BATCH);
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let own = std::env::current_exe()?.display().to_string();
    let (ca_file, payload_file) = (path("ca.pem"), path("payload.json"));
    let receiver = Receiver::start(&own, &ca_file)?;
    let home = Home::make(store, server, folder.path())?;
    let bench = Bench::start(server, home, &ca_file, &receiver).await?;
    bench.phase(&receiver, WARM_UP, 1).await?;
    fs::write(&payload_file, receiver.ask("payload").await?)?;
    let mut rounds = Vec::with_capacity(ROUNDS);
    for round in 1..=ROUNDS {
        talk(format_args!(
            "round {round} of {ROUNDS}: {alerts} alerts each way"
        ));
        let bare = bare_cost(&own, &ca_file, &receiver.base, &payload_file, alerts)?;
        let single = bench.phase(&receiver, alerts, 1).await?;
        let loaded = bench.lab.process.resident()?;
        let batched = bench.phase(&receiver, alerts, BATCH).await?;
        rounds.push(Round {
            bare,
            single,
            batched,
            loaded,
        });
    }
    let half = rounds
        .iter()
        .map(|round| {
            alerts as u64 * 500
                / u64::try_from(round.single.delivered_in.as_millis())
                    .unwrap_or(u64::MAX)
                    .max(1)
        })
        .min();
    table(&bench, alerts, rounds)?;
    calm(&bench, &receiver, half.unwrap_or(1_000)).await
}

/// The speed of the machine varies, so each round measures the bare client again, and the median round is shown.
struct Round {
    bare: f64,
    single: Phase,
    batched: Phase,
    loaded: f64,
}

fn bare_cost(
    own: &str,
    ca_file: &str,
    base: &str,
    payload_file: &str,
    count: usize,
) -> anyhow::Result<f64> {
    let cpu = output(
        own,
        &["bare", ca_file, base, payload_file, &count.to_string()],
    )?;
    cpu.parse().context("the bare client tells its CPU seconds")
}

struct Bench {
    lab: Lab,
    target: Target,
}

impl Bench {
    async fn start(
        server: &str,
        home: Home,
        ca_file: &str,
        receiver: &Receiver,
    ) -> anyhow::Result<Self> {
        let lab = Lab::start(server, home, ca_file, PACED).await?;
        lab.space("bench")?;
        for destination in 0..DESTINATIONS {
            let (alert_type, severity) = filter_of(destination);
            let url = format!("{}/services/{destination}", receiver.base);
            lab.connect("bench", &url, &alert_type, &[severity]).await?;
        }
        let target = lab.target("bench");
        Ok(Self { lab, target })
    }

    /// Posts this many alerts and waits until all of them have arrived.
    async fn phase(
        &self,
        receiver: &Receiver,
        alerts: usize,
        batch: usize,
    ) -> anyhow::Result<Phase> {
        let (before, cpu) = (receiver.count().await?, self.lab.cpu()?);
        let database = self.lab.home.cpu()?;
        receiver.ask("latency").await?;
        let started = Instant::now();
        let each = alerts / DESTINATIONS;
        let clients = if batch == 1 { DESTINATIONS } else { 8 };
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..clients {
            let target = self.target.clone();
            if batch == 1 {
                tasks.spawn(target.post_each(number, DESTINATIONS, each));
            } else {
                tasks.spawn(target.post_batches(
                    number * (alerts / clients),
                    batch,
                    alerts / clients,
                ));
            }
        }
        let mut accept = Vec::with_capacity(alerts);
        while let Some(times) = tasks.join_next().await {
            accept.extend(times??);
        }
        let accepted_in = started.elapsed();
        let wanted = before + alerts as u64;
        until("delivery", async || Ok(receiver.count().await? >= wanted)).await?;
        let delivered_in = started.elapsed();
        // The last outcomes are being recorded.
        tokio::time::sleep(Duration::from_millis(200)).await;
        accept.sort_unstable();
        let on_the_way = receiver.ask("latency").await?;
        Ok(Phase {
            cpu: self.lab.cpu()? - cpu,
            database: self.lab.home.cpu()? - database,
            accepted_in,
            delivered_in,
            accept,
            on_the_way,
        })
    }
}

/// How long alerts take when there is little to do, and at half of what saturates.
async fn calm(bench: &Bench, receiver: &Receiver, half: u64) -> anyhow::Result<()> {
    for (name, rate) in [("calm", 50), ("half load", half)] {
        receiver.ask("latency").await?;
        let before = receiver.count().await?;
        let accept = bench.target.clone().post_paced(rate, PACED_FOR).await?;
        let wanted = before + accept.len() as u64;
        until("delivery", async || Ok(receiver.count().await? >= wanted)).await?;
        let arrival = receiver.ask("latency").await?;
        let (p50, p99) = arrival.split_once(' ').unwrap_or_default();
        say(format_args!(
            "{name} ({rate} a second): accept p50 {:.2} ms, p99 {:.2} ms; arrival p50 {p50} ms, p99 {p99} ms",
            percentile(&accept, 0.5),
            percentile(&accept, 0.99),
        ))?;
    }
    Ok(())
}

/// How long a pace is kept up.
const PACED_FOR: Duration = Duration::from_secs(6);

fn table(bench: &Bench, alerts: usize, mut rounds: Vec<Round>) -> anyhow::Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let alerts = alerts as f64;
    rounds.sort_by(|one, other| {
        (one.single.cpu / one.bare).total_cmp(&(other.single.cpu / other.bare))
    });
    let ratios: Vec<String> = rounds
        .iter()
        .map(|round| format!("{:.2}", round.single.cpu / round.bare))
        .collect();
    let round = rounds.swap_remove(ROUNDS / 2);
    say(format_args!(
        "{:<44}{:>12}{:>12}",
        "",
        "one each",
        format!("batches {BATCH}")
    ))?;
    for (name, of) in ROWS {
        let (single, batched) = (
            of(&round.single, alerts, round.bare),
            of(&round.batched, alerts, round.bare),
        );
        say(format_args!("{name:<44}{single:>12}{batched:>12}"))?;
    }
    let started_in = bench.lab.started_in.as_secs_f64() * 1_000.0;
    for (name, figure) in [
        ("start to listening (ms)", format!("{started_in:.0}")),
        (
            "resident memory idle (MiB)",
            format!("{:.1}", bench.lab.idle),
        ),
        (
            "resident memory in load (MiB)",
            format!("{:.1}", round.loaded),
        ),
    ] {
        say(format_args!("{name:<44}{figure:>12}"))?;
    }
    say(format_args!(
        "ratios of all rounds, one each: {}",
        ratios.join(", ")
    ))?;
    Ok(())
}

/// What a row shows of a phase with this many alerts, when the bare client took this CPU time for as many posts.
type Figure = fn(&Phase, f64, f64) -> String;

const ROWS: [(&str, Figure); 10] = [
    (
        "CPU per delivered alert, database included (µs)",
        |phase, alerts, _| format!("{:.1}", phase.cpu / alerts * 1e6),
    ),
    (
        "of which the database's processes (µs)",
        |phase, alerts, _| format!("{:.1}", phase.database / alerts * 1e6),
    ),
    (
        "CPU of the bare client per post (µs)",
        |_, alerts, bare| format!("{:.1}", bare / alerts * 1e6),
    ),
    ("ratio (server : bare)", |phase, _, bare| {
        format!("{:.2}", phase.cpu / bare)
    }),
    ("accepted (a second)", |phase, alerts, _| {
        format!("{:.0}", alerts / phase.accepted_in.as_secs_f64())
    }),
    ("delivered (a second)", |phase, alerts, _| {
        format!("{:.0}", alerts / phase.delivered_in.as_secs_f64())
    }),
    ("accept p50 (ms)", |phase, _, _| {
        format!("{:.2}", percentile(&phase.accept, 0.5))
    }),
    ("accept p99 (ms)", |phase, _, _| {
        format!("{:.2}", percentile(&phase.accept, 0.99))
    }),
    ("arrival p50 (ms)", |phase, _, _| word(&phase.on_the_way, 0)),
    ("arrival p99 (ms)", |phase, _, _| word(&phase.on_the_way, 1)),
];

/// One of the words of a text.
fn word(text: &str, at: usize) -> String {
    text.split(' ').nth(at).unwrap_or_default().to_owned()
}
