//! The service put together: store, engine, identity and API.

use std::{net::SocketAddr, sync::Arc};

use alert_connectors_api::{App, AppOptions, METRICS_PREFIX, StoreIdentity, TrustedProxies, whole};
use alert_connectors_delivery::{
    BackoffConfig, BlockAlerts, DeliveryMeters, Engine, EngineOptions, Resolve, Sender,
    SenderOptions, TimeLimits,
};
use alert_connectors_model::{Clock, Random, SystemClock};
use alert_connectors_store::Store;
use anyhow::Context;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::{
    config::ServeConfig,
    database::Database,
    lifecycle::{Lifecycle, Stop},
    server::{Descriptors, Server},
    system::System,
    telemetry::Logging,
    upkeep,
};

/// A service that listens.
pub(crate) struct Service {
    lifecycle: Lifecycle,
    store: Arc<dyn Store>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Service {
    /// Starts everything; once this returns, requests are answered.
    pub(crate) fn start(
        config: ServeConfig,
        database: &Database,
        listener: TcpListener,
        resolver: Arc<dyn Resolve>,
        logging: &Logging,
    ) -> anyhow::Result<Self> {
        let lifecycle = Lifecycle::new().context("signals can't be received")?;
        let address = listener
            .local_addr()
            .context("the listening address is not known")?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(System::default());
        let sender = Sender::new(SenderOptions {
            rules: config.rules.clone(),
            trust: config.trust,
            proxy: config.proxy,
            no_proxy: config.no_proxy,
            resolver,
            clock: Arc::clone(&clock),
            limits: TimeLimits::default(),
        })
        .context("TLS can't be set up")?;
        let descriptors = Descriptors::share_out(config.webhook_connections);
        let meters = DeliveryMeters::default();
        let mut registry = Registry::with_prefix(METRICS_PREFIX);
        meters.register(&mut registry);
        logging.register(&mut registry);
        database.register_meters(&mut registry);
        let store = database.store();
        let notify = BlockAlerts {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            retry_for: config.spans.retry_for,
            renotify: config.spans.renotify,
        };
        let engine = Engine::start(EngineOptions {
            store: Arc::<dyn Store>::clone(&store),
            leases: Arc::<dyn Store>::clone(&store),
            sender,
            notify: Arc::new(notify),
            rates: config.rates,
            backoff: BackoffConfig::default(),
            connections_max: descriptors.webhooks,
            retry_for: config.spans.retry_for,
            meters,
            public_url: config.public_url,
            random: Arc::clone(&random),
            tasks: lifecycle.tasks.clone(),
            stopping: lifecycle.soft.clone(),
        });
        let upkeep = upkeep::run(
            Arc::clone(&store),
            Arc::clone(&clock),
            config.spans.retention,
            lifecycle.soft.clone(),
        );
        lifecycle.tasks.essential("upkeep", upkeep);
        let app = App::new(AppOptions {
            store: Arc::clone(&store),
            identity: Arc::new(StoreIdentity::new(
                Arc::<dyn Store>::clone(&store),
                Arc::clone(&clock),
            )),
            engine,
            rules: config.rules,
            clock,
            random,
            retry_for: config.spans.retry_for,
            renotify: config.spans.renotify,
            registry,
            trusted_proxies: TrustedProxies(config.trusted_proxies),
        });
        let server = Server {
            listener,
            router: whole(&app),
            connections_max: descriptors.callers,
            tasks: lifecycle.tasks.clone(),
            soft: lifecycle.soft.clone(),
            hard: lifecycle.hard.clone(),
        };
        lifecycle.tasks.essential("server", server.run());
        Ok(Self {
            lifecycle,
            store,
            address,
        })
    }

    /// The tasks of the service, for what runs beside it.
    pub(crate) fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// Runs until it is asked to stop or can't go on.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let store = Arc::clone(&self.store);
        let reload = || match self.store.reload_keys() {
            Ok(()) => tracing::info!("the secret key file was read again"),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the secret key file can't be read"
            ),
        };
        match self.lifecycle.run(store.failed(), reload).await {
            Stop::Asked => Ok(()),
            Stop::Failed(reason) => Err(anyhow::anyhow!(reason)),
        }
    }
}
