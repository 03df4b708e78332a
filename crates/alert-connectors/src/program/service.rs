//! The service behind a listener of its own, with signals.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use alert_connectors::{AlertConnectors, Builder, Database, Store, SystemRandom, Tracer};
use alert_connectors_api::{AuditLog, METRICS_PREFIX};
use alert_connectors_delivery::{Resolve, Trust};
use alert_connectors_model::{Random, SystemClock};
use alert_connectors_sso::{Issuer, SsoIdentity};
use alert_connectors_traces::{Collector, Exporter};
use anyhow::Context;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::{
    config::{ServeConfig, SsoConfig, TracesConfig},
    lifecycle::{Lifecycle, Stop},
    server::{Descriptors, Server},
    telemetry::Logging,
};

/// A service that listens for requests.
pub(crate) struct Service {
    lifecycle: Lifecycle,
    alerts: AlertConnectors,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// Where a service listens.
pub(crate) struct Listeners {
    pub(crate) api: TcpListener,
    /// For metrics and probes alone, if they are kept apart from the API.
    pub(crate) metrics: Option<TcpListener>,
}

/// More scrapers than these are hardly meant.
const METRICS_CONNECTIONS_MAX: usize = 32;

impl Service {
    /// Starts everything; once this returns, requests are answered.
    pub(crate) async fn start(
        mut config: ServeConfig,
        database: Database,
        listeners: Listeners,
        resolver: Arc<dyn Resolve>,
        logging: &Logging,
    ) -> anyhow::Result<Self> {
        let lifecycle = Lifecycle::new().context("signals can't be received")?;
        let address = listeners
            .api
            .local_addr()
            .context("the listening address is not known")?;
        let descriptors = Descriptors::share_out(config.webhook_connections);
        let mut registry = Registry::default();
        logging.register(&mut registry);
        let traces = config.traces.take();
        let traces = traces.map(|traces| exporter(traces, config.trust.clone()));
        let (sso, store) = (config.sso.take(), database.store());
        let mut builder = configured(AlertConnectors::on(database), config);
        if let Some(sso) = sso {
            builder = with_issuer(builder, sso, store, &lifecycle)?;
        }
        if let Some((tracer, exporter)) = traces.transpose()? {
            exporter.register(registry.sub_registry_with_prefix(METRICS_PREFIX));
            let exporting = exporter.run(lifecycle.soft.clone());
            lifecycle.tasks.essential("trace exporter", exporting);
            builder = builder.tracer(tracer);
        }
        let builder = builder
            .resolver(resolver)
            .webhook_connections(descriptors.webhooks)
            .registry(registry)
            .tasks(lifecycle.tasks.clone(), lifecycle.soft.clone());
        let alerts = builder.start().await?;
        let server = |listener, router, connections_max| Server {
            listener,
            router,
            connections_max,
            tasks: lifecycle.tasks.clone(),
            soft: lifecycle.soft.clone(),
            hard: lifecycle.hard.clone(),
        };
        let router = match listeners.metrics {
            Some(apart) => {
                let metrics = server(apart, alerts.metrics_router(), METRICS_CONNECTIONS_MAX);
                lifecycle.tasks.essential("metrics server", metrics.run());
                alerts.whole_router_without_metrics()
            }
            None => alerts.whole_router(),
        };
        let server = server(listeners.api, router, descriptors.callers);
        lifecycle.tasks.essential("server", server.run());
        Ok(Self {
            lifecycle,
            alerts,
            address,
        })
    }

    /// The tasks of the service, for what runs beside it.
    pub(crate) fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// Runs until it is asked to stop or can't go on, then closes the database.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let store = self.alerts.store();
        let reload = || match store.reload_keys() {
            Ok(()) => tracing::info!("the secret key file was read again"),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the secret key file can't be read"
            ),
        };
        let stop = self.lifecycle.run(farewell(&self.alerts), reload).await;
        self.alerts.close().await;
        match stop {
            Stop::Asked => Ok(()),
            Stop::Failed(reason) => Err(anyhow::anyhow!(reason)),
        }
    }
}

/// Readiness says 503 for this long before a broken database ends the process, so that a load balancer may see it.
const FAREWELL: Duration = Duration::from_millis(300);

/// Waits until the service can't go on, and then for [`FAREWELL`]. Returns why, in a sentence.
async fn farewell(alerts: &AlertConnectors) -> String {
    let reason = alerts.failed().await;
    tokio::time::sleep(FAREWELL).await;
    reason
}

/// The users of the database, who may also come with tokens of an issuer. Its keys are read from now on.
fn with_issuer(
    builder: Builder,
    sso: SsoConfig,
    store: Arc<dyn Store>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Builder> {
    let issuer = Issuer::new(sso.issuer).context("the issuer can't be asked")?;
    let reading = Arc::clone(&issuer).keep_keys_fresh(lifecycle.soft.clone());
    lifecycle.tasks.essential("issuer keys", reading);
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom::default()));
    let identity = SsoIdentity::new(
        store,
        issuer,
        sso.new_users,
        clock,
        random,
        Arc::new(AuditLog),
    );
    let builder = match sso.oidc {
        Some(options) => builder.single_sign_on(identity.sign_in(options)),
        None => builder,
    };
    Ok(builder.identity(identity))
}

/// What records sampled alerts, and what posts their spans.
fn exporter(config: TracesConfig, trust: Trust) -> anyhow::Result<(Tracer, Exporter)> {
    let random = Arc::new(SystemRandom::default());
    let mut instance = [0; 8];
    random.fill(&mut instance);
    let instance = format!("{:016x}", u64::from_be_bytes(instance));
    let tls = trust.client_config().context("TLS can't be set up")?;
    let collector = Collector::new(config.endpoint, &config.headers, tls)?;
    let (queue, exporter) = Exporter::new(collector, instance, env!("CARGO_PKG_VERSION"));
    let tracer = Tracer::new(config.ratio, random, Arc::new(queue));
    Ok((tracer, exporter))
}

fn configured(mut builder: Builder, config: ServeConfig) -> Builder {
    if let Some(proxy) = config.proxy {
        builder = builder.proxy(proxy, config.no_proxy);
    }
    if let Some(url) = config.public_url {
        builder = builder.public_url(url);
    }
    builder
        .rules(config.rules)
        .trust(config.trust)
        .rates(config.rates)
        .retry_for(config.spans.retry_for)
        .renotify(config.spans.renotify)
        .retention(config.spans.retention)
        .audit_retention(config.spans.audit_retention)
        .quotas(Arc::new(config.quotas.clone()))
        .trusted_proxies(config.trusted_proxies)
}
