//! The data platform of the bench: posts alerts over kept connections and measures how long acceptance takes.

use std::time::{Duration, Instant};

use anyhow::bail;
use reqwest::{Client, StatusCode};

use crate::{receiver::micros, run::DESTINATIONS};

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
            let request = self
                .client
                .post(format!("{}/batch", self.alerts))
                .header("authorization", &self.token);
            let request = request
                .header("content-type", "application/json")
                .body(format!("[{}]", alerts.join(",")));
            request.send().await?.error_for_status()?.bytes().await?;
            times.push(started.elapsed());
        }
        Ok(times)
    }
}
