//! The yardstick: a bare reqwest client that posts the same bytes to the same receiver, and nothing else.

use std::fs;

use anyhow::Context;
use bytes::Bytes;
use reqwest::{Certificate, Client, header::CONTENT_TYPE};

use crate::{
    client::DESTINATIONS,
    process::{cpu_of, say},
};

/// Posts `count` times, as many at once as there are destinations, and prints the CPU seconds that it took. It tells them
/// itself: a process that has ended no longer knows what all its threads used.
pub(crate) async fn post(
    ca_file: &str,
    base: &str,
    payload_file: &str,
    count: &str,
) -> anyhow::Result<()> {
    let payload = Bytes::from(fs::read(payload_file)?);
    let count: usize = count.parse().context("a number of posts")?;
    let root = Certificate::from_pem(&fs::read(ca_file)?)?;
    let client = Client::builder()
        .tls_certs_only([root])
        .no_proxy()
        .build()?;
    let one = |destination: usize| {
        let (client, payload, url) = (
            client.clone(),
            payload.clone(),
            format!("{base}/services/{destination}"),
        );
        async move {
            for _ in 0..count / DESTINATIONS {
                let request = client
                    .post(&url)
                    .header(CONTENT_TYPE, "application/json")
                    .body(payload.clone());
                request.send().await?.error_for_status()?.bytes().await?;
            }
            anyhow::Ok(())
        }
    };
    let mut tasks = tokio::task::JoinSet::new();
    for destination in 0..DESTINATIONS {
        tasks.spawn(one(destination));
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    say(format_args!("{}", cpu_of("self")?))?;
    Ok(())
}
