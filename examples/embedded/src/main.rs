//! A platform with users of its own that mounts Alert Connectors under `/notifications`:
//!
//! ```text
//! cargo run -p embedded -- 127.0.0.1:8081 platform-data
//! curl -H 'x-platform-user: ada' http://127.0.0.1:8081/notifications/spaces/data/alerts
//! ```

mod users;

use std::{error::Error, io::Write, pin::pin, process::ExitCode, time::Duration};

use alert_connectors::{AlertConnectors, Slug};
use axum::{Router, routing::get};
use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use tokio_util::sync::CancellationToken;

use users::PlatformUsers;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The errors of the library are sentences for people, and so are their causes.
            let mut line = format!("error: {error}");
            let mut cause = error.source();
            while let Some(deeper) = cause {
                line.push_str(&format!(": {deeper}"));
                cause = deeper.source();
            }
            drop(writeln!(std::io::stderr(), "{line}"));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:8081".to_owned());
    let folder = arguments.next().unwrap_or("platform-data".to_owned());

    let url = format!("sqlite://{folder}/alerts.db");
    let alerts = AlertConnectors::builder(&url)
        .identity(PlatformUsers::new())
        .start()
        .await?;
    let space = Slug::parse("data").ok_or(Slug::RULE)?;
    alerts.ensure_space(&space, "Data team").await?;

    // The platform's own jobs post without HTTP. A restart repeats the key, so the alert is stored once a day.
    let alert =
        json!({ "alert_type": "platform", "severity": "low", "title": "The platform has started" });
    alerts.post_once(&space, "started", &alert).await?;

    let app = Router::new()
        .route("/", get(async || "the platform's own page"))
        .nest("/notifications", alerts.router())
        .fallback(async || (http::StatusCode::NOT_FOUND, "the platform has no such page"));
    let listener = TcpListener::bind(&address).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopping = CancellationToken::new();
    let served = axum::serve(listener, app)
        .with_graceful_shutdown(stopping.clone().cancelled_owned())
        .into_future();
    let mut served = pin!(served);
    tokio::select! {
        ended = &mut served => return Ok(ended?),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        reason = alerts.failed() => return Err(reason.into()),
    }
    stopping.cancel();
    // A client that never ends its request must not hold up the end of the platform.
    let _unended = tokio::time::timeout(GRACE, served).await;
    alerts.stop().await;
    Ok(())
}

/// How long requests may take to end once the platform stops.
const GRACE: Duration = Duration::from_secs(10);
