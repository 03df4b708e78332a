//! The data platform of the bench: posts alerts over kept connections and measures how long acceptance takes.

use std::time::{Duration, Instant};

use anyhow::bail;
use reqwest::{Client, StatusCode};

use crate::receiver::micros;

/// Webhooks that the alerts are spread over; as many clients post at once.
pub(crate) const DESTINATIONS: usize = 64;

/// Where alerts go, and as whom.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) client: Client,
    pub(crate) alerts: String,
    pub(crate) token: String,
}

/// The type and severity by which alerts reach one destination and no other.
pub(crate) fn filter_of(destination: usize) -> (String, &'static str) {
    let severity = ["low", "medium", "high", "critical"][destination % 4];
    (format!("bench_{}", destination / 4), severity)
}

fn alert(number: usize) -> String {
    let (destination, sent) = (number % DESTINATIONS, micros());
    let (alert_type, severity) = filter_of(destination);
    format!(
        r#"{{"alert_type":"{alert_type}","severity":"{severity}","title":"Freshness check failed: orders_{number} sent={sent}=","description":"Last loaded at 05:04 UTC, expected every 24 h.","fields":[{{"name":"Environment","value":"prod"}},{{"name":"Rows checked","value":1204331}}],"url":"https://data.example.com/alerts/{number}"}}"#
    )
}

impl Target {
    /// Posts one alert a request, `count` in all, from number `first` on.
    pub(crate) async fn post_each(
        self,
        first: usize,
        step: usize,
        count: usize,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(count);
        for at in 0..count {
            let started = Instant::now();
            let request = self
                .client
                .post(&self.alerts)
                .header("authorization", &self.token);
            let request = request
                .header("content-type", "application/json")
                .body(alert(first + at * step));
            let answer = request.send().await?;
            if answer.status() != StatusCode::ACCEPTED {
                bail!(
                    "an alert was answered {}: {}",
                    answer.status(),
                    answer.text().await?
                );
            }
            answer.bytes().await?;
            times.push(started.elapsed());
        }
        Ok(times)
    }

    /// Posts batches of `size`, `count` alerts in all.
    pub(crate) async fn post_batches(
        self,
        first: usize,
        size: usize,
        count: usize,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::new();
        for batch in 0..count / size {
            let alerts: Vec<String> = (0..size)
                .map(|at| alert(first + batch * size + at))
                .collect();
            let started = Instant::now();
            self.post_batch(&alerts).await?;
            times.push(started.elapsed());
        }
        Ok(times)
    }

    /// Posts this many a second for a while, however long the answers take.
    pub(crate) async fn post_paced(
        self,
        rate: u64,
        during: Duration,
    ) -> anyhow::Result<Vec<Duration>> {
        let clients = DESTINATIONS.min(usize::try_from(rate / 10)?.max(1));
        let pause = Duration::from_secs(clients as u64) / u32::try_from(rate.max(1))?;
        let mut tasks = tokio::task::JoinSet::new();
        for client in 0..clients {
            let target = self.clone();
            tasks.spawn(async move {
                let mut tick = tokio::time::interval(pause);
                let (started, mut times, mut number) = (Instant::now(), Vec::new(), client);
                while started.elapsed() < during {
                    tick.tick().await;
                    times.push(target.post_one(alert(number)).await?);
                    number += clients;
                }
                anyhow::Ok(times)
            });
        }
        let mut times = Vec::new();
        while let Some(done) = tasks.join_next().await {
            times.extend(done??);
        }
        times.sort_unstable();
        Ok(times)
    }

    /// Posts alerts of the types `d{first}` to `d{first + count}` in turn, this many a second for a while.
    pub(crate) async fn post_types(
        self,
        first: usize,
        count: usize,
        rate: u32,
        during: Duration,
    ) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(Duration::from_secs(1) / rate);
        let (started, mut at) = (Instant::now(), 0);
        let mut under_way = tokio::task::JoinSet::new();
        while started.elapsed() < during {
            tick.tick().await;
            let (target, sent) = (self.clone(), micros());
            let body = format!(
                r#"{{"alert_type":"d{}","severity":"high","title":"late sent={sent}="}}"#,
                first + at % count
            );
            under_way.spawn(async move { target.post_one(body).await });
            while let Some(done) = under_way.try_join_next() {
                done??;
            }
            at += 1;
        }
        while let Some(done) = under_way.join_next().await {
            done??;
        }
        Ok(())
    }

    async fn post_one(&self, body: String) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let answer = self
            .client
            .post(&self.alerts)
            .header("authorization", &self.token)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await?;
        let answer = answer.error_for_status()?;
        answer.bytes().await?;
        Ok(started.elapsed())
    }

    async fn post_batch(&self, alerts: &[String]) -> anyhow::Result<()> {
        let request = self
            .client
            .post(format!("{}/batch", self.alerts))
            .header("authorization", &self.token);
        let request = request
            .header("content-type", "application/json")
            .body(format!("[{}]", alerts.join(",")));
        request.send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }
}
