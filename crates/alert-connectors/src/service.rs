//! The service put together: store, engine, identity and API.

use std::{net::SocketAddr, sync::Arc};

use alert_connectors_api::{App, AppOptions, METRICS_PREFIX, StoreIdentity, TrustedProxies, whole};
use alert_connectors_delivery::{
    AlertSpaces, DeliveryMeters, Engine, EngineOptions, Patience, Resolve, Sender, SenderOptions,
    TimeLimits,
};
use alert_connectors_model::{Clock, Random, SystemClock};
use alert_connectors_store::{People, Store};
use alert_connectors_store_sqlite::{Opening, SqliteStore, Use};
use anyhow::Context;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::{
    config::{DatabaseConfig, ServeConfig},
    lifecycle::{Lifecycle, Stop},
    server,
    system::System,
    upkeep,
};

/// Opens the store that the configuration names.
pub(crate) fn open_store(config: &DatabaseConfig, used_by: Use) -> anyhow::Result<SqliteStore> {
    let opening = Opening {
        path: config.path.clone(),
        key_file: config.key_file.clone(),
        used_by,
        random: Arc::new(System::default()),
    };
    Ok(SqliteStore::open(opening)?)
}

/// A service that listens.
pub(crate) struct Service {
    lifecycle: Lifecycle,
    store: SqliteStore,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Service {
    /// Starts everything; once this returns, requests are answered.
    pub(crate) fn start(
        config: ServeConfig,
        store: SqliteStore,
        listener: TcpListener,
        resolver: Arc<dyn Resolve>,
    ) -> anyhow::Result<Self> {
        let lifecycle = Lifecycle::new().context("signals can't be received")?;
        let address = listener
            .local_addr()
            .context("the listening address is not known")?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(System::default());
        let shared: Arc<dyn Store> = Arc::new(store.clone());
        let sender = Sender::new(SenderOptions {
            rules: config.rules.clone(),
            trust: config.trust,
            proxy: config.proxy,
            resolver,
            clock: Arc::clone(&clock),
            limits: TimeLimits::default(),
        })
        .context("TLS can't be set up")?;
        let meters = DeliveryMeters::default();
        let mut registry = Registry::with_prefix(METRICS_PREFIX);
        meters.register(&mut registry);
        store.register_meters(&mut registry);
        let tell = AlertSpaces {
            store: Arc::new(store.clone()),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            retry_for: config.spans.retry_for,
            renotify: config.spans.renotify,
        };
        let engine = Engine::start(EngineOptions {
            store: Arc::new(store.clone()),
            sender,
            tell: Arc::new(tell),
            rates: config.rates,
            patience: Patience::default(),
            retry_for: config.spans.retry_for,
            meters,
            public_url: config.public_url,
            random: Arc::clone(&random),
            tasks: lifecycle.tasks.clone(),
            stopping: lifecycle.soft.clone(),
        });
        lifecycle.tasks.spawn(upkeep::run(
            store.clone(),
            Arc::clone(&clock),
            config.spans.retention,
            lifecycle.soft.clone(),
        ));
        let people: Arc<dyn People> = Arc::new(store.clone());
        let app = App::new(AppOptions {
            store: shared,
            identity: Arc::new(StoreIdentity::new(people, Arc::clone(&clock))),
            engine,
            rules: config.rules,
            clock,
            random,
            retry_for: config.spans.retry_for,
            renotify: config.spans.renotify,
            registry,
            trusted_proxies: TrustedProxies(config.trusted_proxies),
        });
        let (tasks, soft, hard) = (
            lifecycle.tasks.clone(),
            lifecycle.soft.clone(),
            lifecycle.hard.clone(),
        );
        lifecycle
            .tasks
            .spawn(server::serve(listener, whole(&app), tasks, soft, hard));
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
        let store = self.store.clone();
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
