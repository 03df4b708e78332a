//! The scenarios.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use alert_connectors_cluster::{Cluster, Patroni, Proxy, Setup};
use alert_connectors_inbox::{ROWS, Row};
use alert_connectors_model::{Random, SeededRandom};
use anyhow::{Context, bail, ensure};
use reqwest::{Method, StatusCode};
use rustls::ServerConfig;
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{
    ledger::{Account, Posted, each_alone, in_order, with_digests},
    load::{Load, Target},
    receiver::Receiver,
    server::{Home, Server, talk},
    small_disk::SmallDisk,
};

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The built program.
    pub program: PathBuf,
    /// How many rounds.
    pub rounds: usize,
    /// Seeds the moments.
    pub seed: u64,
    /// Between two alerts of a client.
    pub pause: Duration,
    /// How many servers share a PostgreSQL database; none of them on SQLite.
    pub replicas: usize,
    /// Who takes over when the machine of the PostgreSQL database dies.
    pub standby: Standby,
    /// How long a fault of the database lasts, and how long replicas are left alone between two kills.
    pub between: Duration,
}

/// Who takes over when the machine of a database dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standby {
    /// Nobody.
    None,
    /// A synchronous standby, which the scenario promotes.
    Promoted,
    /// A synchronous standby, which Patroni promotes.
    Patroni,
}

/// What came of it.
#[derive(Debug, Default, Clone, Copy)]
pub struct Figures {
    /// Rounds that were run.
    pub rounds: usize,
    /// Alerts that were accepted, each for one destination.
    pub accepted: usize,
    /// Requests that the receiver took.
    pub requests: usize,
    /// Alerts that arrived more than once.
    pub repeated: usize,
    /// The most that one destination got more than once for each kill, in requests of one alert each.
    pub worst_repeats: f64,
}

/// Four destinations without a pace, whose messages are of one alert each, and two with one, whose messages may be digests.
const ALONE: [&str; 4] = ["slack_a", "slack_b", "slack_c", "slack_d"];
const PACED: [&str; 2] = ["teams_a", "teams_b"];
pub(crate) const TYPES: [&str; 6] = [
    "slack_a", "slack_b", "slack_c", "slack_d", "teams_a", "teams_b",
];
pub(crate) const RATE: &str = "slack=unlimited,teams=1/40ms,burst=3";
/// After a crash at most this many requests of a destination are repeated.
const REPEATS_MAX: usize = 4;
/// A small PostgreSQL that three replicas fit in, and not many more.
const SETTINGS: [&str; 4] = [
    "max_connections=32",
    "superuser_reserved_connections=0",
    "min_wal_size=32MB",
    "max_wal_size=64MB",
];
/// Everything must have arrived after this.
pub(crate) const SETTLE_MAX: Duration = Duration::from_mins(3);

/// Servers on one database, a receiver, and a connector for each type of alert.
pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) server: Server,
    /// The other replicas.
    pub(crate) others: Vec<Server>,
    pub(crate) cluster: Option<Cluster>,
    pub(crate) standby: Option<Cluster>,
    pub(crate) patroni: Option<Patroni>,
    pub(crate) proxy: Option<Proxy>,
    receiver: Receiver,
    /// What the server trusts receivers by.
    pub(crate) tls: Arc<ServerConfig>,
    connectors: Vec<(&'static str, String)>,
    stopping: CancellationToken,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

impl Stage {
    pub(crate) async fn set(
        plan: &Plan,
        database_folder: Option<&Path>,
        rate: &str,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (receiver, stopping) = (Receiver::default(), CancellationToken::new());
        let ca_file = folder.path().join("ca.pem");
        let (base, tls) = receiver.start(&ca_file, stopping.clone()).await?;
        let place = database_folder.unwrap_or(folder.path());
        let (mut cluster, mut standby, mut patroni, mut proxy) = (None, None, None, None);
        let home = if plan.replicas == 0 {
            Home::sqlite(place)
        } else if plan.standby == Standby::Patroni {
            let kept = Patroni::start()?;
            kept.create("torture")?;
            let url = kept.url("torture");
            patroni = Some(kept);
            Home::postgres(&plan.program, place, &url)?
        } else {
            let made = Cluster::start(&Setup {
                to_disk: true,
                settings: SETTINGS.map(str::to_owned).to_vec(),
                folder: database_folder.map(|folder| folder.join("data")),
            })?;
            made.create("torture")?;
            let url = if plan.standby == Standby::Promoted {
                let other = made.standby()?;
                let url = made.url_of_either(&other, "torture");
                standby = Some(other);
                url
            } else {
                let between = Proxy::start(&made.url("torture"))?;
                let url = between.url("torture");
                proxy = Some(between);
                url
            };
            cluster = Some(made);
            Home::postgres(&plan.program, place, &url)?
        };
        let mut server = Server::furnish(&plan.program, &home, &ca_file, rate)?;
        server.start().await?;
        let mut others = Vec::new();
        for _ in 1..plan.replicas {
            let mut other = server.replica()?;
            other.start().await?;
            others.push(other);
        }
        let mut connectors = Vec::new();
        for name in TYPES {
            let platform = name.split('_').next().unwrap_or_default();
            let id = server
                .connect(platform, &format!("{base}/{name}"), &[name])
                .await?;
            connectors.push((name, id));
        }
        Ok(Self {
            folder,
            server,
            others,
            cluster,
            standby,
            patroni,
            proxy,
            receiver,
            tls,
            connectors,
            stopping,
        })
    }

    /// Where alerts go: to every replica.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let servers = std::iter::once(&self.server).chain(&self.others);
        servers.map(Server::target).collect()
    }

    /// Where it keeps its files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until nothing is pending any more.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        for (name, id) in &self.connectors {
            loop {
                let (_, health) = self
                    .server
                    .ask(Method::GET, &format!("/alert-connectors/{id}/health"), None)
                    .await?;
                if health["queue_depth"] == 0 {
                    break;
                }
                if started.elapsed() > SETTLE_MAX {
                    bail!("{name} is stuck: {health}\n{}", self.server.log());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Compares what was accepted with what arrived and what the store says.
    pub(crate) async fn audit(&self, posted: &[Posted], kills: usize) -> anyhow::Result<Figures> {
        let mut figures = Figures {
            rounds: kills,
            ..Figures::default()
        };
        for (name, id) in &self.connectors {
            let mine: Vec<_> = posted
                .iter()
                .filter(|posted| posted.alert_type == *name)
                .cloned()
                .collect();
            let arrivals = self.receiver.arrivals(&format!("/{name}"));
            let alone = ALONE.contains(name);
            let account = if alone {
                in_order(&mine, &arrivals).context(*name)?;
                each_alone(&mine, &arrivals).context(*name)?
            } else {
                with_digests(mine.len(), &arrivals).context(*name)?
            };
            let delivered = self.server.count(id, "delivered").await?;
            let accepted = self.server.count(id, "accepted").await?;
            ensure!(
                delivered + accepted == mine.len(),
                "{name}: the store says {delivered} of {}",
                mine.len()
            );
            add(&mut figures, account);
            if alone && kills > 0 {
                ensure!(
                    account.repeated <= REPEATS_MAX * kills,
                    "{name}: {} repeats in {kills} kills",
                    account.repeated
                );
                #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
                let each = account.repeated as f64 / kills as f64;
                figures.worst_repeats = figures.worst_repeats.max(each);
            }
        }
        ensure!(
            self.connectors.len() == ALONE.len() + PACED.len(),
            "every destination was held to account"
        );
        Ok(figures)
    }
}

fn add(figures: &mut Figures, account: Account) {
    figures.accepted += account.accepted;
    figures.requests += account.requests;
    figures.repeated += account.repeated;
}

/// A moment at most this many milliseconds away.
pub(crate) fn moment(random: &dyn Random, millis: u64) -> Duration {
    Duration::from_millis(random.below(millis))
}

/// Kills the server at random moments under load and starts it again.
pub async fn kill(plan: &Plan) -> anyhow::Result<Figures> {
    let mut stage = Stage::set(plan, None, RATE).await?;
    let random = SeededRandom::new(plan.seed);
    let load = Load::start(&stage.targets(), &TYPES, plan.pause, 0);
    for round in 1..=plan.rounds {
        tokio::time::sleep(Duration::from_millis(30) + moment(&random, 400)).await;
        stage.server.kill()?;
        stage.server.start().await?;
        if round % 20 == 0 {
            let count = stage.receiver.count();
            talk(format_args!(
                "{round} of {} kills, {count} requests arrived",
                plan.rounds
            ));
        }
    }
    let posted = load.stop().await?;
    stage.settle().await?;
    stage.audit(&posted, plan.rounds).await
}

/// Fills the disk in the middle and makes room again. Needs root, for a small file system of its own.
pub async fn disk(plan: &Plan) -> anyhow::Result<Figures> {
    let small = SmallDisk::mount(96)?;
    let stage = Stage::set(plan, Some(small.0.path()), RATE).await?;
    let (_, url, token) = stage.server.target();
    let probe = async || {
        let body = json!({"alert_type": "nobody", "severity": "low", "title": "probe"});
        let request = stage
            .server
            .client
            .post(&url)
            .header("authorization", &token);
        anyhow::Ok(request.json(&body).send().await?.status())
    };
    let mut posted = Vec::new();
    for round in 1..=plan.rounds {
        // Numbers, which are also the keys of requests, begin far above those of the round before.
        let first = 1_000_000 * round as u64;
        let load = Load::start(&stage.targets(), &TYPES, plan.pause, first);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let ballast = small.fill();
        let mut refused = 0;
        while refused < 3 {
            match probe().await? {
                StatusCode::SERVICE_UNAVAILABLE => refused += 1,
                StatusCode::ACCEPTED => {}
                status => bail!("with a full disk an alert was answered {status}"),
            }
        }
        std::fs::remove_file(ballast)?;
        let room_since = Instant::now();
        while probe().await? != StatusCode::ACCEPTED {
            ensure!(room_since.elapsed() < SETTLE_MAX, "it does not recover");
        }
        posted.extend(load.stop().await?);
        stage.settle().await?;
        talk(format_args!(
            "{round} of {} times the disk was full",
            plan.rounds
        ));
    }
    let figures = stage.audit(&posted, 0).await?;
    Ok(Figures {
        rounds: plan.rounds,
        ..figures
    })
}

/// Lets the receiver fail in every known way, several times over, while alerts go on; what is blocked by it is repaired by
/// test messages, as a person would.
pub async fn faults(plan: &Plan) -> anyhow::Result<Figures> {
    let stage = Stage::set(plan, None, RATE).await?;
    let random = SeededRandom::new(plan.seed);
    let load = Load::start(&stage.targets(), &TYPES, plan.pause, 0);
    for round in 1..=plan.rounds {
        stage.fail_in_every_way(&random)?;
        while stage.receiver.failures_left() > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            stage.repair_what_waits().await?;
        }
        talk(format_args!(
            "{round} of {} times through every fault",
            plan.rounds
        ));
    }
    let posted = load.stop().await?;
    for (_, id) in &stage.connectors {
        stage.test(id).await?;
    }
    stage.settle().await?;
    let mut figures = Figures {
        rounds: plan.rounds,
        accepted: posted.len(),
        requests: stage.receiver.count() + stage.receiver.refused(),
        ..Figures::default()
    };
    for (name, id) in &stage.connectors {
        let mine = posted.iter().filter(|one| one.alert_type == *name).count();
        let mut ended = 0;
        for state in ["delivered", "accepted", "failed"] {
            ended += stage.server.count(id, state).await?;
        }
        let failed = stage.server.count(id, "failed").await?;
        ensure!(ended == mine, "{name}: the store says {ended} of {mine}");
        // A message may meet two refusals, one for each of its forms, and then has failed for good, visibly.
        ensure!(
            failed <= plan.rounds * ROWS.len(),
            "{name}: {failed} failed"
        );
        figures.repeated += failed;
    }
    Ok(figures)
}

impl Stage {
    /// Each destination meets its share of the faults, in an order of its own. One bad answer to a message leaves its plain
    /// form, so that nothing is refused for good.
    fn fail_in_every_way(&self, random: &SeededRandom) -> anyhow::Result<()> {
        let rows: Vec<&'static Row> = ROWS.iter().filter(|row| is_fault(row)).collect();
        for (at, (name, _)) in self.connectors.iter().enumerate() {
            let mut mine: Vec<_> = rows.iter().skip(at).step_by(TYPES.len()).copied().collect();
            for last in (1..mine.len()).rev() {
                let other = usize::try_from(random.below(last as u64 + 1))?;
                mine.swap(last, other);
            }
            self.receiver.fail_with(&format!("/{name}"), mine);
        }
        Ok(())
    }

    /// Sends a test message to each connector that is blocked or retries.
    async fn repair_what_waits(&self) -> anyhow::Result<()> {
        for (name, id) in &self.connectors {
            let health = format!("/alert-connectors/{id}/health");
            let (_, health) = self.server.ask(Method::GET, &health, None).await?;
            if matches!(health["state"].as_str(), Some("blocked" | "retrying")) {
                let status = self.test(id).await?;
                let expected = [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS];
                ensure!(
                    expected.contains(&status),
                    "{name}: a test was answered {status}"
                );
            }
        }
        Ok(())
    }

    async fn test(&self, id: &str) -> anyhow::Result<StatusCode> {
        let test = format!("/alert-connectors/{id}/test");
        let tested = self.server.ask(Method::POST, &test, Some(json!({}))).await;
        Ok(tested?.0)
    }
}

/// What is no success.
fn is_fault(row: &Row) -> bool {
    let fine = [
        "slack:ok",
        "slack:workflow_ok",
        "slack:empty",
        "slack:not_ok",
        "slack:html",
        "office365:ok",
        "workflow:accepted",
        "workflow:response",
    ];
    !fine.contains(&row.name)
}

/// Steps the clock back and forward by an hour while alerts go on, with kills between. Needs `faketime`.
pub async fn clock(plan: &Plan) -> anyhow::Result<Figures> {
    let library = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
        .map(|folder| Path::new(folder).join("faketime/libfaketime.so.1"))
        .into_iter()
        .find(|library| library.exists())
        .context("install faketime first: apt-get install faketime")?;
    let folder = tempfile::tempdir()?;
    let offset = folder.path().join("offset");
    std::fs::write(&offset, "+0")?;
    let mut stage = Stage::set(plan, None, RATE).await?;
    stage.server.set_environment(vec![
        ("LD_PRELOAD".to_owned(), library.display().to_string()),
        (
            "FAKETIME_TIMESTAMP_FILE".to_owned(),
            offset.display().to_string(),
        ),
        ("FAKETIME_NO_CACHE".to_owned(), "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
    ]);
    stage.server.kill()?;
    stage.server.start().await?;
    let random = SeededRandom::new(plan.seed);
    let load = Load::start(&stage.targets(), &TYPES, plan.pause, 0);
    for round in 1..=plan.rounds {
        let step = ["-1h", "+1h", "+0"][round % 3];
        std::fs::write(&offset, step)?;
        tokio::time::sleep(Duration::from_millis(100) + moment(&random, 300)).await;
        if round % 2 == 0 {
            stage.server.kill()?;
            stage.server.start().await?;
        }
    }
    let posted = load.stop().await?;
    stage.settle().await?;
    stage.audit(&posted, plan.rounds).await
}
