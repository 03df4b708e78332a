//! A platform with users of its own that mounts Alert Connectors under `/notifications`:
//!
//! ```text
//! cargo run -p embedded -- 127.0.0.1:8081 platform-data
//! curl -H 'x-platform-user: ada' http://127.0.0.1:8081/notifications/spaces/data/alerts
//! ```

mod users;

use std::{error::Error, io::Write, process::ExitCode};

use alert_connectors::{AlertConnectors, Slug};
use axum::{Router, routing::get};
use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use users::PlatformUsers;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The errors of the library are sentences for people.
            drop(writeln!(std::io::stderr(), "error: {error}"));
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
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(shutdown).into_future() => served?,
        reason = alerts.failed() => return Err(reason.into()),
    }
    alerts.stop().await;
    Ok(())
}
