//! Beyond the cost of an alert: a long queue in memory, dead destinations among many, and what must not grow.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::{
    client::DESTINATIONS,
    client::{Target, filter_of},
    home::{Home, Store},
    lab::{Lab, PACED, Receiver},
    process::{say, talk, until},
};

/// Where a backlog is only on the way to what is measured, it is not to become digests.
const UNPACED: &str = "slack=unlimited";

struct Place {
    folder: tempfile::TempDir,
    receiver: Receiver,
    store: Store,
    ca_file: String,
}

impl Place {
    fn new(store: Store) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let own = std::env::current_exe()?.display().to_string();
        let ca_file = path("ca.pem");
        Ok(Self {
            receiver: Receiver::start(&own, &ca_file)?,
            store,
            ca_file,
            folder,
        })
    }

    async fn lab(&self, server: &str, rate: &str) -> anyhow::Result<Lab> {
        let home = Home::make(self.store, server, self.folder.path())?;
        Lab::start(server, home, &self.ca_file, rate).await
    }
}

/// Memory while this many deliveries are pending for channels that never answer.
pub(crate) async fn waiting(server: &str, store: Store, count: usize) -> anyhow::Result<()> {
    let place = Place::new(store)?;
    let lab = place.lab(server, PACED).await?;
    furnish(&lab, &place, "hang").await?;
    lab.target("bench").post_batches(0, 1_000, count).await?;
    let resident = lab.process.resident()?;
    say(format_args!(
        "resident memory with {count} deliveries waiting at {DESTINATIONS} destinations: {resident:.1} MiB"
    ))?;
    Ok(())
}

/// The space `bench`, with a connector for each destination.
async fn furnish(lab: &Lab, place: &Place, way: &str) -> anyhow::Result<()> {
    lab.space("bench")?;
    for destination in 0..DESTINATIONS {
        let (alert_type, severity) = filter_of(destination);
        let url = format!("{}/{way}/{destination}", place.receiver.base);
        lab.connect("bench", &url, &alert_type, &[severity]).await?;
    }
    Ok(())
}

/// Arrival at many destinations: none of them dead, then some, then all of one space's.
pub(crate) async fn fair(server: &str, store: Store) -> anyhow::Result<()> {
    const EACH_SPACE: usize = 500;
    let mut calm = 0.0;
    for hanging in [0, 100, EACH_SPACE] {
        let place = Place::new(store)?;
        let lab = place.lab(server, PACED).await?;
        for space in ["one", "two"] {
            lab.space(space)?;
        }
        for at in 0..2 * EACH_SPACE {
            let space = if at < EACH_SPACE { "one" } else { "two" };
            let way = if at < hanging { "hang" } else { "services" };
            let url = format!("{}/{way}/{at}", place.receiver.base);
            lab.connect(space, &url, &format!("d{at}"), &[]).await?;
        }
        let mut posting = JoinSet::new();
        for (space, first) in [("one", 0), ("two", EACH_SPACE)] {
            let target = lab.target(space);
            posting.spawn(target.post_types(first, EACH_SPACE, 1_000, Duration::from_secs(10)));
        }
        while let Some(posted) = posting.join_next().await {
            posted??;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let latency = place.receiver.ask("latency").await?;
        let (p50, p99) = latency.split_once(' ').unwrap_or_default();
        let p99: f64 = p99.parse()?;
        if hanging == 0 {
            calm = p99;
        }
        say(format_args!(
            "1000 destinations, {hanging} of them hang: arrival at the others p50 {p50} ms, p99 {p99:.2} ms ({:.2} times)",
            p99 / calm
        ))?;
    }
    Ok(())
}

/// What an alert costs as the number of past deliveries grows.
pub(crate) async fn history(server: &str, store: Store, most: usize) -> anyhow::Result<()> {
    let place = Place::new(store)?;
    let lab = place.lab(server, UNPACED).await?;
    furnish(&lab, &place, "services").await?;
    let target = lab.target("bench");
    post(&place, &target, 10_000, 100).await?;
    let mut past = 10_000;
    loop {
        let cost = cost(&lab, &place, &target).await?;
        say(format_args!(
            "{past} past deliveries: {cost:.1} µs of CPU an alert"
        ))?;
        if past >= most {
            return Ok(());
        }
        let more = past * 9;
        talk(format_args!("delivering {more} more"));
        post(&place, &target, more, 100).await?;
        past *= 10;
    }
}

/// What an alert costs as the number of connectors in other spaces grows.
pub(crate) async fn connectors(server: &str, store: Store, most: usize) -> anyhow::Result<()> {
    const EACH_SPACE: usize = 500;
    let place = Place::new(store)?;
    let lab = place.lab(server, UNPACED).await?;
    furnish(&lab, &place, "services").await?;
    let target = lab.target("bench");
    post(&place, &target, 10_000, 100).await?;
    let (mut made, mut wanted) = (0, 10);
    while wanted <= most {
        while made < wanted {
            let space = format!("other-{}", made / EACH_SPACE);
            if made % EACH_SPACE == 0 {
                lab.space(&space)?;
            }
            let url = format!("{}/services/other-{made}", place.receiver.base);
            lab.connect(&space, &url, "other", &[]).await?;
            made += 1;
        }
        let cost = cost(&lab, &place, &target).await?;
        say(format_args!(
            "{} connectors: {cost:.1} µs of CPU an alert",
            made + DESTINATIONS
        ))?;
        wanted *= 10;
    }
    Ok(())
}

/// Microseconds of CPU an alert, one each: the least of three, since the machine is not always equally fast.
async fn cost(lab: &Lab, place: &Place, target: &Target) -> anyhow::Result<f64> {
    const ALERTS: usize = 32_000;
    let mut least = f64::MAX;
    for _ in 0..3 {
        let before = lab.cpu()?;
        post(place, target, ALERTS, 1).await?;
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let cost = (lab.cpu()? - before) / ALERTS as f64 * 1e6;
        least = least.min(cost);
    }
    Ok(least)
}

async fn post(place: &Place, target: &Target, count: usize, batch: usize) -> anyhow::Result<()> {
    let before = place.receiver.count().await?;
    let clients = if batch == 1 { DESTINATIONS } else { 4 };
    let each = (count / clients).div_ceil(batch) * batch;
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let target = target.clone();
        if batch == 1 {
            tasks.spawn(target.post_each(number, DESTINATIONS, each));
        } else {
            tasks.spawn(target.post_batches(number * each, batch, each));
        }
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let wanted = before + (each * clients) as u64;
    let started = Instant::now();
    until("delivery", async || {
        Ok(place.receiver.count().await? >= wanted || started.elapsed() > Duration::from_hours(1))
    })
    .await
}
