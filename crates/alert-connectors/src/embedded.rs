//! A service that runs inside another program.

use std::{sync::Arc, time::Duration};

use alert_connectors_api::{
    ApiError, App, PostedAlert, metrics_router, operations_router, router, users_router,
};
#[cfg(feature = "program")]
use alert_connectors_api::{Metrics, whole};
use alert_connectors_model::{Clock, Random, Slug, Space, SpaceId, display_name};
use alert_connectors_store::{SpaceChange, Store, StoreError};
use alert_connectors_tasks::Tasks;
use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::IntoResponse,
};
use serde::Serialize;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Builder, Database};

/// How long requests in flight may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// A service that delivers until it is stopped. Dropping it stops it too, unless it runs among the host's tasks, and waits for
/// nothing: requests in flight may be repeated after the next start, and the database is free a moment later.
pub struct AlertConnectors {
    pub(crate) app: App,
    pub(crate) database: Database,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) tasks: Tasks,
    pub(crate) stopping: CancellationToken,
    /// Stops what the host drops without [`AlertConnectors::stop`], unless the host's own token does so.
    pub(crate) _stop_on_drop: Option<DropGuard>,
}

/// Why an alert was not posted.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The alert cannot be written as JSON.
    #[error("the alert can't be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The service was stopped, and delivers nothing until the next start.
    #[error("the service is stopped")]
    Stopped,
    /// The alert, the space or the key is refused, or the store cannot take it now.
    #[error(transparent)]
    Refused(#[from] ApiError),
}

/// Why a space was not created.
#[derive(Debug, thiserror::Error)]
pub enum SpaceError {
    /// The name is no name for people.
    #[error("{0}")]
    Name(&'static str),
    /// The store cannot create it now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AlertConnectors {
    /// Builds it on the database at a URL: `sqlite://` with a path, or a `postgres://` address.
    pub fn builder(database_url: &str) -> Builder {
        Builder::of_url(database_url)
    }

    /// Builds it on an open database.
    pub fn on(database: Database) -> Builder {
        Builder::on(database)
    }

    /// Connectors, alerts and deliveries, to be nested under a prefix. It has no fallback and no operational routes.
    pub fn router(&self) -> Router {
        self.until_stopped(router(&self.app))
    }

    /// Users, tokens, API keys, spaces and members of the database, for hosts without users of their own.
    pub fn users_router(&self) -> Router {
        self.until_stopped(users_router(&self.app))
    }

    /// Probes, metrics and the description of the API.
    pub fn operations_router(&self) -> Router {
        operations_router(&self.app)
    }

    /// The whole API and the console, with a fallback of their own, as `alert-connectors serve` serves them. They take the root
    /// of the server: nothing may be mounted beside them.
    #[cfg(feature = "program")]
    pub fn whole_router(&self) -> Router {
        whole(&self.app, alert_connectors_console::router(), Metrics::Here)
    }

    /// The same without `/metrics`, which [`AlertConnectors::metrics_router`] serves elsewhere.
    #[cfg(feature = "program")]
    pub fn whole_router_without_metrics(&self) -> Router {
        whole(
            &self.app,
            alert_connectors_console::router(),
            Metrics::Elsewhere,
        )
    }

    /// Metrics and probes alone.
    pub fn metrics_router(&self) -> Router {
        metrics_router(&self.app)
    }

    /// The same routes, which answer 503 once the service stops: nothing that they took would be delivered.
    fn until_stopped(&self, router: Router) -> Router {
        let stopping = self.stopping.clone();
        router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let is_stopping = stopping.is_cancelled();
            async move {
                if is_stopping {
                    let detail = "The service is stopping; repeat the request when it is back.";
                    return ApiError::unavailable(detail).into_response();
                }
                next.run(request).await
            }
        }))
    }

    /// Posts an alert to a space without HTTP. It serialises to the JSON of `POST /spaces/{slug}/alerts` and is corrected,
    /// matched and stored as there: once this returns, it is on disk together with its deliveries.
    pub async fn post(
        &self,
        space: &Slug,
        alert: &impl Serialize,
    ) -> Result<PostedAlert, PostError> {
        self.post_with(space, None, alert).await
    }

    /// Posts an alert like [`AlertConnectors::post`], but at most once: for 24 hours a repeat with the same key and the same
    /// alert stores nothing and returns what the first one stored. A key has 1 to 255 visible ASCII characters.
    pub async fn post_once(
        &self,
        space: &Slug,
        idempotency_key: &str,
        alert: &impl Serialize,
    ) -> Result<PostedAlert, PostError> {
        self.post_with(space, Some(idempotency_key), alert).await
    }

    async fn post_with(
        &self,
        space: &Slug,
        idempotency_key: Option<&str>,
        alert: &impl Serialize,
    ) -> Result<PostedAlert, PostError> {
        if self.stopping.is_cancelled() {
            return Err(PostError::Stopped);
        }
        let alert = serde_json::to_vec(alert)?;
        Ok(self.app.post(space, alert.into(), idempotency_key).await?)
    }

    /// Creates a space with this slug unless one exists. Returns whether it is new. The name for people has 1 to 120
    /// characters after trimming, none of them a control character.
    pub async fn ensure_space(&self, slug: &Slug, name: &str) -> Result<bool, SpaceError> {
        let name = display_name(name).map_err(SpaceError::Name)?;
        let now = self.clock.now();
        let space = Space {
            id: SpaceId::new(now, &*self.random),
            slug: slug.clone(),
            name,
            created_at: now,
        };
        let change = self.store.add_space(space, None).await?;
        Ok(change == SpaceChange::Done)
    }

    /// The store, for what the routes do not cover.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Waits until the service cannot go on, and returns why in one sentence: the database is gone, or a task ended.
    /// Every accepted alert is on disk; the host should stop the service and exit.
    pub async fn failed(&self) -> String {
        tokio::select! {
            // A task may end because the store failed, which says more.
            biased;
            reason = self.store.failed() => reason,
            reason = self.tasks.failed() => reason,
        }
    }

    /// Takes nothing new, and waits at most ten seconds for the requests to webhooks that are in flight. What is still in flight
    /// then is sent again after the next start; pending deliveries wait for it. It says nothing of the host's HTTP requests,
    /// which the host bounds itself.
    ///
    /// The database is free for another start once the service and all of its routers are dropped as well. With
    /// [`Builder::tasks`](crate::Builder::tasks), this cancels the host's token and waits for all of the host's tasks.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
        let ended = tokio::time::timeout(GRACE, self.tasks.wait()).await;
        if ended.is_err() {
            tracing::warn!("what was in flight did not end in time and is dropped");
        }
        self.close().await;
    }

    /// Ends the use of the database, for a host that waited for the tasks itself.
    pub async fn close(&self) {
        if !self.database.close().await {
            tracing::warn!(
                "another program reads the database, so its log was not moved into it; a copy needs all of its files"
            );
        }
    }
}
