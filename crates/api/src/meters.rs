//! What the API counts, without a tenant's name.

use std::{
    fmt::{self, Write as _},
    hash::{Hash, Hasher},
};

use axum::extract::MatchedPath;
use http::{Method, StatusCode};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// The labels of answers. Cardinality is bounded: the routes of the API, their methods and the statuses that they answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    /// The route as it is written in the description of the API, such as `/spaces/{slug}/alerts`.
    route: Route,
    status: u16,
}

/// The route of a request; none if nothing matched. A clone shares its text, since each request makes one.
#[derive(Debug, Clone)]
struct Route(Option<MatchedPath>);

impl Route {
    fn as_str(&self) -> &str {
        self.0.as_ref().map_or("none", MatchedPath::as_str)
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Route {}

impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.as_str())
    }
}

#[derive(Debug, Default)]
pub(crate) struct ApiMeters {
    alerts: Counter,
    answers: Family<Answered, Counter>,
    refused: Counter,
    over_quota: Family<OverQuota, Counter>,
}

/// The label of requests beyond a quota.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OverQuota {
    limit: &'static str,
}

impl ApiMeters {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "alerts_accepted",
            "Alerts that were accepted and are on disk, repeats of a problem included",
            self.alerts.clone(),
        );
        registry.register(
            "http_requests",
            "Requests that were answered, by route and status",
            self.answers.clone(),
        );
        registry.register(
            "requests_unavailable",
            "Requests that were answered 503, without those of producers beyond a quota",
            self.refused.clone(),
        );
        registry.register(
            "requests_over_quota",
            "Requests that were refused since their space or key had posted as much as it may, by the limit",
            self.over_quota.clone(),
        );
    }

    pub(crate) fn accepted(&self, alerts: usize) {
        self.alerts.inc_by(alerts as u64);
    }

    /// There is a limit of this name. It is shown from the start, so that the first refusal is seen as a change.
    pub(crate) fn has_limit(&self, limit: &'static str) {
        drop(self.over_quota.get_or_create(&OverQuota { limit }));
    }

    /// A request was refused for a limit of this name.
    pub(crate) fn over_quota(&self, limit: &'static str) {
        self.over_quota.get_or_create(&OverQuota { limit }).inc();
    }

    /// A request was answered. What matches no route counts as one. `is_unavailable` says that the service could not answer well.
    pub(crate) fn answered(
        &self,
        method: &'static str,
        route: Option<MatchedPath>,
        status: StatusCode,
        is_unavailable: bool,
    ) {
        let answered = Answered {
            method,
            route: Route(route),
            status: status.as_u16(),
        };
        self.answers.get_or_create(&answered).inc();
        if is_unavailable {
            self.refused.inc();
        }
    }
}

/// The methods that routes have. A caller may make up any other.
pub(crate) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
