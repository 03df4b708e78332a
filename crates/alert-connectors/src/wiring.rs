//! Puts the parts together: store, engine, retention, identity and API.

use std::sync::Arc;

use alert_connectors_api::{App, AppOptions, METRICS_PREFIX, StoreIdentity};
use alert_connectors_delivery::{
    BackoffConfig, BlockAlerts, DeliveryMeters, Engine, EngineOptions, Sender, SenderOptions,
    TimeLimits,
};
use alert_connectors_feed::Feed;
use alert_connectors_model::{Clock, Random, SystemClock};
use alert_connectors_store::Store;
use alert_connectors_tasks::Tasks;
use tokio_util::sync::CancellationToken;

use crate::{
    AlertConnectors, Database, StartError, SystemRandom, retention::Retention, settings::Settings,
};

/// What several parts use.
struct Common {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    tasks: Tasks,
    feed: Feed,
    stopping: CancellationToken,
}

/// Where the service's tasks live, and until when.
pub(crate) struct Lifetime {
    pub(crate) tasks: Tasks,
    pub(crate) stopping: CancellationToken,
    /// They are the service's own, not the host's.
    pub(crate) owns_tasks: bool,
}

/// Starts everything; once this returns, requests can be answered.
pub(crate) fn wire(
    mut settings: Settings,
    database: Database,
    lifetime: Lifetime,
) -> Result<AlertConnectors, StartError> {
    let Lifetime {
        tasks,
        stopping,
        owns_tasks,
    } = lifetime;
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom::default()));
    let common = Common {
        store: database.store(),
        feed: Feed::new(
            Arc::<SystemClock>::clone(&clock),
            &*random,
            stopping.clone(),
        ),
        clock,
        random,
        tasks,
        stopping,
    };
    let relay = Arc::<dyn Store>::clone(&common.store);
    let relaying = alert_connectors_feed::run(common.feed.clone(), relay);
    common.tasks.essential("feed", relaying);
    let meters = DeliveryMeters::default();
    // A host's registry holds metrics of its own, so the names of ours begin alike.
    let ours = settings.registry.sub_registry_with_prefix(METRICS_PREFIX);
    meters.register(ours);
    database.register_meters(ours);
    let engine = common.engine(&settings, meters)?;
    let retention = Retention {
        store: Arc::clone(&common.store),
        clock: Arc::clone(&common.clock),
        retention: settings.retention,
        audit_retention: settings.audit_retention,
        quotas: Arc::clone(&settings.quotas),
    };
    let removing = retention.run(common.stopping.clone());
    common.tasks.essential("upkeep", removing);
    let app = common.app(settings, engine);
    Ok(AlertConnectors {
        app,
        database,
        store: common.store,
        clock: common.clock,
        random: common.random,
        tasks: common.tasks,
        _stop_on_drop: owns_tasks.then(|| common.stopping.clone().drop_guard()),
        stopping: common.stopping,
    })
}

impl Common {
    fn engine(&self, settings: &Settings, meters: DeliveryMeters) -> Result<Engine, StartError> {
        let sender = Sender::new(SenderOptions {
            rules: settings.rules.clone(),
            trust: settings.trust.clone(),
            proxy: settings.proxy.clone(),
            no_proxy: settings.no_proxy.clone(),
            resolver: Arc::clone(&settings.resolver),
            clock: Arc::clone(&self.clock),
            limits: TimeLimits::default(),
        })?;
        let notify = BlockAlerts {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            retry_for: settings.retry_for,
            renotify: settings.renotify,
            feed: self.feed.clone(),
        };
        Ok(Engine::start(EngineOptions {
            store: Arc::<dyn Store>::clone(&self.store),
            leases: Arc::<dyn Store>::clone(&self.store),
            sender,
            notify: Arc::new(notify),
            feed: self.feed.clone(),
            rates: settings.rates,
            backoff: BackoffConfig::default(),
            connections_max: settings.webhook_connections,
            retry_for: settings.retry_for,
            meters,
            tracer: settings.tracer.clone(),
            public_url: settings.public_url.clone(),
            random: Arc::clone(&self.random),
            tasks: self.tasks.clone(),
            stopping: self.stopping.clone(),
        }))
    }

    fn app(&self, settings: Settings, engine: Engine) -> App {
        let identity = settings.identity.unwrap_or_else(|| {
            let store = Arc::<dyn Store>::clone(&self.store);
            Arc::new(StoreIdentity::new(store, Arc::clone(&self.clock)))
        });
        App::new(AppOptions {
            store: Arc::clone(&self.store),
            identity,
            elsewhere: settings.elsewhere,
            engine,
            feed: self.feed.clone(),
            rules: settings.rules,
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            retry_for: settings.retry_for,
            renotify: settings.renotify,
            registry: settings.registry,
            trusted_proxies: settings.trusted_proxies,
            audit_sink: settings.audit_sink,
            quotas: settings.quotas,
            public_url: settings.public_url,
            tracer: settings.tracer,
        })
    }
}
