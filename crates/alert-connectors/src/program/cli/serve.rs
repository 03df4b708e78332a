//! `serve`: the service.

use std::{net::SocketAddr, sync::Arc};

use alert_connectors::{SystemResolver, Use};
use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};
use tracing::Level;

use super::{CommandContext, CommandError, CommandResult, open, say, wait_for};
use crate::{
    config::{Faults, Layers, ServeConfig, ServeOptions},
    service::{Listeners, Service},
    telemetry::{self, Logging},
};

pub(super) fn run(options: &ServeOptions, context: &CommandContext<'_>) -> CommandResult {
    let mut faults = Faults::default();
    let layers = Layers::read(
        &context.database,
        Some((options, context.matches)),
        context.matches,
        &mut faults,
    );
    let config = ServeConfig::parse(&layers, &mut faults);
    if !faults.0.is_empty() {
        return Err(CommandError::Usage(faults.0));
    }
    if options.print_config {
        return Ok(say(layers
            .shown(|name| config.default_of(name))
            .trim_end())?);
    }
    let logging = telemetry::start(config.log_format, Level::INFO)?;
    wait_for(serve(config, &layers.given(), &logging))
}

async fn serve(config: ServeConfig, settings: &str, logging: &Logging) -> CommandResult {
    let database = open(&config.database, Use::Server).await?;
    let listen = config.listen;
    let listener = bound(listen).with_context(|| format!("{listen} can't be listened on"))?;
    if !listen.ip().is_loopback() {
        tracing::warn!(%listen, "listening beyond this machine without TLS; put a reverse proxy with TLS in front");
    }
    if config.proxy.is_some() {
        tracing::info!("webhooks go through a proxy, which decides where host names lead");
    }
    let metrics = match config.metrics_listen {
        Some(apart) => {
            let listener = bound(apart).with_context(|| format!("{apart} can't be listened on"))?;
            tracing::info!(address = %listener.local_addr()?, "metrics are served");
            Some(listener)
        }
        None => None,
    };
    let service = Service::start(
        config,
        database,
        Listeners {
            api: listener,
            metrics,
        },
        Arc::new(SystemResolver::default()),
        logging,
    )
    .await?;
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(address = %service.address, version, settings, "listening");
    service.run().await?;
    tracing::info!("stopped");
    Ok(())
}

/// This many connections may wait to be accepted, if the system allows as many. Beyond them the system drops a caller's first
/// packet, which costs the caller a second.
const BACKLOG_MAX: u32 = 4_096;

fn bound(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A restart need not wait until the system forgets the connections of the previous process.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG_MAX)
}
