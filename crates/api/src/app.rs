//! What every route uses.

use std::sync::Arc;

use alert_connectors_delivery::Engine;
use alert_connectors_feed::Feed;
use alert_connectors_model::{Clock, Random, Slug, UrlRules};
use alert_connectors_store::{AuditSink, Expiry, Roster, Store};
use alert_connectors_traces::Tracer;
use jiff::SignedDuration;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use crate::{
    ApiError, Freshness, Identity, Passwords, SignInElsewhere, TrustedProxies,
    accept::LARGE_STEP_REST,
    body_budget::BodyBudget,
    date_header::DateHeader,
    meters::ApiMeters,
    quotas::{Limit, QuotaUse, Quotas},
    resting_queue::RestingQueue,
    rosters::Rosters,
    routes::{METRICS_PREFIX, sign_in_limit::SignInLimit},
    seldom::Seldom,
    test_limit::TestLimit,
    trail::RefusedSignIns,
};

/// What the API is made of.
pub struct AppOptions {
    /// Everything durable.
    pub store: Arc<dyn Store>,
    /// Identifies callers.
    pub identity: Arc<dyn Identity>,
    /// Signs browsers in at another service, if that is set up.
    pub elsewhere: Option<Arc<dyn SignInElsewhere>>,
    /// Delivers alerts.
    pub engine: Engine,
    /// What happens in spaces, for those who watch them.
    pub feed: Feed,
    /// Where webhook URLs may lead.
    pub rules: UrlRules,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids and tokens.
    pub random: Arc<dyn Random>,
    /// How long a delivery is tried.
    pub retry_for: SignedDuration,
    /// How old the last notification of a problem is when the next repeat reminds of it.
    pub renotify: SignedDuration,
    /// What `/metrics` shows, beside what the API itself counts.
    pub registry: Registry,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: TrustedProxies,
    /// Follows the audit trail.
    pub audit_sink: Arc<dyn AuditSink>,
    /// How much each space may have.
    pub quotas: Arc<dyn Quotas>,
    /// Where people reach the service, for the links of invitations.
    pub public_url: Option<String>,
    /// Records sampled requests.
    pub tracer: Option<Tracer>,
}

/// What every route has at hand. Clones share it.
#[derive(Clone)]
pub struct App(Arc<AppParts>);

/// The insides of [`App`].
pub struct AppParts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) identity: Arc<dyn Identity>,
    pub(crate) elsewhere: Option<Arc<dyn SignInElsewhere>>,
    pub(crate) engine: Engine,
    pub(crate) feed: Feed,
    /// Changes when somebody may have lost access here, so that the callers of open streams are authorised again at once.
    pub(crate) access_lost: watch::Sender<()>,
    pub(crate) rules: UrlRules,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) retry_for: SignedDuration,
    pub(crate) renotify: SignedDuration,
    pub(crate) registry: Registry,
    pub(crate) meters: ApiMeters,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) passwords: Passwords,
    pub(crate) sign_in_limit: SignInLimit,
    pub(crate) test_limit: TestLimit,
    pub(crate) date: DateHeader,
    pub(crate) bodies: BodyBudget,
    /// The same for answers, until they are sent.
    pub(crate) answers: BodyBudget,
    /// Counts the requests that the API answered with 503, and logs the count once a minute.
    pub(crate) unavailable: Seldom,
    /// Counts the failed sign-ins at another service, likewise.
    pub(crate) failed_sign_ins: Seldom,
    /// Follows the audit trail.
    pub(crate) audit_sink: Arc<dyn AuditSink>,
    /// How much each space may have, and what was posted.
    pub(crate) quotas: Arc<dyn Quotas>,
    pub(crate) quota_use: QuotaUse,
    /// Bounds what refused sign-ins leave in it.
    pub(crate) refused_sign_ins: RefusedSignIns,
    /// Whose turn it is to store a large step of a request.
    pub(crate) large_steps: RestingQueue,
    /// Where people reach the service, for the links of invitations.
    pub(crate) public_url: Option<String>,
    /// Records sampled requests.
    pub(crate) tracer: Option<Tracer>,
    rosters: Rosters,
}

impl std::ops::Deref for App {
    type Target = AppParts;

    fn deref(&self) -> &AppParts {
        &self.0
    }
}

impl App {
    /// Puts the API together.
    pub fn new(options: AppOptions) -> Self {
        let (meters, mut registry) = (ApiMeters::default(), options.registry);
        meters.register(registry.sub_registry_with_prefix(METRICS_PREFIX));
        for limit in Limit::NAMES {
            meters.has_limit(limit);
        }
        Self(Arc::new(AppParts {
            passwords: Passwords::new(Arc::clone(&options.random)),
            store: options.store,
            identity: options.identity,
            elsewhere: options.elsewhere,
            engine: options.engine,
            feed: options.feed,
            access_lost: watch::Sender::new(()),
            rules: options.rules,
            clock: options.clock,
            random: options.random,
            retry_for: options.retry_for,
            renotify: options.renotify,
            registry,
            meters,
            trusted_proxies: options.trusted_proxies,
            sign_in_limit: SignInLimit::default(),
            test_limit: TestLimit::default(),
            date: DateHeader::default(),
            bodies: BodyBudget::default(),
            answers: BodyBudget::default(),
            unavailable: Seldom::default(),
            failed_sign_ins: Seldom::default(),
            audit_sink: options.audit_sink,
            quotas: options.quotas,
            quota_use: QuotaUse::default(),
            refused_sign_ins: RefusedSignIns::default(),
            large_steps: RestingQueue::new(LARGE_STEP_REST),
            public_url: options.public_url,
            tracer: options.tracer,
            rosters: Rosters::default(),
        }))
    }

    /// The rule by which pending deliveries expire, with the current time.
    pub(crate) fn expiry(&self) -> Expiry {
        Expiry {
            now: self.clock.now(),
            retry_for: self.retry_for,
        }
    }

    /// Whether a roster is true now. That costs less than reading all connectors of a space again.
    async fn is_current(&self, known: &Roster) -> Result<bool, ApiError> {
        let found = self.store.roster_version(&known.space.slug).await?;
        Ok(found == Some((known.space.id, known.version)))
    }

    /// The connectors of a space. A roster that is only [`Freshness::Cached`] must be checked by the store's version
    /// before anything rests on it.
    pub(crate) async fn roster(
        &self,
        slug: &Slug,
        freshness: Freshness,
    ) -> Result<Option<Arc<Roster>>, ApiError> {
        if let Some(known) = self.rosters.get(slug)
            && (freshness == Freshness::Cached || self.is_current(&known).await?)
        {
            return Ok(Some(known));
        }
        let found = self.store.roster(slug).await?.map(Arc::new);
        self.rosters.put(slug, found.as_ref());
        Ok(found)
    }
}
