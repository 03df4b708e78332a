//! `inbox`: the stand-in for Slack and Teams alone.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use alert_connectors_inbox::{Authority, Inbox, serve};
use alert_connectors_model::SystemClock;
use anyhow::{Context, anyhow};
use axum::Router;
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::{CommandResult, harmless::harmless, say, talk, wait_for};
use crate::lifecycle::{Lifecycle, Stop};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  alert-connectors inbox --ca-out inbox-ca.pem
  alert-connectors serve --ca-file inbox-ca.pem --allow-network 127.0.0.0/8
  curl --cacert inbox-ca.pem https://localhost:8443/_inbox/messages
  curl --cacert inbox-ca.pem https://localhost:8443/_inbox/behaviour -H 'content-type: application/json' \\
    -d '{\"path\":\"/services/T/B/x\",\"row\":\"slack:no_service\",\"times\":1}'")]
pub(super) struct Options {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// A further host name for the certificate; repeatable
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
    /// Where to write the CA certificate, for `serve --ca-file`
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,
    /// Do not print the messages that arrive
    #[arg(long)]
    quiet: bool,
}

/// The inbox with the page that draws messages; with a plain one where the console is not built.
pub(super) fn inbox_router(inbox: &Inbox) -> Router {
    match alert_connectors_console::inbox_page() {
        Some(page) => inbox.router_with(page),
        None => inbox.router(),
    }
}

pub(super) fn run(options: Options) -> CommandResult {
    wait_for(async move { Ok(receive(options).await?) })
}

async fn receive(options: Options) -> anyhow::Result<()> {
    let lifecycle = Lifecycle::new().context("signals can't be received")?;
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        options.listen.ip().to_string(),
    ];
    names.extend(options.names);
    let authority = Authority::for_names(names)
        .map_err(|error| anyhow!("the certificate can't be made: {error}"))?;
    if let Some(path) = &options.ca_out {
        std::fs::write(path, authority.ca_pem())
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("{} can't be listened on", options.listen))?;
    let address = listener.local_addr()?;
    let inbox = Inbox::new(Arc::new(SystemClock));
    let mut arriving = inbox.follow();
    let stopping = lifecycle.soft.clone();
    lifecycle.tasks.essential(
        "inbox",
        serve(
            listener,
            authority.server_config(),
            inbox_router(&inbox),
            TaskTracker::new(),
            stopping.clone(),
        ),
    );
    talk(format_args!(
        "listening on https://{address}; what arrived is shown at https://{address}/_inbox"
    ));
    if !options.quiet {
        lifecycle.tasks.worker("listing", async move {
            loop {
                tokio::select! {
                    message = arriving.recv() => match message {
                        Ok(message) => {
                            let problem = message.problem.map(|problem| format!("  [{problem}]")).unwrap_or_default();
                            let line = format!("{}  {}  {}{problem}", message.at, message.kind, message.notification());
                            if say(harmless(&line).replace('\n', " ")).is_err() {
                                return;
                            }
                        }
                        Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                        Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                    },
                    () = stopping.cancelled() => return,
                }
            }
        });
    }
    match lifecycle.run(std::future::pending(), || {}).await {
        Stop::Asked => Ok(()),
        Stop::Failed(reason) => Err(anyhow!(reason)),
    }
}
